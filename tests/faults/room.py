"""A disk without room. A limit on the size of files stands for it: what is written beyond is refused by the system,
though the files are open already."""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

_LOG_HEADER_BYTES = 32
_PAGE_HEADER_BYTES = 24
"""Of SQLite's write-ahead log, and of each page in it (https://sqlite.org/fileformat2.html#walformat)."""


def limit(pid: int, size: int | None) -> None:
    """No file of that process grows beyond so many bytes from now on, whatever is open already. None takes the limit
    away."""
    _soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


@contextmanager
def full(pid: int, file: Path, room: int = 0) -> Iterator[None]:
    """The disk of that process has no more room than so many bytes for the log of its database; 0 is the own process.

    Once all of a log is moved to the database, it begins anew, and needs no room for as long as it was before. So here
    it is filled, and somebody goes on reading what there was before: what was written since cannot be moved.
    """
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN").close()
        reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        limit(pid, _fill_log(file) + room)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):  # it may have ended meanwhile
                limit(pid, None)


def _fill_log(file: Path) -> int:
    """Write to the end of the log's file, and at least once. Returns how long it is."""
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("PRAGMA synchronous = OFF").close()
        (page_bytes,) = writer.execute("PRAGMA page_size").fetchone()
        filled = 0
        while filled < file.with_name(f"{file.name}-wal").stat().st_size:
            writer.execute("PRAGMA user_version = 1").close()
            _, pages, _ = writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            filled = _LOG_HEADER_BYTES + pages * (_PAGE_HEADER_BYTES + page_bytes)
        return filled
