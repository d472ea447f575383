"""Many rows of one statement, at the driver's speed, and many keys."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Column, Connection, Dialect, Insert, Table, Update, insert
from sqlalchemy.sql.compiler import SQLCompiler

Row: TypeAlias = Mapping[str, object]
Values: TypeAlias = tuple[object, ...]
"""A whole row, in the order of its table's columns."""
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
    """A table that whole rows are added to, with even less to do for each. To PostgreSQL they go as one array for each
    column, in one statement: half of what a row at a time costs, and one way there and back for all of them."""

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
            columns = tuple(map(list, zip(*rows, strict=True)))
            connection.exec_driver_sql(self._array_insert(connection.dialect), columns)
        else:
            connection.exec_driver_sql(self._insert.compiled(connection).string, rows)

    def insert_records(self, connection: Connection, records: Sequence[Row]) -> None:
        """Add rows that are given by the names of their columns."""
        self.insert(connection, [tuple([record[name] for name in self._names]) for record in records])

    def _array_insert(self, dialect: Dialect) -> str:
        if not self._of_arrays:
            quoted = dialect.identifier_preparer
            names = ", ".join(quoted.quote(name) for name in self._names)
            arrays = ", ".join(f"%b::{_plain_type(column, dialect)}[]" for column in self._table.c)
            table = quoted.format_table(self._table)
            self._of_arrays = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608 -- our names
        return self._of_arrays


def _plain_type(column: Column[Any], dialect: Dialect) -> str:
    """A column's type without how its text is compared, which is no part of a type."""
    return column.type.compile(dialect=dialect).partition(" COLLATE ")[0]


def chunks(keys: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """The keys, in parts that one statement takes."""
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))
