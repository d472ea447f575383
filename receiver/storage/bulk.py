"""Many rows of one statement, at the driver's speed, and many keys."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    Column,
    Connection,
    CursorResult,
    Delete,
    Dialect,
    Insert,
    Select,
    Table,
    Update,
    insert,
    text,
)
from sqlalchemy.sql.compiler import SQLCompiler

from receiver.storage.one_of import IN_JSON, as_json
from receiver.storage.wholesale import array_of, in_columns, insert_statement

Row: TypeAlias = Mapping[str, object]
Values: TypeAlias = tuple[object, ...]
"""A whole row, in the order of its table's columns."""
_KEYS: Final = "(keys)"
CHUNK = 500
"""How many keys one statement takes: well below the limits of both engines."""


class Bulk:
    """A Core statement that is compiled once for each kind of database and then run for many rows. The rows have all
    the statement's parameters; their values reach the driver as they are, so only for columns whose Python values the
    drivers take: numbers, text, bytes, booleans. What SQLAlchemy would do per row costs more than the insert itself."""

    def __init__(self, statement: Insert | Update) -> None:
        self._statement = statement
        self._compiled: dict[str, SQLCompiler] = {}

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Run it for each row, if there are any."""
        if not rows:
            return
        compiled = self.compiled(connection)
        names = compiled.positiontup
        given = rows if names is None else [tuple([row[name] for name in names]) for row in rows]
        connection.exec_driver_sql(compiled.string, given)

    def compiled(self, connection: Connection) -> SQLCompiler:
        """The statement in the words of the connection's database."""
        dialect = connection.dialect
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = self._statement.compile(dialect=dialect)
        return self._compiled[dialect.name]


class Rows:
    """A table that whole rows are added to, with even less to do for each (`wholesale`)."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._insert = Bulk(insert(table))
        self._names = [column.name for column in table.c]
        self._of_arrays = ""

    def insert(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Add the rows, if there are any."""
        if not rows:
            return
        if connection.dialect.name == "postgresql":
            self._of_arrays = self._of_arrays or insert_statement([self._table], connection.dialect)
            connection.exec_driver_sql(self._of_arrays, in_columns([rows]))
        else:
            connection.exec_driver_sql(self._insert.compiled(connection).string, rows)

    def insert_records(self, connection: Connection, records: Sequence[Row]) -> None:
        """Add rows that are given by the names of their columns."""
        self.insert(connection, [tuple([record[name] for name in self._names]) for record in records])


class RowsOfAll:
    """Tables that whole rows are added to together. To PostgreSQL they go in one statement, one way there and back."""

    def __init__(self, *tables: Table) -> None:
        self._tables = tables
        self._each = [Rows(table) for table in tables]
        self._insert = ""

    def insert(self, connection: Connection, *rows: Sequence[Values]) -> None:
        """Add rows to each table, in their order: some to all of them."""
        if connection.dialect.name == "postgresql":
            self._insert = self._insert or insert_statement(self._tables, connection.dialect)
            connection.exec_driver_sql(self._insert, in_columns(rows))
        else:
            for table, its in zip(self._each, rows, strict=True):
                table.insert(connection, its)


class OfKeys:
    """A statement about the rows whose key, a number or bytes, is one of many. It is compiled once for each kind of
    database. The keys go as one parameter where they can: one for each would cost more than what is asked."""

    def __init__(self, statement: Select[Any] | Delete, column: Column[Any]) -> None:
        self._statement = statement.where(column == text(_KEYS))
        self._column = column
        self._is_binary = column.type.python_type is bytes
        self._compiled: dict[str, str] = {}

    def run(self, connection: Connection, keys: Sequence[object]) -> None:
        """Run it, if there are any keys."""
        for _ in self._results(connection, keys):
            pass

    def rows(self, connection: Connection, keys: Sequence[object]) -> Iterator[Any]:
        """What it finds, in no order."""
        return chain.from_iterable(self._results(connection, keys))

    def _results(self, connection: Connection, keys: Sequence[object]) -> Iterator[CursorResult[Any]]:
        dialect = connection.dialect
        if dialect.name == "postgresql":
            if keys:
                statement = self._asking(dialect, f"= ANY ({array_of(self._column, dialect, 'keys')})")
                yield connection.exec_driver_sql(statement, {"keys": list(keys)})
            return
        for chunk in chunks(keys):
            if self._is_binary:
                several = ", ".join("?" * len(chunk))
                yield connection.exec_driver_sql(self._asking(dialect, f"IN ({several})"), tuple(chunk))
            else:
                yield connection.exec_driver_sql(self._asking(dialect, IN_JSON.format("?")), (as_json([*chunk]),))

    def _asking(self, dialect: Dialect, for_keys: str) -> str:
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = str(self._statement.compile(dialect=dialect))
        return self._compiled[dialect.name].replace(f"= {_KEYS}", for_keys)


def chunks(keys: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """The keys, in parts that one statement takes."""
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))
