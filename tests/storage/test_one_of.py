"""A column that is one of many values: what is found is what SQL's own IN finds, by the index, on both databases."""

from collections.abc import Sequence
from functools import partial

import pytest
from sqlalchemy import Column, ColumnElement, Connection, Integer, MetaData, Table, Text, bindparam, insert, select

from receiver.storage.engine import Database
from receiver.storage.one_of import one_of
from receiver.storage.tables import PlaceRow, table_of
from tests.engines import sqlite_only

_things = Table("things", MetaData(), Column("seq", Integer, primary_key=True), Column("id", Text))
TEXTS = ("", "a", "ä", "漢", "😀", '"', "'", "\\", "[]", "null", "1", "1.0", "%s", ":ids", "\u2028")


@pytest.fixture
def things(database: Database) -> Database:
    """A table of texts, each with a number."""
    rows = [{"seq": number, "id": text} for number, text in enumerate(TEXTS)]
    database.write_now(_things.metadata.create_all)
    database.write_now(lambda connection: connection.execute(insert(_things), rows))
    return database


@pytest.mark.parametrize("column", ["seq", "id"])
@pytest.mark.parametrize("most", [0, 1, 3, len(TEXTS)])
def test_it_is_what_in_is(things: Database, column: str, most: int) -> None:
    """For texts of any characters, for numbers, and where there are none."""
    mine, values = _things.c[column], [*range(most), -1] if column == "seq" else [*TEXTS[:most], "another"]
    for mine_is_one in (one_of(mine, "values"), mine.in_(bindparam("values", expanding=True))):
        found = things.read_now(partial(_numbers, which=mine_is_one, values=values))
        assert list(range(most)) == found


def _numbers(connection: Connection, which: ColumnElement[bool], values: Sequence[object]) -> Sequence[int]:
    asked = select(_things.c.seq).where(which).order_by(_things.c.seq)
    return connection.execute(asked, {"values": values}).scalars().all()


@sqlite_only
def test_it_goes_by_the_index(database: Database) -> None:
    """However many there are, the others are not looked at."""
    asked = select(PlaceRow.seq).where(one_of(table_of(PlaceRow).c.stream_id, "ids"))
    sql = str(asked.compile(dialect=database._writing.engine.dialect))
    plan = database.read_now(lambda c: c.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", ("[]",)).all())
    assert "SEARCH places USING INDEX places_by_stream (stream_id=?)" in plan[0][3].replace("COVERING ", "")
