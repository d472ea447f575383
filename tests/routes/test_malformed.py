"""What is no HTTP, said to the whole service."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from receiver.clock import ManualClock
from receiver.simulation.sender import Attempt
from tests.running import SECRET, Log, Running, configured, logged, running
from tests.sender import T0_MS, Event

HEAD = b"POST /webhooks/livepeer HTTP/1.1\r\nHost: receiver\r\n"


@pytest.fixture
async def service(database_url: str, tmp_path: Path, log: Log) -> AsyncIterator[Running]:
    """A service that runs, at T0."""
    async with running(configured(database_url, tmp_path), ManualClock(T0_MS), attended=True) as started:
        yield started


@pytest.fixture
def log() -> Iterator[Log]:
    """What is logged."""
    with logged() as lines:
        yield lines


async def say(service: Running, sent: bytes) -> tuple[bytes, bytes]:
    """Head and body of what is answered until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rpartition(":")[2]))
    writer.write(sent)
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (HEAD + b"A: " + b"x" * 9000 + b"\r\n\r\n", "is longer than is read here (8190 bytes)"),
        (HEAD + b"A: \0\r\n\r\n", "This is not HTTP/1.1 as it can be read"),
        (HEAD + b"Content-Length: hidden\r\n\r\n", "This is not HTTP/1.1 as it can be read"),
        (b"\x16\x03\x01\x02\r\n\r\n", "This is not HTTP/1.1 as it can be read"),
    ],
    ids=["long header", "NUL", "length", "TLS"],
)
async def test_what_cannot_be_read_is_a_problem_like_any_other(
    service: Running, log: Log, sent: bytes, said: str
) -> None:
    """In a form that programs read; without our versions, what was sent, or a line in the log. The next is served."""
    head, body = await say(service, sent)
    assert head.startswith(b"HTTP/1.0 400 Bad Request\r\n")
    assert b"Content-Type: application/problem+json" in head
    assert b"\r\nServer: receiver\r\n" in head
    assert b"hidden" not in body
    problem = json.loads(body)
    assert (400, "bad_request", True) == (problem["status"], problem["code"], said in problem["detail"])
    assert [] == log.lines
    assert 204 == (await service.post(Attempt(*Event().signed(T0_MS, SECRET))))[0]


async def test_no_answer_to_a_delivery_tells_what_it_was_made_with(service: Running) -> None:
    """Neither one that is taken in, nor one that is refused."""
    body, signature = Event().signed(T0_MS, SECRET)
    answers = [await service.post(Attempt(body, given)) for given in (signature, "t=1,v1=00")]
    assert [(204, "receiver"), (401, "receiver")] == [(status, headers["Server"]) for status, headers in answers]
