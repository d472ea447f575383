import asyncio
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient

from receiver.clock import ManualClock
from receiver.logs import configure
from receiver.routes.api import API
from receiver.routes.edge import edge
from receiver.routes.keys import IDS
from tests.routes.rows import NOW_MS, STREAM_ID, add_stream
from tests.routes.service import READER, WRITER, Service, lose, problem


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The log, as JSON lines."""
    stream = io.StringIO()
    configure("json", "info", stream, ManualClock(NOW_MS))
    yield stream
    structlog.reset_defaults()


def requests(lines: io.StringIO) -> list[dict[str, Any]]:
    """The lines of requests."""
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    return [line for line in found if line["event"] == "http.request"]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer reader-token x",
        "Basic reader-token",
        "reader-token",
        "Bearer reader-toke",
        "Bearer reader-tokenn",
        "Bearer é",
        "Bearer " + "x" * 5000,
    ],
)
async def test_no_known_token_no_answer(service: Service, header: str | None) -> None:
    """Every path under /v1 asks for a token first, those that do not exist too (P9)."""
    headers = {} if header is None else {"Authorization": header}
    for path in ("/v1/streams", "/v1/nothing", "/v1", "/v1/"):
        response = await service.get(path, headers)
        assert (401, "unauthorized") == await problem(response)
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


async def test_every_route_of_the_api_asks_for_a_token(service: Service) -> None:
    """No route is open by mistake, and none gives a reader more than its scope."""
    for route in API:
        path = "/v1" + route.path.replace("{id}", "x")
        assert 401 == (await service.client.request(route.method, path)).status
        if route.scope != "read":
            assert 403 == (await service.client.request(route.method, path, headers=READER)).status


async def test_the_scheme_may_be_written_in_any_case(service: Service) -> None:
    """`bearer` is the same scheme as `Bearer` (RFC 9110, 11.1)."""
    assert 200 == (await service.get("/v1/streams", {"Authorization": "bEARER  reader-token"})).status


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1:2.3_x", True), ("x" * 64, True), ("x" * 65, False), ("a b", False)]
)
async def test_a_sane_request_id_is_kept(service: Service, given: str, *, kept: bool) -> None:
    """The caller's request id comes back where it is sane, else one of ours; without one, every request has its own."""
    response = await service.get("/v1/streams", {**READER, "X-Request-Id": given})
    assert kept == (response.headers["X-Request-Id"] == given)
    own = [(await service.get("/healthz", {})).headers["X-Request-Id"] for _ in range(2)]
    assert [True, True] == [one.startswith("req_") for one in own]
    assert own[0] != own[1]


@pytest.mark.parametrize("path", ["/v1/streams", "/v1/nothing", "/healthz", "/nothing", "/openapi.json"])
async def test_every_answer_has_the_safe_headers(service: Service, path: str) -> None:
    """No answer may be sniffed, framed or kept by a cache, and none tells what it was made with."""
    headers = (await service.get(path)).headers
    assert "nosniff" == headers["X-Content-Type-Options"]
    assert "no-store" == headers["Cache-Control"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "receiver" == headers["Server"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nothing", (404, "not_found")),
        ("POST", "/", (404, "not_found")),
        ("GET", "/v1/nothing", (404, "not_found")),
        ("GET", "/v1/streams/a/b", (404, "not_found")),
        ("GET", "/v1/streams/", (404, "not_found")),
        ("DELETE", "/v1/streams", (405, "method_not_allowed")),
        ("GET", "/v1/observations", (405, "method_not_allowed")),
        ("POST", "/healthz", (405, "method_not_allowed")),
        ("PROPFIND", "/v1/streams", (405, "method_not_allowed")),
    ],
)
async def test_what_is_not_there_is_a_problem_too(
    service: Service, method: str, path: str, expected: tuple[int, str]
) -> None:
    """Unknown paths and methods are answered as RFC 9457 says, and a 405 names what is allowed."""
    response = await service.client.request(method, path, headers=WRITER)
    assert expected == await problem(response)
    assert (expected[0] == 405) == ("Allow" in response.headers)


async def test_a_405_names_what_is_allowed(service: Service) -> None:
    """The `Allow` header holds the methods of the path, within the API and outside."""
    inside = await service.client.put("/v1/streams", headers=READER)
    outside = await service.client.put("/healthz")
    assert ("GET, HEAD", "GET, HEAD") == (inside.headers["Allow"], outside.headers["Allow"])


async def test_head_is_get_without_the_body(service: Service) -> None:
    """HEAD has the status and the headers of GET, and no body."""
    service.fill(add_stream)
    for path in (f"/v1/streams/{STREAM_ID}", "/v1/streams", "/healthz", "/readyz", "/openapi.json"):
        got = await service.get(path)
        head = await service.client.head(path, headers=READER)
        assert (got.status, got.content_type) == (head.status, head.content_type)
        assert got.headers.get("ETag") == head.headers.get("ETag")
        assert got.headers["Content-Length"] == head.headers["Content-Length"]
        assert b"" == await head.read()


async def test_a_request_is_one_line_in_the_log(service: Service, lines: io.StringIO) -> None:
    """Method, pattern, status, duration, the token's name and the request id: once for each request, no secrets."""
    await service.get("/v1/streams/some-stream?x=1", {**READER, "X-Request-Id": "mine"})
    expected = {
        "timestamp": "2024-09-12T15:00:00.000Z",
        "level": "info",
        "event": "http.request",
        "method": "GET",
        "route": "/v1/streams/{id}",
        "status": 400,
        "code": "bad_request",
        "duration_ms": 0,
        "request_id": "mine",
    }
    [line] = requests(lines)
    caller = line.pop("caller")
    assert expected == line
    assert caller.startswith("token-")
    assert "reader-token" not in lines.getvalue()


async def test_a_token_has_one_name(service: Service, lines: io.StringIO) -> None:
    """The same token has the same name in every line, another token another, and a stranger none."""
    for headers in (READER, READER, WRITER, {}):
        await service.get("/v1/conditions", headers)
    first, second, third, stranger = (line.get("caller") for line in requests(lines))
    assert first == second
    assert first != third
    assert None is stranger


async def test_strangers_do_not_fill_the_log(service: Service, lines: io.StringIO) -> None:
    """Requests without a token, or with a wrong one, have lines within a rate; the next line says how many had none."""
    wrong = {"Authorization": "Bearer wrong"}
    for headers in ({}, wrong) * 15:
        assert 401 == (await service.get("/v1/streams", headers)).status
    assert [None] * 20 == [line.get("unrecorded") for line in requests(lines)]
    for _ in range(2):
        await service.get("/v1/streams")
    assert [(200, 10), (200, None)] == [(line["status"], line.get("unrecorded")) for line in requests(lines)[20:]]


async def test_after_a_while_strangers_have_lines_again(service: Service, lines: io.StringIO) -> None:
    """Somebody who asks now and then is seen each time, and whoever has a token always is."""
    for _ in range(21):
        await service.get("/v1/streams", {})
    service.clock.advance(5000)
    await service.get("/v1/streams", {})
    assert (21, 1) == (len(requests(lines)), requests(lines)[-1]["unrecorded"])
    for _ in range(200):
        await service.get("/v1/conditions")
    assert 221 == len(requests(lines))


async def test_a_path_that_does_not_exist_has_no_route(service: Service, lines: io.StringIO) -> None:
    """What a stranger wrote into the path is not logged."""
    await service.get("/v1/some-secret-path")
    [line] = requests(lines)
    assert (None, 404) == (line.get("route"), line["status"])
    assert "some-secret-path" not in lines.getvalue()


async def test_what_is_not_the_api_is_not_logged_as_such(service: Service, lines: io.StringIO) -> None:
    """Probes of health come every few seconds and are no line."""
    await service.get("/healthz", {})
    await service.get("/nothing", {})
    assert [] == requests(lines)


async def test_a_lost_store_is_a_503(service: Service, database_url: str, lines: io.StringIO) -> None:
    """When the store cannot be used, the answer says when to try again, and the line is a warning."""
    lose(database_url)
    response = await service.get("/v1/streams")
    assert (503, "store_unavailable") == await problem(response)
    assert response.headers["Retry-After"].isdigit()
    assert ["warning"] == [line["level"] for line in requests(lines)]


async def test_a_defect_is_a_500_that_tells_nothing(service: Service, lines: io.StringIO) -> None:
    """A fault nobody foresaw is logged with its traceback under the request's id; the answer names the id only."""
    service.fill(lambda conn: add_stream(conn, conditions=[{"type": "hidden-detail", "status": "unknown"}]))
    response = await service.get(f"/v1/streams/{STREAM_ID}", {**READER, "X-Request-Id": "mine"})
    assert (500, "internal_error") == await problem(response)
    assert "hidden-detail" not in await response.text()
    logged = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert ["http.fault", "http.request"] == [line["event"] for line in logged]
    assert ["mine", "mine"] == [line["request_id"] for line in logged]
    assert "KeyError" in logged[0]["exception"]


async def test_what_aiohttp_raises_is_a_problem_too(aiohttp_client: AiohttpClient, service: Service) -> None:
    """A refusal by aiohttp has our form, and its redirects stay what they are."""

    async def handle(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/elsewhere") if "away" in request.query else web.HTTPGone

    app = web.Application(middlewares=[edge])
    app[IDS] = service.ids
    app.router.add_get("/", handle)
    client = await aiohttp_client(app)
    assert (400, "bad_request") == await problem(await client.get("/"))
    assert 302 == (await client.get("/?away", allow_redirects=False)).status


async def test_a_caller_that_hangs_up_is_no_defect(service: Service, lines: io.StringIO) -> None:
    """A connection that breaks off in the middle of a body leaves no trace of a fault in the log."""
    _, writer = await asyncio.open_connection(service.client.host, service.client.port)
    head = "POST /v1/observations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer writer-token\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.close()
    await asyncio.sleep(0.02)
    assert "http.fault" not in lines.getvalue()
    assert "Traceback" not in lines.getvalue()
