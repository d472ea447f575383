"""Notices as lines of the log: each once, at the level that it deserves."""

import asyncio
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from receiver.clock import ManualClock
from receiver.ids import Ids
from receiver.outlets.log import AT_ONCE, NAME, LogOutlet
from receiver.storage import episodes
from receiver.storage.engine import Database
from tests.running import Log, logged, until
from tests.sender import T0_MS

DIAGNOSIS = {"diagnosis_id": "dg_1", "severity": "warning", "message": "It failed."}
IDS = Ids(ManualClock(T0_MS), node=0)


@pytest.fixture
def log() -> Iterator[Log]:
    """The log."""
    with logged(ManualClock(T0_MS)) as lines:
        yield lines


def put(database: Database, kind: str = "diagnosis.opened", count: int = 1, **payload: object) -> None:
    """Notices that wait to be told."""
    told = {"kind": kind, "at_ms": T0_MS - 1000, "payload": json.dumps(payload or DIAGNOSIS)}
    rows = [{"seq": IDS.next(), **told} for _ in range(count)]
    database.write_now(lambda conn: episodes.put_notices(conn, rows, [NAME]))


def waiting(database: Database) -> int:
    """How many notices wait."""
    return len(database.read_now(partial(episodes.due_notices, outlet=NAME, most=10_000)))


async def test_a_notice_is_one_line(database: Database, log: Log) -> None:
    """What it says, when it happened, and an id to tell it from a repetition; times are written for people."""
    put(database, "stream.state_changed", stream_id="s1", to="live", since_ms=T0_MS - 5000)
    await LogOutlet(database).tell()
    [line] = log.lines
    assert line.pop("notice_id").startswith("nt_")
    assert {
        "timestamp": "2024-09-12T15:00:00.000Z",
        "level": "info",
        "event": "stream.state_changed",
        "at": "2024-09-12T14:59:59.000Z",
        "stream_id": "s1",
        "to": "live",
        "since": "2024-09-12T14:59:55.000Z",
    } == line


@pytest.mark.parametrize(
    ("kind", "payload", "level"),
    [
        ("diagnosis.opened", {"severity": "critical"}, "error"),
        ("diagnosis.opened", {"severity": "warning"}, "warning"),
        ("diagnosis.opened", {"severity": "info"}, "info"),
        ("diagnosis.changed", {"severity": "critical"}, "error"),
        ("diagnosis.opened", {"severity": "critical", "muted_by": "webhook_not_firing"}, "info"),
        ("diagnosis.resolved", {"severity": "critical"}, "info"),
        ("recording.state_changed", {"to": "failed"}, "info"),
    ],
)
async def test_the_level_says_how_bad_it_is(
    kind: str, payload: dict[str, Any], level: str, database: Database, log: Log
) -> None:
    """What is muted or over wakes nobody."""
    put(database, kind, **payload)
    await LogOutlet(database).tell()
    assert [level] == [line["level"] for line in log.lines]


async def test_everything_is_told_once_and_in_order(database: Database, log: Log) -> None:
    """However many there are (P7)."""
    put(database, count=AT_ONCE + 5)
    outlet = LogOutlet(database)
    await outlet.tell()
    await outlet.tell()
    ids = [line["notice_id"] for line in log.lines]
    assert (AT_ONCE + 5, sorted(ids), 0) == (len(ids), ids, waiting(database))


async def test_it_tells_when_it_is_woken(database: Database, log: Log) -> None:
    """At the start what an earlier process left; then whatever comes."""
    put(database)
    outlet = LogOutlet(database)
    await outlet.start()
    await until(lambda: len(log.lines) == 1)
    put(database)
    outlet.wake()
    await until(lambda: len(log.lines) == 2)
    await outlet.stop()


async def test_what_is_left_at_the_end_is_told(database: Database, log: Log) -> None:
    """Stopping leaves nothing for later."""
    outlet = LogOutlet(database)
    put(database)
    await outlet.stop()
    assert (1, 0) == (len(log.lines), waiting(database))


def hold_marks(connection: Connection) -> None:
    """Let no notice be marked as told."""
    held = "outlet VARCHAR(32), seq BIGINT, FOREIGN KEY (outlet, seq) REFERENCES outbox_due (outlet, seq)"
    connection.execute(text(f"CREATE TABLE held ({held})"))
    connection.execute(text("INSERT INTO held SELECT outlet, seq FROM outbox_due"))


async def test_no_line_is_repeated_while_marks_cannot_be_written(database: Database, log: Log) -> None:
    """A disk that is full is not filled with the same lines again and again; what comes meanwhile is told too."""
    put(database)
    database.write_now(hold_marks)
    outlet = LogOutlet(database)
    for _ in range(3):
        with pytest.raises(IntegrityError):
            await outlet.tell()
        put(database)
    assert 3 == len({line["notice_id"] for line in log.lines}) == len(log.lines)


async def test_two_processes_tell_different_notices(database_url: str, database: Database, log: Log) -> None:
    """Of a notice that one of them is telling, the other says nothing (P7)."""
    put(database, count=300)
    other = Database.open(database_url)
    await asyncio.gather(LogOutlet(database).tell(), LogOutlet(other).tell())
    await LogOutlet(other).tell()
    other.close_now()
    assert (300, 300, 0) == (len(log.lines), len({line["notice_id"] for line in log.lines}), waiting(database))


async def test_a_line_that_could_not_be_marked_is_told_again(database: Database, log: Log) -> None:
    """At least once, with the same id: a kill between the line and its mark repeats the line."""
    put(database)
    database.write_now(hold_marks)
    with pytest.raises(IntegrityError):
        await LogOutlet(database).tell()
    database.write_now(lambda conn: conn.execute(text("DROP TABLE held")))
    await LogOutlet(database).tell()
    first, second = log.lines
    assert (first, 0) == (second, waiting(database))
