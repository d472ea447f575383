"""The room that removed rows leave in a SQLite file: used again by what comes, and what is too much given back to the
disk, a few pages at a time. A server looks after its own.
"""

import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import DBAPIError

from receiver.errors import StoreUnavailable
from receiver.storage.engine import connect
from receiver.storage.retention import DONE, Span, Step
from receiver.storage.sqlite import sqlite_path

SPARE: Final = 8
"""One page in so many may be free: what comes fills them, and to give them back and take them again costs twice."""
_INCREMENTAL: Final = 2
_DIALECT: Final = "sqlite"
_COMPACTING: Final = (
    "PRAGMA busy_timeout = 200",
    f"PRAGMA auto_vacuum = {_INCREMENTAL}",
    "VACUUM",
    "PRAGMA wal_checkpoint(TRUNCATE)",
)
"""Who writes to the file meanwhile will not soon be done."""
_IN_USE: Final = "The file cannot be written anew: another program uses it, or its disk is full."


def give_back(connection: Connection, span: Span) -> Step:
    """Give back some pages of the file, as many as the span says at most; what is counted as removed are their bytes.
    Files that were made without it keep their pages (`compact`)."""
    if connection.dialect.name != _DIALECT or _pragma(connection, "auto_vacuum") != _INCREMENTAL:
        return DONE
    spare = _pragma(connection, "freelist_count") - _pragma(connection, "page_count") // SPARE
    if spare <= 0:
        return DONE
    pages = min(spare, span.most)
    for _ in range(pages):  # Python's driver takes the first step of such a statement only, which is one page
        connection.exec_driver_sql("PRAGMA incremental_vacuum(1)")
    return Step(pages * _pragma(connection, "page_size"), span.after)


def _pragma(connection: Connection, name: str) -> int:
    value: int = connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
    return value


def compact(url: str) -> tuple[int, int]:
    """Write a SQLite file anew, as small as it can be, and such that it gives room back from now on. Returns how many
    bytes it had and has. Nobody else may write to it meanwhile; its disk needs room for two more of it. Raises
    StoreUnavailable."""
    file = sqlite_path(make_url(url))
    engine, before = connect(url, writable=True), _size(file)
    try:
        raw = engine.raw_connection()
        for statement in _COMPACTING:
            cursor = raw.cursor()
            cursor.execute(statement)
            cursor.fetchall()
            cursor.close()
        raw.close()
    except (DBAPIError, sqlite3.Error) as error:
        raise StoreUnavailable(_IN_USE) from error
    finally:
        engine.dispose()
    return before, _size(file)


def _size(file: Path) -> int:
    """With its log, of which much may belong into it."""
    parts = (file, file.with_name(f"{file.name}-wal"))
    return sum(part.stat().st_size for part in parts if part.exists())
