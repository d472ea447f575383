"""How PostgreSQL takes many rows: as an array for each column, in one statement for all the tables that they are for.
Half of what a row at a time costs, and one way there and back.

`COPY` costs half of that again for hundreds of rows, but a client that stands still in the middle of one keeps its
locks: no time-out of the server ends it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Column, Dialect, Table


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
    quoted = dialect.identifier_preparer
    names = ", ".join(quoted.quote(column.name) for column in table.c)
    arrays = ", ".join(f"%b::{_plain_type(column, dialect)}[]" for column in table.c)
    return f"INSERT INTO {quoted.format_table(table)} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608 -- our names


def _plain_type(column: Column[Any], dialect: Dialect) -> str:
    """Without how its text is compared, which is no part of a type."""
    return column.type.compile(dialect=dialect).partition(" COLLATE ")[0]
