"""SQLite's write-ahead log, and who keeps it short."""

import asyncio
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from receiver import write_ahead
from receiver.storage.engine import Database
from receiver.storage.sqlite import move_log
from receiver.write_ahead import WriteAhead
from tests.engines import sqlite_only

PAGES, PAGE_BYTES = 1500, 8192
_FILL = text("INSERT INTO bodies (seq, body) VALUES (:seq, zeroblob(8000))")


def fill(database: Database, seqs: Iterable[int] = range(PAGES)) -> None:
    """Commit a page for each, by default more than SQLite would leave in the log by itself."""
    database.write_now(lambda c: c.execute(_FILL, [{"seq": seq} for seq in seqs]))


def sizes(database_url: str) -> tuple[int, int]:
    """In bytes: of the database file, and of its log, which is made when something is written, and never cut."""
    file = Path(database_url.removeprefix("sqlite:///"))
    log = file.with_name(f"{file.name}-wal")
    return file.stat().st_size, log.stat().st_size if log.exists() else 0


@sqlite_only
async def test_what_is_in_the_log_is_moved_beside_those_who_write(database: Database, database_url: str) -> None:
    """A commit leaves that to us; where it was moved, the log is written from its beginning again."""
    before, _ = sizes(database_url)
    fill(database)
    after, length = sizes(database_url)
    assert after == before
    keeper = WriteAhead(database)
    assert await keeper.move()
    grown, same = sizes(database_url)
    assert grown > before + PAGES * PAGE_BYTES
    assert same == length
    assert not await keeper.move()
    fill(database, range(PAGES, PAGES + PAGES // 2))
    assert sizes(database_url)[1] == length


@sqlite_only
async def test_what_is_still_read_stays_in_the_log(database: Database) -> None:
    """Nobody waits for it to be moved, and it is at the next turn."""
    begun, free = threading.Event(), threading.Event()

    def read_long(connection: Connection) -> int:
        found: int = connection.execute(text("SELECT count(*) FROM bodies")).scalar_one()
        begun.set()
        free.wait(1)
        return found

    reading = asyncio.create_task(database.read(read_long))
    assert await asyncio.to_thread(begun.wait, 1)
    fill(database)
    _busy, held, moved = await database.read(move_log)
    assert moved < held
    free.set()
    assert await reading == 0
    _busy, held, moved = await database.read(move_log)
    assert moved == held > PAGES


@sqlite_only
async def test_the_end_of_the_log_is_moved_while_nothing_is_written(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the writer's turn: what is committed while the rest is moved would keep the log from beginning anew."""
    movers: list[str] = []

    def move(connection: Connection) -> tuple[int, ...]:
        movers.append(threading.current_thread().name.rstrip("_0123456789"))
        return move_log(connection)

    monkeypatch.setattr(write_ahead, "move_log", move)
    await WriteAhead(database).move()
    assert ["receiver-reader", "receiver-writer"] == movers


@sqlite_only
async def test_nothing_is_read_alone_while_something_else_is_read(database: Database) -> None:
    """It is not even tried; afterwards it is, and what is written waits for it."""
    begun, free = threading.Event(), threading.Event()

    def read_long(_: Connection) -> None:
        begun.set()
        free.wait(1)

    reading = asyncio.create_task(database.read(read_long))
    assert await asyncio.to_thread(begun.wait, 1)
    assert await database.read_alone(lambda _: "read") is None
    free.set()
    await reading
    begun.clear()
    free.clear()
    alone = asyncio.create_task(database.read_alone(read_long))
    assert await asyncio.to_thread(begun.wait, 1)
    written = asyncio.create_task(database.write(lambda _: None))
    assert not (await asyncio.wait([written], timeout=0.02))[0]
    free.set()
    await asyncio.gather(alone, written)


@sqlite_only
async def test_a_store_that_is_gone_is_no_fault_of_its_own(database: Database, database_url: str) -> None:
    """Who writes says so; the keeper goes on when it is back."""
    fill(database)
    file = database_url.removeprefix("sqlite:///")
    shutil.move(file, f"{file}-aside")
    keeper = WriteAhead(database)
    assert not await keeper.move()
    shutil.move(f"{file}-aside", file)
    assert await keeper.move()
