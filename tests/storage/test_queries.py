from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event

from receiver.diagnosis.values import ConditionType
from receiver.storage import cases
from receiver.storage.engine import Database
from receiver.storage.queries import diagnoses, listing, observations, signals, streams
from receiver.storage.queries.diagnoses import NOT_RESOLVED, Wanted
from tests.engines import sqlite_only

ANY = listing.Wanted()
FAILING: ConditionType = "webhook_not_firing"
LISTS: dict[str, Callable[[Connection], object]] = {
    "streams": lambda conn: streams.streams(conn, ANY, None, 50),
    "streams, next part": lambda conn: listing.keys(conn, ANY, (5, "a"), 50),
    "streams, silent part": lambda conn: listing.keys(conn, ANY, (listing.NEVER, "a"), 50),
    "streams of a state": lambda conn: listing.keys(conn, listing.Wanted("live"), (5, "a"), 50),
    "streams of a condition": lambda conn: listing.keys(conn, listing.Wanted(None, FAILING), (5, "a"), 50),
    "streams of both": lambda conn: listing.keys(conn, listing.Wanted("idle", FAILING), (5, "a"), 50),
    "streams that a webhook tells of": lambda conn: listing.keys(conn, listing.Wanted(None, FAILING, ["w"]), None, 50),
    "whether a webhook tells of a stream": lambda conn: streams.tells_of(conn, "w", "s"),
    "signals": lambda conn: signals.signals_of_stream(conn, "s", (5, "p"), 50),
    "signal": lambda conn: signals.signal(conn, "e"),
    "deliveries": lambda conn: signals.deliveries(conn, None, 5, 50),
    "deliveries of a verdict": lambda conn: signals.deliveries(conn, "accepted", 5, 50),
    "diagnoses": lambda conn: diagnoses.diagnoses(conn, Wanted(), 5, 50),
    "open diagnoses": lambda conn: diagnoses.diagnoses(conn, Wanted(statuses=NOT_RESOLVED), 5, 50),
    "diagnoses of a condition": lambda conn: diagnoses.diagnoses(conn, Wanted(condition=FAILING), 5, 50),
    "diagnoses of a reason": lambda conn: diagnoses.diagnoses(conn, Wanted(NOT_RESOLVED, reason="r"), 5, 50),
    "diagnoses since": lambda conn: diagnoses.diagnoses(conn, Wanted(changed_from_ms=5), 5, 50),
    "diagnoses of a stream": lambda conn: diagnoses.diagnoses(conn, Wanted(stream_id="s"), 5, 50),
    "transitions": lambda conn: diagnoses.transitions(conn, "d"),
    "how many subjects are faulty": cases.count_faults,
    "what fails is made due": lambda conn: cases.hasten_failing(conn, 5),
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
    steps = database.write_now(lambda conn: plan(conn, LISTS[name]))
    assert steps
    assert [] == [step for step in steps if step.startswith("SCAN")]


@sqlite_only
@pytest.mark.parametrize(
    "name",
    [
        *("streams", "streams, next part", "streams of a state", "streams of a condition", "streams of both"),
        *("signals", "deliveries", "deliveries of a verdict"),
        *("diagnoses", "open diagnoses", "diagnoses of a condition", "diagnoses of a reason", "diagnoses of a stream"),
    ],
)
def test_long_lists_are_not_sorted(database: Database, name: str) -> None:
    """What may hold many rows is read in the order of its index."""
    steps = database.read_now(lambda conn: plan(conn, LISTS[name]))
    assert [] == [step for step in steps if "TEMP B-TREE" in step]
