"""What is special about SQLite: one writer, WAL, `synchronous=FULL`, explicit BEGIN, one serving process per file."""

import fcntl
import os
import sqlite3
from collections.abc import Hashable
from pathlib import Path
from types import NoneType, TracebackType
from typing import Final, Self
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from receiver.errors import Served, SettingsError

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

    event.listen(engine, "handle_error", _read_on)


class SpoiledText(DBAPIError):
    """A text of the file is none any more: a disk may spoil one. What cannot be read at all would keep everything else
    from being read, so this connection replaces from now on what is wrong in a text, which is found out where it is
    looked at. To look at each text costs as much as to read it: only who has met one does so. Begin again."""


def _read_on(context: ExceptionContext) -> SpoiledText | None:
    """What is raised in the place of an error of the driver's."""
    connection = context.connection
    if connection is None or connection.info.get(_EXACT) or not _is_of_text(context.original_exception):
        return None
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection) or driver.text_factory is _replacing:
        return None
    driver.text_factory = _replacing
    return SpoiledText(None, None, sqlite3.OperationalError("a text of the file is spoiled"))


def _is_of_text(error: BaseException) -> bool:
    """The driver's words for it, in which the text follows; it has no code of its own."""
    return isinstance(error, sqlite3.OperationalError) and str(error).startswith("Could not decode to UTF-8")


def _replacing(text: bytes) -> str:
    return text.decode("utf-8", "replace")


# The driver takes these as they are, but first asks each of them how it wants to be taken, and raises an error within
# when it does not know: for a row of twelve values, five of them such, a third of what it costs to insert it.
sqlite3.register_adapter(NoneType, lambda none: none)
sqlite3.register_adapter(bytes, bytes)

_EXACT: Final = "exact"
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


def read_exactly(connection: Connection) -> None:
    """From now on, a text that is none fails the statement that reads it, and nothing else is read in its place."""
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        connection.info[_EXACT] = True
        driver.text_factory = str


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
