import asyncio

import pytest

from tests.routes.rows import STREAM_ID, add_stream
from tests.routes.service import RAW, Service, problem

LISTS = ["streams", "diagnoses", "deliveries", f"streams/{STREAM_ID}/events"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=0", 422),
        ("limit=501", 422),
        ("limit=-1", 422),
        ("limit=", 422),
        ("limit=ten", 422),
        ("limit=1e3", 422),
        ("limit=" + "9" * 5000, 422),
        ("limit=1&limit=2", 400),
        ("offset=3", 400),
        ("%00=1", 400),
        ("cursor=", 400),
        ("cursor=%00", 400),
        ("cursor=../../etc", 400),
        ("cursor=" + "A" * 7000, 400),
        ("limit=5;limit=6", 422),
        ("%zz=1", 400),
        ("cursor=%ff%fe", 400),
    ],
)
async def test_lists_refuse_what_they_do_not_know(service: Service, path: str, query: str, expected: int) -> None:
    """A parameter that is unknown, doubled or out of range is told, not guessed at; no query is a fault of ours."""
    service.fill(add_stream)
    response = await service.get(f"/v1/{path}?{query}")
    assert expected == (await problem(response))[0]


async def test_an_unknown_parameter_lists_the_known(service: Service) -> None:
    """The answer to a wrong name tells the right ones."""
    response = await service.get("/v1/streams?stat=live")
    assert (400, "bad_request") == await problem(response)
    detail = (await response.json())["detail"]
    assert "stat" in detail
    assert "cursor, limit, state, condition" in detail
    assert "Known here: none" in (await (await service.get("/v1/conditions?x=1")).json())["detail"]


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("streams?state=broken", "state"),
        ("streams?condition=none", "condition"),
        ("diagnoses?status=closed", "status"),
        ("diagnoses?condition=", "condition"),
        ("diagnoses?reason=", "reason"),
        ("diagnoses?reason=" + "x" * 201, "reason"),
        ("diagnoses?stream_id=%00", "stream_id"),
        ("diagnoses?since=yesterday", "since"),
        ("diagnoses?since=1726153200000", "since"),
        ("diagnoses?since=2024-09-12T15:00:00+02:00", "since"),
        ("deliveries?verdict=lost", "verdict"),
        ("events/ev-1?raw=perhaps", "raw"),
    ],
)
async def test_a_value_out_of_range_is_pointed_at(service: Service, path: str, pointer: str) -> None:
    """A 422 names the parameter whose value does not hold."""
    response = await service.get(f"/v1/{path}", RAW)
    assert (422, "invalid_request") == await problem(response)
    assert [pointer] == [error["pointer"] for error in (await response.json())["errors"]]


@pytest.mark.parametrize("kind", ["streams", "sessions", "diagnoses", "events"])
@pytest.mark.parametrize(
    "name",
    [
        "%00",
        "a%00b",
        "x" * 5000,
        "%ff%fe",
        "%ed%a0%80",
        "%zz",
        "%",
        "%2e%2e%2f%2e%2e",
        "%2F",
        "'%20OR%201=1--",
        "%E2%80%8B",
        "a%0d%0aX-Injected:%201",
        "{id}",
        "%F0%9F%8E%A5",
    ],
)
async def test_no_id_is_a_fault(service: Service, kind: str, name: str) -> None:
    """Whatever stands where an id belongs, the answer is that there is no such thing."""
    response = await service.get(f"/v1/{kind}/{name}")
    assert (404, "not_found") == await problem(response)
    assert "X-Injected" not in response.headers


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v1/streams/\xff\xfe HTTP/1.1",
        b"GET /v1/streams?\xff=\xfe HTTP/1.1",
        b"GET /v1/streams/%C0%80 HTTP/1.1",
        b"GET //v1//streams HTTP/1.1",
        b"GET /v1/../v1/streams HTTP/1.1",
        b"GET http://other.example/v1/streams HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET /v1/streams?" + b"a=1&" * 1500 + b" HTTP/1.1",
    ],
)
async def test_no_request_line_is_a_fault(service: Service, line: bytes) -> None:
    """Raw bytes, odd paths and odd forms in the request line are answered, never with a 5xx."""
    reader, writer = await asyncio.open_connection(service.client.host, service.client.port)
    writer.write(line + b"\r\nHost: x\r\nAuthorization: Bearer reader-token\r\nConnection: close\r\n\r\n")
    status = int((await reader.readline()).split()[1])
    writer.close()
    assert 200 <= status < 500
