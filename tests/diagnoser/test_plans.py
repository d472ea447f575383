"""What a pass and a rebuild ask SQLite for, it finds by an index: however much is stored, the rest is not looked at."""

import re
from functools import partial
from random import Random
from typing import Any

from sqlalchemy import Connection, event

from receiver.simulation.sender import Studio
from tests.diagnoser.tales import START_MS
from tests.diagnoser.telling import told
from tests.diagnoser.world import World

_ONE_OF = re.compile(r"(\w+)\.(\w+) IN \(SELECT value FROM json_each\(\?\)\)")
_EITHER = re.compile(r"\)\) OR ")
"""Of few rows, whether one is this or that."""


def test_what_is_asked_for_is_found_by_an_index(made: World) -> None:
    """One of many values is looked up in an index that begins with it, or with what else is given."""
    asked: dict[str, Any] = {}

    def note(_connection: object, _cursor: object, sql: str, given: Any, _context: object, many: bool) -> None:  # noqa: ANN401, FBT001 -- SQLAlchemy's signature
        asked.setdefault(sql, given[0] if many else given)

    for engine in (made.database._reading.engine, made.database._writing.engine):
        event.listen(engine, "before_cursor_execute", note)
    for number in range(3):
        studio = Studio(START_MS, Random(number))  # noqa: S311 -- ids of a fiction
        made.deliver(*told(studio.started(0), studio.recording_started(1000), studio.idle(2000)))
        made.settle()
    made.rebuild()
    lists = {sql: given for sql, given in asked.items() if _ONE_OF.search(sql) and not _EITHER.search(sql)}
    assert len(lists) > 10
    for sql, given in lists.items():
        plan = made.database.read_now(partial(_plan, sql=sql, given=given))
        for table, column in _ONE_OF.findall(sql):
            used = [step for step in plan if step.startswith(f"SEARCH {table} ")]
            assert any(f"{name}=?" in step for name in (column, "rowid") for step in used), (sql, plan)


def _plan(connection: Connection, sql: str, given: Any) -> list[str]:  # noqa: ANN401 -- what was given to the driver
    return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)]
