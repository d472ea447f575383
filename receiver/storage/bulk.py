"""Many rows of one statement, at the driver's speed."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from sqlalchemy import Connection, Insert, Update
from sqlalchemy.sql.compiler import SQLCompiler

Row: TypeAlias = Mapping[str, object]


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
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = self._statement.compile(dialect=dialect)
        names = compiled.positiontup
        given = rows if names is None else [tuple([row[name] for name in names]) for row in rows]
        connection.exec_driver_sql(compiled.string, given)
