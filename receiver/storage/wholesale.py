"""How PostgreSQL takes many rows: by `COPY`, which costs both sides half of what an INSERT of many does, and no more
for one row; or as an array for each column, where the rows of several tables are to go in one statement."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Column, Dialect, Table

_COPY: Final = "COPY "


def copy_statement(table: Table, dialect: Dialect) -> str:
    """The statement; its parameters are the rows' types and the rows."""
    return f"{_COPY}{_named(table, dialect)} FROM STDIN (FORMAT BINARY)"


def type_names(table: Table, dialect: Dialect) -> list[str]:
    """The columns' types, as the driver knows them."""
    return [_plain_type(column, dialect).partition("(")[0].lower() for column in table.c]


def run_copy(cursor: Any, statement: str, parameters: Any, _context: object) -> bool:  # noqa: ANN401 -- the driver's
    """Run a statement that is a `COPY`, in place of the driver's usual way; False for any other."""
    if not statement.startswith(_COPY):
        return False
    types, rows = parameters
    with cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
    return True


def insert_statement(tables: Sequence[Table], dialect: Dialect) -> str:
    """One statement that adds rows to all of the tables, or to none; its parameters are lists: the values of the first
    table's first column, and so on."""
    *before, last = [_insert_of_arrays(table, dialect) for table in tables]
    parts = ", ".join(f"part_{number} AS ({insert})" for number, insert in enumerate(before))
    return f"WITH {parts} {last}" if parts else last


def in_columns(tables: Iterable[Sequence[Sequence[object]]]) -> tuple[list[object], ...]:
    """The rows of several tables, as the parameters of `insert_statement`."""
    return tuple([list(column) for rows in tables for column in zip(*rows, strict=True)])


def array_of(column: Column[Any], dialect: Dialect, name: str) -> str:
    """The parameter of that name: an array of the column's type, in its binary form, which is far cheaper to make."""
    return f"%({name})b::{_plain_type(column, dialect)}[]"


def _insert_of_arrays(table: Table, dialect: Dialect) -> str:
    arrays = ", ".join(f"%b::{_plain_type(column, dialect)}[]" for column in table.c)
    return f"INSERT INTO {_named(table, dialect)} SELECT * FROM unnest({arrays})"  # noqa: S608 -- our own names


def _named(table: Table, dialect: Dialect) -> str:
    quoted = dialect.identifier_preparer
    return f"{quoted.format_table(table)} ({', '.join(quoted.quote(column.name) for column in table.c)})"


def _plain_type(column: Column[Any], dialect: Dialect) -> str:
    """Without how its text is compared, which is no part of a type."""
    return column.type.compile(dialect=dialect).partition(" COLLATE ")[0]
