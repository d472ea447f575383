import pytest
from sqlalchemy import insert

from receiver.clock import ManualClock
from receiver.ids import Ids
from receiver.storage import coverage, latest
from receiver.storage.engine import Database
from receiver.storage.latest import latest_seq
from receiver.storage.tables import Base, OutboxRow, PendingRow, table_of
from tests.sender import T0_MS

OF_OTHERS = {"outbox_due", "places", "bodies", "packed_bodies"}
"""Their `seq` is the notice's, and the signal's."""


def test_an_empty_database_begins_at_nothing(database: Database) -> None:
    """Any id will do."""
    assert 0 == database.read_now(latest_seq)


@pytest.mark.parametrize("first", [7, 9])
def test_the_highest_of_all_tables_counts(database: Database, first: int) -> None:
    """Whichever table it stands in."""
    notice = {"seq": first, "at_ms": 0, "kind": "diagnosis.opened", "payload": "{}"}
    waiting = {"seq": 16 - first, "signal_seq": None, "changed": False}
    database.write_now(lambda conn: conn.execute(insert(table_of(OutboxRow)), notice))
    database.write_now(lambda conn: conn.execute(insert(table_of(PendingRow)), waiting))
    assert 9 == database.read_now(latest_seq)


def test_numbering_goes_on_after_the_clock_stepped_back(database: Database) -> None:
    """A process started with an earlier time gives ids above those that are stored, so nothing is written twice."""
    before = Ids(ManualClock(T0_MS), node=0)
    database.write_now(lambda conn: coverage.begin(conn, before, T0_MS))
    after = Ids(ManualClock(T0_MS - 3_600_000), node=0, floor=database.read_now(latest_seq))
    assert after.next() > database.read_now(latest_seq)


def test_no_numbered_table_is_left_out() -> None:
    """A table added later that is numbered like these must be looked at too."""
    numbered = {table.name for table in Base.metadata.tables.values() if "seq" in table.primary_key.columns}
    assert numbered - OF_OTHERS == latest_tables()


def latest_tables() -> set[str]:
    """The tables that are looked at."""
    return {column.class_.__tablename__ for column in latest._NUMBERED}
