"""The endpoint over real HTTP, and over bare sockets for what no client would send."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import text

from receiver.clock import ManualClock
from receiver.diagnoser.bounds import USUAL
from receiver.diagnoser.filing import file_apart
from receiver.diagnoser.recent import Recent
from receiver.ids import Ids
from receiver.inbox import Inbox
from receiver.livepeer.signature import Keyring, sign
from receiver.reception import PATH, Reception
from receiver.routes.front import FrontRunner
from receiver.routes.webhook import WebhookEndpoint
from receiver.storage.engine import Database
from tests.sender import SECRET, T0_MS, Event

FIXTURES = Path(__file__).parent.parent / "fixtures"
MAX_BODY_BYTES = 4096
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Service:
    """A running endpoint, and what it runs on."""

    port: int
    clock: ManualClock
    database: Database
    client: aiohttp.ClientSession

    async def post(
        self,
        body: bytes | AsyncIterator[bytes],
        signature: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[int, str | None]:
        """The status, and the code of the problem."""
        signed = {} if signature is None else {"Livepeer-Signature": signature}
        status, _, problem = await self.ask("POST", body, {**JSON, **signed, **headers})
        return status, problem.get("code")

    async def ask(
        self, method: str, body: bytes | AsyncIterator[bytes], headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], dict[str, Any]]:
        """Status, headers and problem of one request."""
        async with self.client.request(method, PATH, data=body, headers=headers) as response:
            told = await response.read()
            assert not told or response.content_type == "application/problem+json"
            return response.status, dict(response.headers), json.loads(told) if told else {}

    async def say(self, *parts: bytes, hang_up: bool = False) -> bytes:
        """What is answered to bare bytes, sent with a pause between them, until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.001)
        if hang_up:
            writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    def stored(self) -> list[str]:
        """The ids of the events in the log, once what was taken in is filed."""
        self.database.write_now(lambda c: file_apart(c, Recent(), USUAL))
        return list(self.database.read_now(lambda c: c.execute(text("SELECT id FROM signals ORDER BY id")).scalars()))


@pytest.fixture
async def service(database: Database) -> AsyncIterator[Service]:
    """The endpoint on a free port, at T0."""
    clock = ManualClock(T0_MS)
    keyring = Keyring([SECRET, "s€cret"])
    inbox = Inbox(database, Ids(clock, 1), clock, Reception(keyring, 300_000), lambda _: None)
    app = web.Application()
    endpoint = WebhookEndpoint(inbox, MAX_BODY_BYTES, body_within_s=0.1)
    endpoint.add_to(app.router)
    runner = FrontRunner(
        app, endpoint, shutdown_timeout=1.0, keepalive_timeout=60.0, auto_decompress=False, lingering_time=0.1
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    await inbox.start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        yield Service(port, clock, database, client)
    await inbox.stop()
    await runner.cleanup()


async def test_a_delivery_is_answered_without_a_body(service: Service) -> None:
    """204, whether it is new or comes again."""
    assert [await service.post(*Event().signed()) for _ in range(2)] == [(204, None), (204, None)]
    assert service.stored() == ["ev-1"]


EVENTS = {file.name: json.loads(file.read_bytes()) for file in sorted((FIXTURES / "events").glob("*.json"))}


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
async def test_every_kind_of_event_is_taken_in(service: Service, event: dict[str, Any]) -> None:
    """All events that the sender knows, and one that it never sends."""
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    service.clock.set(event["timestamp"])
    assert await service.post(body, sign(SECRET, body, event["timestamp"])) == (204, None)
    assert service.stored() == [event["id"]]


VECTORS = json.loads((FIXTURES / "signing" / "vectors.json").read_bytes())
ANSWERS = {
    "valid": (204, None),
    "invalid_signature": (401, "signature_mismatch"),
    "timestamp_mismatch": (401, "timestamp_mismatch"),
}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
async def test_every_signing_vector_is_answered(service: Service, vector: dict[str, Any]) -> None:
    """As the vectors expect, but for a gate's body: it is no event (P12)."""
    body = (FIXTURES / "signing" / vector["body_file"]).read_bytes()
    service.clock.set(vector["timestamp"])
    expected = (403, "gate_request") if vector["name"] == "gate-request" else ANSWERS[vector["expect"]]
    assert await service.post(body, vector["header"]) == expected


async def test_a_stale_delivery_is_asked_for_again(service: Service) -> None:
    """P3: 503, because the true sender comes back with a fresh signature."""
    assert await service.post(*Event().signed(T0_MS - 300_001)) == (503, "timestamp_out_of_tolerance")
    assert await service.post(*Event().signed(T0_MS - 300_000)) == (204, None)


async def test_a_missing_signature_is_refused(service: Service) -> None:
    """P9: unsigned deliveries are not taken unless that was asked for."""
    assert await service.post(Event().body()) == (401, "signature_missing")


async def test_a_signed_body_that_nobody_understands_is_taken(service: Service) -> None:
    """P3: signed by the sender, it is stored, whatever it is."""
    for body in (b"", b"[1,2]", b"\xff\x00", b"[" * 2000):
        assert await service.post(body, sign(SECRET, body, T0_MS)) == (204, None)
    assert len(service.stored()) == 4


async def test_a_problem_is_told_in_full(service: Service) -> None:
    """RFC 9457, with a stable code."""
    status, headers, problem = await service.ask("POST", b"{}", JSON)
    assert (status, headers["Content-Type"]) == (401, "application/problem+json; charset=utf-8")
    assert (problem["status"], problem["code"]) == (401, "signature_missing")
    assert set(problem) == {"title", "status", "code", "detail"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_only_post_is_allowed(service: Service, method: str) -> None:
    """405 names the method that is."""
    status, headers, _ = await service.ask(method, b"", JSON)
    assert (status, headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/problem+json", ""])
async def test_only_json_is_read(service: Service, kind: str) -> None:
    """415 for other content types, and none."""
    assert await service.post(*Event().signed(), {"Content-Type": kind}) == (415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON"])
async def test_json_may_be_named_in_any_way(service: Service, kind: str) -> None:
    """Parameters and capitals make no difference."""
    assert await service.post(*Event().signed(), {"Content-Type": kind}) == (204, None)


async def test_a_compressed_body_is_not_read(service: Service) -> None:
    """The bytes that were signed are not those that come."""
    answer = await service.post(*Event().signed(), {"Content-Encoding": "gzip"})
    assert answer == (415, "unsupported_media_type")


async def test_a_body_of_the_largest_size_is_read(service: Service) -> None:
    """The limit itself is allowed."""
    body = b" " * MAX_BODY_BYTES
    assert await service.post(body, sign(SECRET, body, T0_MS)) == (204, None)
    assert await service.post(body + b" ", sign(SECRET, body + b" ", T0_MS)) == (413, "body_too_large")


async def test_a_body_announced_as_too_large_is_not_waited_for(service: Service) -> None:
    """It is refused by its head."""
    answer = await service.say(request_head(f"Content-Length: {MAX_BODY_BYTES + 1}") + b"{")
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_body_of_unknown_length_is_limited_too(service: Service) -> None:
    """Chunks are counted as they come."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 100
            await asyncio.sleep(0)

    assert await service.post(chunks()) == (413, "body_too_large")


async def test_a_body_in_pieces_is_put_together(service: Service) -> None:
    """Whatever the network does to it."""
    body, signature = Event().signed()
    head = request_head(f"Livepeer-Signature: {signature}", f"Content-Length: {len(body)}")
    answer = await service.say(head, *(body[start : start + 50] for start in range(0, len(body), 50)))
    assert answer.startswith(b"HTTP/1.1 204 ")


@pytest.mark.parametrize(
    ("version", "connection", "said"),
    [
        ("1.1", "keep-alive", None),
        ("1.1", "close", b"Connection: close"),
        ("1.0", "keep-alive", b"Connection: keep-alive"),
        ("1.0", "close", None),
    ],
)
async def test_a_connection_stays_open_as_the_sender_wishes(
    service: Service, version: str, connection: str, said: bytes | None
) -> None:
    """In either version of HTTP, and the answer says what goes without saying in neither."""
    body, signature = Event().signed()
    head = request_head(f"Livepeer-Signature: {signature}", f"Content-Length: {len(body)}")
    asked = head.replace(b"HTTP/1.1", f"HTTP/{version}".encode()).replace(b"close", connection.encode())
    first, *rest = (await service.say(asked + body, head + body)).split(b"\r\n\r\n")[:-1]
    lines = first.split(b"\r\n")
    assert f"HTTP/{version} 204 No Content".encode() == lines[0]
    assert said == next((line for line in lines if line.startswith(b"Connection")), None)
    assert (1 if connection == "keep-alive" else 0) == len(rest)


async def test_a_sender_may_wait_to_be_asked_for_the_body(service: Service) -> None:
    """`Expect: 100-continue`, on a connection that stays open; the answer comes behind it."""
    body, signature = Event().signed()
    head = request_head(f"Livepeer-Signature: {signature}", f"Content-Length: {len(body)}", "Expect: 100-continue")
    answer = await service.say(head.replace(b"close", b"keep-alive") + body, head + body)
    assert [b"100", b"204"] * 2 == re.findall(rb"^HTTP/1.1 (\d+)", answer, re.MULTILINE)


async def test_several_signature_lines_are_one_header(service: Service) -> None:
    """None of them is left out: two signatures in two lines have two times, like two in one line."""
    body, signature = Event().signed()
    lines = [f"Livepeer-Signature: {signature}"] * 2
    answer = await service.say(request_head(*lines, f"Content-Length: {len(body)}") + body)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b'"code": "signature_malformed"' in answer


async def test_a_slow_body_is_asked_for_again(service: Service) -> None:
    """503, not 408: after a 4xx the sender would never come back."""
    answer = await service.say(request_head("Content-Length: 100") + b"{")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 5\r\n" in answer
    assert b'"code": "body_timeout"' in answer


def request_head(*headers: str) -> bytes:
    """The head of a POST with these headers."""
    common = ["Host: receiver", "Content-Type: application/json", "Connection: close"]
    lines = [f"POST {PATH} HTTP/1.1", *common, *headers]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    "sent",
    [
        request_head("Transfer-Encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n",
        request_head("Content-Length: -1") + b"{}",
        request_head("Content-Length: 2", "Content-Length: 3") + b"{}",
        request_head("Content-Length: 2", "Transfer-Encoding: chunked") + b"{}",
        request_head("Content-Length: 99999999999999999999") + b"{}",
        request_head("X-Nul: \0", "Content-Length: 2") + b"{}",
        request_head("X" * 20_000 + ": 1", "Content-Length: 2") + b"{}",
        b"NONSENSE " + request_head().removeprefix(b"POST "),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=range(9),
)
async def test_a_broken_request_is_not_our_fault(service: Service, sent: bytes) -> None:
    """It is answered 4xx, nothing is stored, and the next delivery is taken."""
    answer = await service.say(sent)
    assert re.match(rb"HTTP/1\.[01] 4\d\d ", answer)
    assert service.stored() == []
    assert await service.post(*Event().signed()) == (204, None)


@pytest.mark.parametrize(
    "sent",
    [
        b"POST",
        request_head("Content-Length: 10") + b"{",
        request_head("Transfer-Encoding: chunked") + b"5\r\n{}",
    ],
    ids=range(3),
)
async def test_a_sender_that_hangs_up_stores_nothing(service: Service, sent: bytes) -> None:
    """Half a body is no delivery, and the next one is taken."""
    await service.say(sent, hang_up=True)
    assert service.stored() == []
    assert await service.post(*Event().signed()) == (204, None)


async def test_a_header_of_any_bytes_is_refused(service: Service) -> None:
    """The signature's header may hold anything but a line's end."""
    head = request_head("Content-Length: 2").removesuffix(b"\r\n") + b"Livepeer-Signature: t=1,v1=\xff\xfe\r\n\r\n"
    answer = await service.say(head + b"{}")
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"signature_malformed" in answer


async def test_a_store_fault_is_answered_503(service: Service) -> None:
    """P2: with the time to come back."""
    await service.database.close()
    body, signature = Event().signed()
    status, headers, problem = await service.ask("POST", body, {**JSON, "Livepeer-Signature": signature})
    assert (status, headers["Retry-After"], problem["code"]) == (503, "5", "store_unavailable")
