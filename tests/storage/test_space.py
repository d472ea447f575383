"""Room that is given back to the disk."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, make_url

from receiver.errors import StoreUnavailable
from receiver.storage import space
from receiver.storage.engine import Database
from receiver.storage.retention import DONE, Span, Step
from receiver.storage.tables import BodyRow, table_of
from tests.engines import postgresql_only, sqlite_only

SOME = Span(0, 0, 64)


def grow(database: Database, count: int = 400) -> None:
    """So many rows of a page each."""
    rows = [{"seq": number, "body": b"x" * 8000} for number in range(1, count + 1)]
    database.write_now(lambda c: c.execute(insert(table_of(BodyRow)), rows))


def empty(database: Database) -> None:
    """All of them go."""
    database.write_now(lambda c: c.execute(delete(table_of(BodyRow))))


def give_back_all(database: Database) -> list[Step]:
    """Batch after batch, until there is no more."""
    steps: list[Step] = []
    while (step := database.write_now(lambda c: space.give_back(c, SOME))) != DONE:
        steps.append(step)
    return steps


def size(url: str) -> int:
    """Of the file, once its log is in it."""
    file = make_url(url).database or ""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return Path(file).stat().st_size


@sqlite_only
def test_a_file_shrinks_when_much_was_removed(database: Database, database_url: str) -> None:
    """A few pages at a time, down to a share that what comes next will fill."""
    before = size(database_url)
    grow(database)
    grown = size(database_url)
    empty(database)
    steps = give_back_all(database)
    given = sum(step.removed for step in steps)
    assert (True, True) == (all(step.removed <= 64 * 8192 for step in steps), len(steps) > 5)
    assert (grown - given, True) == (size(database_url), size(database_url) < before + grown // 4)


@sqlite_only
def test_little_room_is_kept_for_what_comes(database: Database) -> None:
    """To give it back and take it again would cost twice."""
    grow(database)
    database.write_now(lambda c: c.execute(delete(table_of(BodyRow)).where(BodyRow.seq <= 40)))
    assert DONE == database.write_now(lambda c: space.give_back(c, SOME))


@postgresql_only
def test_a_server_looks_after_its_own(database: Database) -> None:
    """There is nothing to do."""
    assert DONE == database.write_now(lambda c: space.give_back(c, SOME))


def made_before(url: str) -> None:
    """The file is as a version made it that gave nothing back."""
    with closing(sqlite3.connect(make_url(url).database or "", isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")


@sqlite_only
def test_a_file_that_was_made_before_works_and_gives_back_once_it_was_compacted(database_url: str) -> None:
    """Until then what was removed is room for what comes."""
    made_before(database_url)
    database = Database.open(database_url)
    grow(database)
    empty(database)
    assert [] == give_back_all(database)
    database.close_now()
    before, after = space.compact(database_url)
    assert (True, after) == (after < before // 4, size(database_url))
    database = Database.open(database_url)
    grow(database)
    empty(database)
    assert [] != give_back_all(database)
    database.close_now()


@sqlite_only
def test_a_file_that_is_in_use_is_left_as_it_is(database: Database, database_url: str) -> None:
    """By somebody who writes to it."""
    grow(database, 10)
    with closing(sqlite3.connect(make_url(database_url).database or "", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="another program"):
            space.compact(database_url)
