"""A thousand hostile requests against `receiver serve` as a process of its own, and connections that dawdle."""

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import web

from receiver.app import Service
from receiver.clock import SystemClock
from receiver.keys import ensure_keys
from receiver.settings import Settings
from receiver.simulation.scenes import SECOND, finish_recording, go_live, progress, queue_recording
from receiver.simulation.sender import Studio, attempt
from tests.engines import sqlite_only
from tests.hostile import JWT, STRANGER, STREAM_KEY, Knowledge, Saying, everything
from tests.served import Served, served, wait

AT_ONCE = 16
WARM_UP = 400
GROWTH_BYTES = 16 << 20
PATIENCE_S = 10.0
WAITS_FOR_MORE_S = 0.3
MAY_ASK_FOR_MORE = {"lengths", "chunks", "lines"}
"""What may announce more than it says. All else is whole, and answered, however busy the machine is."""
STALE = {"timestamp_out_of_tolerance", "timestamp_in_seconds"}
DOCUMENTED = {"body_timeout", "overloaded", *STALE}
"""What may be answered with 503 to what is not understood."""
MAY_BE_TAKEN = {"wrong types", "strange bodies"}
"""What is validly signed is stored, whatever it is."""
FAULTS = {"http.fault", "service.fault", "diagnoser.fault", "log.unrenderable", "store.unavailable"}


def knowledge(server: Served, now_ms: int) -> Knowledge:
    """What an insider would know."""
    studio = Studio(now_ms - 30 * SECOND, Random(7))  # noqa: S311 -- ids of a fiction
    events = [*go_live(studio), studio.idle(20 * SECOND), *queue_recording(studio, 22 * SECOND, 20 * SECOND)]
    events += [*progress(studio, 23 * SECOND, 0.5), *finish_recording(studio, 24 * SECOND)]
    bodies = tuple(event.body(studio.webhook_id, now_ms) for event in events)
    return Knowledge(server.secret, server.token, bodies, now_ms)


async def heard(reader: asyncio.StreamReader) -> bytes:
    """All that is said until the connection ends, however it ends."""
    parts = []
    with suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE_S):
            while part := await reader.read(65536):
                parts.append(part)
    return b"".join(parts)


async def say(port: int, saying: Saying) -> bytes:
    """What is answered until the connection ends, which it does from our side where the service waits for more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(saying.data)
    answering = asyncio.create_task(heard(reader))
    if saying.kind in MAY_ASK_FOR_MORE:
        await asyncio.wait({answering}, timeout=WAITS_FOR_MORE_S)
    if saying.broken_off or (saying.kind in MAY_ASK_FOR_MORE and not answering.done()):
        with suppress(OSError):
            writer.write_eof()
    try:
        return await answering
    finally:
        writer.close()


async def say_all(port: int, sayings: Sequence[Saying]) -> list[tuple[Saying, bytes]]:
    """Many at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(saying: Saying) -> tuple[Saying, bytes]:
        async with gate:
            return saying, await say(port, saying)

    return list(await asyncio.gather(*(one(saying) for saying in sayings)))


def status_of(answer: bytes) -> int:
    """The status; 0 where there is no answer."""
    found = re.match(rb"HTTP/\d\.\d (\d{3}) ", answer)
    assert found or not answer, answer[:200]
    return int(found[1]) if found else 0


def code_of(answer: bytes) -> str:
    """The code of the problem that is answered."""
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["code"])


def resident_bytes(server: Served) -> int:
    """The memory that the process holds."""
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4096


def ask(server: Served, query: str) -> list[Any]:
    """What a query for one column finds in the service's database."""
    with closing(sqlite3.connect(f"file:{server.data_dir / 'receiver.sqlite3'}?mode=ro", uri=True)) as database:
        return [row[0] for row in database.execute(query)]


def check(saying: Saying, answer: bytes) -> None:
    """No fault of ours, and nothing told that is secret."""
    status = status_of(answer)
    assert status < 500 or (status == 503 and code_of(answer) in DOCUMENTED), (saying.kind, saying.data[:300], answer)
    assert status or saying.broken_off or saying.kind in {"chunks", "lines"}, (saying.kind, saying.data[:300])
    assert status != 204 or saying.kind in MAY_BE_TAKEN, (saying.kind, saying.data[:300])
    assert STREAM_KEY.encode() not in answer
    assert JWT.encode() not in answer


def test_a_thousand_hostile_requests(tmp_path: Path) -> None:
    """None is answered with a fault or makes the process grow, nothing that is not signed becomes anything to us (P14),
    nothing secret is told or logged (P10), and a genuine story is taken in as before."""
    now_ms = SystemClock().now_ms()
    with served(tmp_path, {}) as server:
        port = int(server.url.rpartition(":")[2])
        sayings = everything(knowledge(server, now_ms), Random(8))  # noqa: S311 -- what is said
        assert len(sayings) > 1000
        answers = asyncio.run(say_all(port, sayings[:WARM_UP]))
        before = resident_bytes(server)
        answers += asyncio.run(say_all(port, sayings[WARM_UP:]))
        growth = resident_bytes(server) - before
        for saying, answer in answers:
            check(saying, answer)
        assert growth < GROWTH_BYTES
        takes_in_a_genuine_story(server)
        assert [] == [name for name in ask(server, "SELECT id FROM subjects") if STRANGER in name]
        assert [] == ask(server, "SELECT id FROM subjects WHERE fault IS NOT NULL")
        assert [] == [line for line in server.lines if line["event"] in FAULTS or "exception" in line]
        wait(lambda: ask(server, "SELECT count(*) FROM inbox UNION SELECT count(*) FROM pending") == [0])
        assert 0 == server.stop()
        told = server.out + server.introduction
    assert [] == [secret for secret in (server.secret, server.token, STREAM_KEY, JWT) if secret in told]


def test_uploads_that_break_off_leave_nothing(tmp_path: Path) -> None:
    """Nobody has to sign them: what came of them before they broke off is not kept, not even for a while."""
    head = b"POST /webhooks/livepeer HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000"
    upload = Saying("upload", head + b"\r\n\r\n" + b" " * 900_000, broken_off=True)
    with served(tmp_path, {}) as server:
        port = int(server.url.rpartition(":")[2])
        asyncio.run(say_all(port, [upload] * AT_ONCE))
        before = resident_bytes(server)
        asyncio.run(say_all(port, [upload] * 6 * AT_ONCE))
        assert resident_bytes(server) - before < 2 * GROWTH_BYTES
        takes_in_a_genuine_story(server)


def takes_in_a_genuine_story(server: Served) -> None:
    """A stream goes live, and the API says so."""
    now_ms = SystemClock().now_ms()
    studio = Studio(now_ms - 15 * SECOND, Random(9))  # noqa: S311 -- ids of a fiction
    for event in go_live(studio):
        assert 204 == server.deliver(attempt(event, studio.webhook_id, server.secret, now_ms))
    wait(lambda: ask(server, "SELECT count(*) FROM pending") == [0])
    assert "live" == json.loads(server.get(f"/v1/streams/{studio.stream.id}"))["state"]


@asynccontextmanager
async def impatient(database_url: str, data_dir: Path) -> AsyncIterator[int]:
    """The port of a service that gives a request's head a fifth of a second."""
    settings = Settings(database_url=database_url, data_dir=data_dir)
    service = Service.build(settings, ensure_keys(settings), SystemClock())
    runner = service.web_runner(head_within_s=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def dawdle(port: int, first: bytes, then: bytes) -> bytes:
    """Say something, then a byte at a time, until the connection is closed. What was answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)
    answering, letters = asyncio.create_task(heard(reader)), cycle(then)
    while not (await asyncio.wait({answering}, timeout=0.01))[0]:
        writer.write(bytes([next(letters)]) if then else b"")
    writer.close()
    return await answering


HEAD = b"GET /healthz HTTP/1.1\r\nHost: receiver\r\n"


@sqlite_only
@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        (b"", b"", 0),
        (b"GET /", b"a", 0),
        (HEAD, b"X: y\r\n", 0),
        (HEAD + b"\r\n", b"", 200),
        (HEAD + b"\r\n" + HEAD, b"X: y\r\n", 200),
    ],
    ids=["silent", "a line without end", "a head without end", "silent afterwards", "a second head"],
)
async def test_a_head_must_come_in_time(
    database_url: str, tmp_path: Path, first: bytes, then: bytes, expected: int
) -> None:
    """A connection on which no whole head of a request comes is closed, however busy it is: the first time, and after
    an answer."""
    async with impatient(database_url, tmp_path) as port:
        assert expected == status_of(await dawdle(port, first, then))
