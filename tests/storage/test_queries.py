from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event

from receiver.storage import cases
from receiver.storage.engine import Database
from receiver.storage.queries import diagnoses, observations, signals, streams
from receiver.storage.queries.diagnoses import NOT_RESOLVED, Wanted
from tests.engines import sqlite_only

LISTS: dict[str, Callable[[Connection], object]] = {
    "streams": lambda conn: streams.streams(conn, [], None, 50),
    "streams, next part": lambda conn: streams.streams(conn, [], (5, "a"), 50),
    "streams, silent part": lambda conn: streams.streams(conn, [], (streams.NEVER, "a"), 50),
    "streams of a state": lambda conn: streams.streams(conn, [streams.in_state("live")], (5, "a"), 50),
    "streams of a condition": lambda conn: streams.streams(
        conn, [streams.failing("webhook_not_firing", ["w"])], (5, "a"), 50
    ),
    "whether a webhook tells of a stream": lambda conn: streams.tells_of(conn, "w", "s"),
    "signals": lambda conn: signals.signals_of_stream(conn, "s", (5, "p"), 50),
    "signal": lambda conn: signals.signal(conn, "e"),
    "deliveries": lambda conn: signals.deliveries(conn, None, 5, 50),
    "deliveries of a verdict": lambda conn: signals.deliveries(conn, "accepted", 5, 50),
    "diagnoses": lambda conn: diagnoses.diagnoses(conn, Wanted(), 5, 50),
    "open diagnoses": lambda conn: diagnoses.diagnoses(conn, Wanted(statuses=NOT_RESOLVED), 5, 50),
    "diagnoses of a stream": lambda conn: diagnoses.diagnoses(conn, Wanted(stream_id="s"), 5, 50),
    "transitions": lambda conn: diagnoses.transitions(conn, "d"),
    "how many subjects are faulty": cases.count_faults,
    "a caller's key": lambda conn: observations.kept(conn, "k"),
}


def plan(conn: Connection, work: Callable[[Connection], object]) -> list[str]:
    """How SQLite carries out the statements of `work`."""
    statements: list[tuple[str, Any]] = []

    def note(_conn: Connection, _cursor: object, statement: str, values: object, *_: object) -> None:
        statements.append((statement, values))

    event.listen(conn, "before_cursor_execute", note)
    work(conn)
    event.remove(conn, "before_cursor_execute", note)
    return [row[3] for one, values in statements for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", values)]


@sqlite_only
@pytest.mark.parametrize("name", LISTS)
def test_no_list_reads_a_whole_table(database: Database, name: str) -> None:
    """Every list goes by an index, on a database of which no statistics were ever taken (DESIGN 6)."""
    steps = database.read_now(lambda conn: plan(conn, LISTS[name]))
    assert steps
    assert [] == [step for step in steps if step.startswith("SCAN")]


@sqlite_only
@pytest.mark.parametrize(
    "name", ["streams", "streams, next part", "signals", "deliveries", "deliveries of a verdict", "diagnoses"]
)
def test_long_lists_are_not_sorted(database: Database, name: str) -> None:
    """What may hold many rows is read in the order of its index."""
    steps = database.read_now(lambda conn: plan(conn, LISTS[name]))
    assert [] == [step for step in steps if "TEMP B-TREE" in step]
