"""Transactions, and what is special about SQLite."""

import asyncio
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from receiver.errors import SettingsError, StoreUnavailable
from receiver.storage import connections
from receiver.storage.engine import Database
from receiver.storage.sqlite import ProcessLock
from receiver.storage.texts import read_exactly
from tests.engines import sqlite_only

INSERT = text("INSERT INTO coverage (seq, from_ms, until_ms) VALUES (:seq, 1, 2)")
COUNT = text("SELECT count(*) FROM coverage")


def insert(connection: Connection, seq: int) -> None:
    """One row."""
    connection.execute(INSERT, {"seq": seq})


def count(connection: Connection) -> int:
    """How many rows there are."""
    return int(connection.execute(COUNT).scalar_one())


async def test_a_write_is_readable_once_it_returned(database: Database) -> None:
    """What a write has stored, the next read sees."""
    await database.write(lambda c: insert(c, 1))
    assert await database.read(count) == 1


async def test_a_write_that_raises_stores_nothing(database: Database) -> None:
    """An error of the function itself passes unchanged and rolls everything back."""

    def work(connection: Connection) -> None:
        insert(connection, 1)
        raise LookupError("stop")

    with pytest.raises(LookupError, match="stop"):
        await database.write(work)
    assert await database.read(count) == 0


async def test_a_violated_constraint_passes_unchanged(database: Database) -> None:
    """A row that the database refuses is the row's fault, not the store's."""
    await database.write(lambda c: insert(c, 1))
    with pytest.raises(IntegrityError):
        await database.write(lambda c: insert(c, 1))


SPOILED = "INSERT INTO callers (webhook_id, stream_id) VALUES ('1', CAST(x'61ff62' AS TEXT)), ('2', 'whole')"
TEXTS = text("SELECT stream_id FROM callers ORDER BY webhook_id")


def texts(connection: Connection) -> list[str]:
    """A text that is none, and one behind it."""
    return list(connection.execute(TEXTS).scalars())


@sqlite_only
async def test_a_spoiled_text_is_read(database: Database) -> None:
    """A disk may spoil a text: what is wrong in it is replaced, and what stands beside it is read as ever."""
    await database.write(lambda c: c.exec_driver_sql(SPOILED))
    for _ in range(2):
        assert await database.read(texts) == ["a\ufffdb", "whole"]


@sqlite_only
async def test_who_meets_a_spoiled_text_begins_again(database: Database) -> None:
    """What a transaction wrote before it met one is written once."""

    def work(connection: Connection) -> list[str]:
        insert(connection, 1)
        return texts(connection)

    await database.write(lambda c: c.exec_driver_sql(SPOILED))
    assert await database.write(work) == ["a\ufffdb", "whole"]
    assert await database.read(count) == 1


@sqlite_only
async def test_who_wants_texts_exactly_is_told_of_a_spoiled_one(database: Database) -> None:
    """Nothing else is read in its place, however often it is tried."""

    def work(connection: Connection) -> list[str]:
        read_exactly(connection)
        return texts(connection)

    await database.write(lambda c: c.exec_driver_sql(SPOILED))
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await database.read(work)


@sqlite_only
async def test_a_connection_that_reads_exactly_goes_on_so(database: Database) -> None:
    """It need not be told in each transaction."""
    await database.write(lambda c: c.exec_driver_sql(SPOILED))
    await database.read(read_exactly)
    with pytest.raises(StoreUnavailable):
        await database.read(texts)


@sqlite_only
async def test_writes_pass_through_one_thread(database: Database) -> None:
    """However many write at once, one thread carries out all of it."""
    names = await asyncio.gather(*(database.write(lambda _: threading.current_thread().name) for _ in range(20)))
    assert set(names) == {"receiver-writer_0"}


@sqlite_only
def test_a_commit_is_synced_to_the_log(database: Database) -> None:
    """The file is in WAL mode with pages of 8 KiB, and each commit is synced (2 = FULL)."""
    found = database.write_now(
        lambda c: {
            name: c.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "page_size", "foreign_keys", "busy_timeout")
        }
    )
    expected = {"journal_mode": "wal", "synchronous": 2, "page_size": 8192, "foreign_keys": 1, "busy_timeout": 5000}
    assert expected == found


@sqlite_only
def test_a_write_takes_its_lock_at_the_beginning(database: Database, database_url: str) -> None:
    """Between the first read and the commit of a writer no other process can write."""
    path = Path(database_url.removeprefix("sqlite:///"))
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=0)\n"
        "try: c.execute('INSERT INTO coverage VALUES (2, 1, 2)'); print('written')\n"
        "except sqlite3.OperationalError as e: print(e)"
    )

    def work(connection: Connection) -> str:
        count(connection)
        return subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True).stdout

    assert database.write_now(work) == "database is locked\n"


def test_readers_cannot_write(database: Database) -> None:
    """A function handed to `read` that writes is refused."""
    with pytest.raises(StoreUnavailable):
        database.read_now(lambda c: insert(c, 1))


async def test_a_reader_sees_one_moment(database: Database) -> None:
    """A read does not see what is committed while it runs, and does not wait for it."""

    def work(connection: Connection) -> tuple[int, int]:
        before = count(connection)
        database.write_now(lambda c: insert(c, 1))
        return before, count(connection)

    assert await database.read(work) == (0, 0)


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    """A file that is not there is not begun anew by whoever only uses it."""
    database = Database.open(f"sqlite:///{tmp_path}/gone.db")
    with pytest.raises(StoreUnavailable):
        database.read_now(count)
    assert list(tmp_path.iterdir()) == []
    database.close_now()


@sqlite_only
def test_a_file_that_was_taken_away_is_noticed(database: Database, database_url: str) -> None:
    """Nothing is committed to a file that is no longer at its path; put back, it is used again."""
    path = Path(database_url.removeprefix("sqlite:///"))
    database.write_now(lambda c: insert(c, 1))
    path.rename(path.with_name("aside.db"))
    with pytest.raises(StoreUnavailable):
        database.write_now(lambda c: insert(c, 2))
    path.with_name("aside.db").rename(path)
    database.write_now(lambda c: insert(c, 3))
    assert database.read_now(count) == 2


@sqlite_only
def test_a_file_that_was_replaced_is_noticed(database: Database, database_url: str, migrated_file: Path) -> None:
    """A write to the old file fails, and the next one goes to the new file."""
    path = Path(database_url.removeprefix("sqlite:///"))
    database.write_now(lambda c: insert(c, 1))
    for left in path.parent.glob("receiver.db*"):
        left.unlink()
    shutil.copy(migrated_file, path)
    with pytest.raises(StoreUnavailable):
        database.write_now(lambda c: insert(c, 2))
    database.write_now(lambda c: insert(c, 3))
    assert database.read_now(count) == 1


async def test_a_closed_database_is_unavailable(database_url: str) -> None:
    """After `close` both ways in raise StoreUnavailable."""
    database = Database.open(database_url)
    await database.close()
    for way in (database.write, database.read):
        with pytest.raises(StoreUnavailable):
            await way(count)


async def test_close_finishes_what_was_begun(database_url: str) -> None:
    """A write handed in before `close` is committed."""
    database = Database.open(database_url)
    writing = asyncio.create_task(database.write(lambda c: insert(c, 1)))
    await asyncio.sleep(0)
    await database.close()
    await writing
    reopened = Database.open(database_url)
    assert reopened.read_now(count) == 1
    reopened.close_now()


def test_the_detail_of_a_fault_names_no_file(tmp_path: Path) -> None:
    """What strangers may read tells nothing of the machine; the cause does."""
    database = Database.open(f"sqlite:///{tmp_path}/gone.db")
    with pytest.raises(StoreUnavailable) as caught:
        database.write_now(count)
    assert str(tmp_path) not in caught.value.detail
    assert caught.value.__cause__ is not None
    database.close_now()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:some?mode=memory&uri=true"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    """The setting is named, and what to write instead."""
    with pytest.raises(SettingsError, match=r"RECEIVER_DATABASE_URL.*sqlite:///PATH"):
        Database.open(url)


def test_one_process_serves_a_file(tmp_path: Path) -> None:
    """A second lock is refused, with a way out, until the first is released."""
    url = f"sqlite:///{tmp_path}/receiver.db"
    with (
        ProcessLock(url),
        pytest.raises(SettingsError, match=r"already serving.*RECEIVER_DATA_DIR; PostgreSQL for more than one process"),
    ):
        ProcessLock(url).acquire()
    with ProcessLock(url):
        pass


def test_a_lock_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Its path, what the system says, and what to do."""
    (tmp_path / "receiver.db.lock").mkdir()
    with pytest.raises(
        SettingsError, match=r"receiver\.db\.lock of the database cannot be taken: Is a directory\. Give"
    ):
        ProcessLock(f"sqlite:///{tmp_path}/receiver.db").acquire()


def test_other_databases_need_no_lock() -> None:
    """On PostgreSQL any number of processes may serve."""
    with ProcessLock("postgresql+psycopg://host/name"), ProcessLock("postgresql+psycopg://host/name"):
        pass


@sqlite_only
async def test_the_one_connection_that_writes_is_held(database: Database) -> None:
    """Whatever thread writes, and whatever failed before; to get at it anew costs more than a small transaction."""

    def raises(_: Connection) -> None:
        raise ValueError("of the caller's")

    first = await database.write(lambda c: id(c.connection.driver_connection))
    with pytest.raises(ValueError, match="of the caller's"):
        await database.write(raises)
    assert first == await asyncio.to_thread(database.write_now, lambda c: id(c.connection.driver_connection))


@sqlite_only
def test_a_transaction_waits_for_its_turn(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for ever."""
    monkeypatch.setattr(connections, "TURN_WITHIN_S", 0.05)
    with pytest.raises(StoreUnavailable):
        database.write_now(lambda _: database.write_now(lambda _: None))
    database.write_now(lambda _: None)
