"""What is special about SQLite: one writer, WAL, `synchronous=FULL`, explicit BEGIN, one serving process per file."""

import fcntl
import os
import sqlite3
from collections.abc import Hashable
from pathlib import Path
from types import NoneType, TracebackType
from typing import Self
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import ConnectionPoolEntry

from receiver.errors import Served, SettingsError
from receiver.storage.texts import read_on

BUSY_TIMEOUT_S = 5
_PAGE_BYTES = 8192
_CACHE_KIB = 32 * 1024
"""Of the writer: a pass touches pages all over the indexes, and what does not fit is written and read twice."""
_LONGEST_LOG_PAGES = 16_000
"""Of the write-ahead log, before a commit takes its time to move it to the database file. SQLite's default of 1000 is
what a service writes in a third of a second; it moves them itself, beside the commits (`receiver.write_ahead`). But the
log begins anew only when a commit finds all of it moved and nobody reading from it, and grows until then."""
_LOCKED = (
    "Another receiver is already serving this SQLite database. Stop it, or give this one its own RECEIVER_DATA_DIR;"
    " PostgreSQL for more than one process: set RECEIVER_DATABASE_URL."
)
_NO_LOCK = (
    "The lock {} of the database cannot be taken: {}. Give the user of this process the right to write to it and to its"
    " folder, or set RECEIVER_DATABASE_URL or RECEIVER_DATA_DIR to another place."
)
_NO_FILE = (
    "RECEIVER_DATABASE_URL must name a file: a database in memory is lost with the process. Write sqlite:///PATH."
)


def sqlite_engine(url: URL, *, writable: bool, connections: int, create: bool = False) -> Engine:
    """An engine on a SQLite file. With `create`, a missing one is made, readable for its owner only: it holds bodies as
    they came. Raises SettingsError for a database in memory."""
    path = sqlite_path(url)
    if create and not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    engine = create_engine(
        url,
        creator=lambda: _open_file(path),
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=BUSY_TIMEOUT_S,
    )
    _rule_sqlite(engine, path, writable=writable)
    return engine


def sqlite_path(url: URL) -> Path:
    """The file of a SQLite URL. Raises SettingsError where there is none."""
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise SettingsError(_NO_FILE)
    return Path(url.database).absolute()


def _open_file(path: Path) -> sqlite3.Connection:
    """`mode=rw`: a file that is gone is a fault, not a reason to begin an empty one. `isolation_level=None`: the
    driver begins no transaction of its own."""
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )


def _rule_sqlite(engine: Engine, path: Path, *, writable: bool) -> None:
    """The page size counts only before the first table. FULL syncs the log at every commit: NORMAL would lose
    acknowledged events in a power cut (DESIGN 6)."""

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        record.info["path"] = path
        for pragma in _WRITER_PRAGMAS if writable else _READER_PRAGMAS:
            connection.execute(pragma).close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        refuse_if_moved(connection)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writable else "BEGIN")

    event.listen(engine, "handle_error", read_on)


# The driver takes these as they are, but first asks each of them how it wants to be taken, and raises an error within
# when it does not know: for a row of twelve values, five of them such, a third of what it costs to insert it.
sqlite3.register_adapter(NoneType, lambda none: none)
sqlite3.register_adapter(bytes, bytes)

_WRITER_PRAGMAS = (
    f"PRAGMA page_size = {_PAGE_BYTES}",
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA cache_size = -{_CACHE_KIB}",
    f"PRAGMA wal_autocheckpoint = {_LONGEST_LOG_PAGES}",
)
_READER_PRAGMAS = ("PRAGMA query_only = ON",)


def sqlite_version(connection: Connection) -> Hashable:
    """Of what other connections have committed, as long as this one is open: another one than before if they have."""
    return connection.connection.driver_connection, connection.exec_driver_sql("PRAGMA data_version").scalar_one()


def move_log(connection: Connection) -> tuple[int, ...]:
    """Move what the write-ahead log holds to the database file, but for what somebody still reads or has written just
    now. Nobody waits for it. Returns whether another one is at it, how many pages it held, and how many were moved."""
    return tuple(connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one())


class FileMoved(Exception):
    """The open SQLite file is no longer the one at its path: what is committed to it would be lost (P1), and what is
    read from it is out of date."""


def refuse_if_moved(connection: Connection) -> None:
    """SQLite notices this for rollback journals, not in WAL mode. Raises FileMoved."""
    try:
        there = connection.info["path"].stat()
    except OSError as error:
        raise FileMoved(str(error)) from error
    held = connection.info.setdefault("file", (there.st_dev, there.st_ino))
    if held != (there.st_dev, there.st_ino):
        raise FileMoved("the file was replaced by another")


class ProcessLock:
    """Holds a SQLite file for one serving process, by whatever link it is named; on other databases it does nothing.
    Other commands may open the file beside it: they take no lock."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self._path = f"{sqlite_path(parsed).resolve()}.lock" if parsed.get_backend_name() == "sqlite" else None
        self._held: int | None = None

    def acquire(self) -> None:
        """Take the lock, which the system gives back when the process ends, however it ends. Raises SettingsError when
        another process holds it (Served), and where there can be no lock."""
        if self._path is None:
            return
        try:
            lock = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SettingsError(_NO_LOCK.format(self._path, error.strerror or error)) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if isinstance(error, BlockingIOError):
                raise Served(_LOCKED) from error
            raise SettingsError(_NO_LOCK.format(self._path, error.strerror or error)) from error
        self._held = lock

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
