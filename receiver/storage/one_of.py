"""A column that is one of many values, which are a single parameter: the statement is the same however many there are,
and neither SQLAlchemy nor the database has to read it anew each time.

SQLite gets the values as a JSON array, PostgreSQL as an array of the column's type. Only for texts and numbers.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, Column, Dialect, Text, TypeDecorator, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

IN_JSON: Final = "IN (SELECT value FROM json_each({}))"
"""One of the values of a JSON array, which is a parameter, in SQLite's words."""
as_json: Final = json.JSONEncoder(ensure_ascii=False).encode
"""Such an array."""


class one_of(FunctionElement[Any]):  # noqa: N801 -- written as a function of SQL
    """Whether a column is one of the values of the parameter of that name."""

    inherit_cache = True

    def __init__(self, column: Column[Any], name: str) -> None:
        plain = Text() if column.type.python_type is str else BigInteger()
        super().__init__(column, bindparam(name, type_=_Several(plain)))


class _Several(TypeDecorator[Sequence[object]]):
    """The values, as the database takes them."""

    impl = Text
    cache_ok = True

    def __init__(self, each: Text | BigInteger) -> None:
        super().__init__()
        self.each = each

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """What the driver is given."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(self.each))

    def process_bind_param(self, value: Sequence[object] | None, dialect: Dialect) -> str | list[object]:
        """The values, in one."""
        values = list(value or ())
        return as_json(values) if dialect.name == "sqlite" else values


@compiles(one_of, "sqlite")
def _in_json(element: one_of, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 -- SQLAlchemy's own
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} {IN_JSON.format(values)}"


@compiles(one_of, "postgresql")
def _in_array(element: one_of, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 -- SQLAlchemy's own
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({values})"
