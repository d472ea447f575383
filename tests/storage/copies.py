"""Databases to copy, without the command."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, insert, select

from receiver.storage.copy_marks import Copying
from receiver.storage.copying import Copied, copy
from receiver.storage.engine import Database
from receiver.storage.pages import Size, stored_tables
from receiver.storage.tables import Base, SharedKeyRow, table_of

T = TypeVar("T")
COPYING = Copying("this-process")
SMALL = Size(rows=3, bytes=400)
Rows = Mapping[type[Base], Sequence[Mapping[str, Any]]]


class Place:
    """A database as `copy` uses one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, work: Callable[[Connection], T]) -> T:
        """Of one view."""
        return self._database.read_now(work)

    def write(self, work: Callable[[Connection], T]) -> T:
        """In one transaction."""
        return self._database.write_now(work)

    def rows(self) -> Mapping[str, Sequence[tuple[Any, ...]]]:
        """All that is stored, each table in the order of its key."""
        asked = {table.name: select(table).order_by(*table.primary_key.columns) for table in stored_tables()}
        return self.read(lambda c: {name: [tuple(row) for row in c.execute(one)] for name, one in asked.items()})

    def fill(self, rows: Rows) -> None:
        """Let these be all that is stored in these tables."""

        def store(connection: Connection) -> None:
            for declaration, some in rows.items():
                table = table_of(declaration)
                connection.execute(delete(table))
                if some:
                    connection.execute(insert(table), list(some))

        self.write(store)

    def mark(self, text: str = COPYING.text) -> None:
        """Let it be copied into by us, or whoever the mark says."""
        self.fill({SharedKeyRow: [{"name": "copy", "value": text}]})


@contextmanager
def opened(url: str) -> Iterator[Place]:
    """The database at a URL."""
    database = Database.open(url)
    yield Place(database)
    database.close_now()


def silent(_name: str, _done: int) -> None:
    """Shows nothing."""


def carried(source: Place, target: Place, size: Size = SMALL, *, still: bool = True) -> Mapping[str, Copied]:
    """What became of each table."""
    return copy(source, target, COPYING, silent, still=still, size=size)
