"""Whole tables, page by page in the order of their keys, as values that are the same on both engines."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from msgspec import msgpack
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    cast,
    delete,
    select,
    tuple_,
)

from receiver.storage.bulk import Rows, Values
from receiver.storage.tables import Base, LeaseRow, NodeRow, SharedKeyRow, table_of

Key: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows a page has at most, and about how many bytes."""

    rows: int = 4096
    bytes: int = 8 << 20


USUAL: Final = Size()
_AT_ONCE: Final = 512
_BODIES_AT_ONCE: Final = 128
"""How many rows are read at most before their size is looked at."""
_BODIES_AT_FIRST: Final = 8
"""Then as many as fit, if they are like the last ones."""
_OWN: Final = frozenset(map(table_of, (LeaseRow, NodeRow, SharedKeyRow)))
"""What belongs to a database and to who works on it, not to what is stored in it."""


def stored_tables() -> tuple[Table, ...]:
    """All that make up what is stored, by name."""
    return tuple(sorted(set(Base.metadata.tables.values()) - _OWN, key=lambda table: table.name))


class Page(NamedTuple):
    """Rows in the order of their keys; `ended` where none follow."""

    rows: Sequence[Values]
    ended: bool


class Pages:
    """One table, whose key's columns are its first ones. Truth values are read as 0 and 1."""

    def __init__(self, table: Table, size: Size = USUAL) -> None:
        self.table, self._size = table, size
        key = list(table.primary_key.columns)
        self._width = len(key)
        self._truths = [at for at, column in enumerate(table.c) if isinstance(column.type, Boolean)]
        self._steps = (_BODIES_AT_FIRST, _BODIES_AT_ONCE) if "body" in table.c else (_AT_ONCE, _AT_ONCE)
        self._first, self._next = _reading(table, key)
        self._remove = delete(table).where(_equal(key))
        unique = [list(index.columns) for index in table.indexes if index.unique]
        self._clear = [(columns, delete(table).where(_equal(columns))) for columns in unique]
        self._rows = Rows(table)

    def key_of(self, row: Values) -> Key:
        """The key of a row."""
        return row[: self._width]

    def read(self, connection: Connection, after: Key | None) -> Page:
        """The rows behind a key, or the first ones."""
        rows: list[Values] = []
        size, (step, longest) = 0, self._steps
        while len(rows) < self._size.rows and size < self._size.bytes:
            most = min(step, self._size.rows - len(rows))
            more = self._read(connection, after, most)
            rows += more
            if len(more) < most:
                return Page(rows, ended=True)
            part = len(encoded(more))
            size += part
            step = min(longest, max(1, (self._size.bytes - size) * most // part))
            after = self.key_of(rows[-1])
        return Page(rows, ended=False)

    def _read(self, connection: Connection, after: Key | None, most: int) -> list[Values]:
        if after is None:
            found = connection.execute(self._first, {"most": most})
        else:
            found = connection.execute(self._next, {"most": most, **_named(after)})
        return list(map(tuple, found.all()))

    def until(self, rows: Sequence[Values], last: Key | None) -> Sequence[Values]:
        """Those of the rows that do not stand behind a key; all of them where there is none."""
        return rows if last is None else rows[: bisect_right(rows, last, key=self.key_of)]

    def add(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Write these rows, which are not there."""
        self._rows.insert(connection, [self._typed(row) for row in rows] if self._truths else rows)

    def remove(self, connection: Connection, keys: Sequence[Key]) -> None:
        """Remove the rows with these keys."""
        if keys:
            connection.execute(self._remove, [_named(key) for key in keys])

    def clear(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Remove what has something else in common with these rows that no two rows may have."""
        names = [column.name for column in self.table.c]
        for columns, removal in self._clear:
            ats = [names.index(column.name) for column in columns]
            connection.execute(removal, [_named([row[at] for at in ats]) for row in rows])

    def _typed(self, row: Values) -> Values:
        typed = list(row)
        for at in self._truths:
            typed[at] = None if row[at] is None else bool(row[at])
        return tuple(typed)


def _reading(table: Table, key: Sequence[ColumnElement[Any]]) -> tuple[Select[*tuple[Any, ...]], ...]:
    """What reads the first rows, and those behind a key."""
    columns = [cast(column, Integer) if isinstance(column.type, Boolean) else column for column in table.c]
    first = select(*columns).order_by(*key).limit(bindparam("most"))
    after = [bindparam(f"of_{at}", type_=column.type) for at, column in enumerate(key)]
    return first, first.where(tuple_(*key) > tuple_(*after))


def _equal(columns: Sequence[ColumnElement[Any]]) -> ColumnElement[bool]:
    return and_(*(column == bindparam(f"of_{at}") for at, column in enumerate(columns)))


def _named(values: Sequence[object]) -> dict[str, object]:
    return {f"of_{at}": value for at, value in enumerate(values)}


def encoded(rows: Sequence[Values]) -> bytes:
    """The rows one behind the other: the same bytes, however they are cut into pages."""
    packed = msgpack.encode(rows)
    return packed[1 if len(rows) < 1 << 4 else 3 if len(rows) < 1 << 16 else 5 :]
