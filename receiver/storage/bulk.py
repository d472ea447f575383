"""Many rows of one statement, at the driver's speed, and many keys."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Insert, Table, Update, insert
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
    """A table that whole rows are added to, with even less to do for each."""

    def __init__(self, table: Table) -> None:
        self._insert = Bulk(insert(table))
        self._names = [column.name for column in table.c]

    def insert(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Add the rows, if there are any."""
        if not rows:
            return
        compiled = self._insert.compiled(connection)
        if compiled.positiontup == self._names:
            connection.exec_driver_sql(compiled.string, rows)
        else:
            self._insert.run(connection, [dict(zip(self._names, row, strict=True)) for row in rows])


def chunks(keys: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """The keys, in parts that one statement takes."""
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))
