"""The intervals in which we were up."""

from functools import partial

import pytest
from sqlalchemy import insert, select

from receiver.clock import ManualClock
from receiver.ids import Ids, first_of
from receiver.storage import coverage
from receiver.storage.engine import Database
from receiver.storage.retention import Span
from receiver.storage.tables import SubjectRow


@pytest.fixture
def ids() -> Ids:
    """Ids of a clock that stands still."""
    return Ids(ManualClock(1_000_000), node=0)


def intervals(database: Database, ids: Ids, begins_ms: int, *heartbeats_ms: int) -> tuple[coverage.Interval, ...]:
    """What is covered after a start and some heartbeats."""
    database.write_now(lambda c: coverage.begin(c, ids, begins_ms))
    for at_ms in heartbeats_ms:
        database.write_now(partial(coverage.extend, ids=ids, now_ms=at_ms))
    return database.read_now(coverage.load)


def test_nothing_is_covered_at_first(database: Database) -> None:
    """Before the first start there is no interval."""
    assert database.read_now(coverage.load) == ()


def test_a_start_covers_its_moment(database: Database, ids: Ids) -> None:
    """An interval begins empty."""
    assert intervals(database, ids, 1000) == ((1000, 1000),)


def test_heartbeats_extend_the_interval(database: Database, ids: Ids) -> None:
    """Each heartbeat within 30 s moves the end."""
    assert intervals(database, ids, 1000, 11_000, 41_000) == ((1000, 41_000),)


def test_a_silence_is_a_gap(database: Database, ids: Ids) -> None:
    """More than 30 s without a heartbeat are not covered, though the process went on."""
    assert intervals(database, ids, 1000, 31_001) == ((1000, 1000), (31_001, 31_001))


def test_a_restart_is_a_gap(database: Database, ids: Ids) -> None:
    """What lies between the last heartbeat and the next start is not covered, however short."""
    intervals(database, ids, 1000, 11_000)
    assert intervals(database, ids, 15_000, 20_000) == ((1000, 11_000), (15_000, 20_000))


def test_a_clock_that_was_ahead_is_not_believed(database: Database, ids: Ids) -> None:
    """What it said of a time that has not come is taken back: we may be down by then."""
    assert intervals(database, ids, 1000, 11_000, 3_611_000, 3_621_000, 21_000) == ((1000, 21_000),)


def test_a_clock_that_is_behind_is_believed(database: Database, ids: Ids) -> None:
    """Nobody can tell that it is wrong; once it is right again, there is a gap, after which retries are awaited."""
    assert intervals(database, ids, 1000, 21_000, 41_000, 61_000, 5000, 71_000) == ((1000, 5000), (71_000, 71_000))


def test_a_start_after_a_clock_was_ahead_takes_back_too(database: Database, ids: Ids) -> None:
    """What the process before has said is not believed either."""
    intervals(database, ids, 3_601_000, 3_611_000)
    assert intervals(database, ids, 1000, 11_000) == ((1000, 11_000),)


def test_what_waited_for_a_clock_that_was_ahead_is_due(database: Database, ids: Ids) -> None:
    """Its deadline may stand an hour too late."""
    intervals(database, ids, 3_601_000)
    waiting = {"kind": "stream", "id": "s", "conditions": "[]", "folded_count": 0, "deadline_ms": 7_200_000}
    database.write_now(lambda c: c.execute(insert(SubjectRow), waiting))
    database.write_now(lambda c: coverage.extend(c, ids, 1000))
    assert database.read_now(lambda c: c.execute(select(SubjectRow.deadline_ms)).scalar_one()) == 1000


def test_a_clock_that_steps_back_a_little_takes_nothing_away(database: Database, ids: Ids) -> None:
    """The end never moves back, by less than a silence may last: that may be another process's clock."""
    assert intervals(database, ids, 1000, 11_000, 5000) == ((1000, 11_000),)


def test_overlapping_intervals_are_one(database: Database, ids: Ids) -> None:
    """A restart after the clock stepped back begins inside what is covered already."""
    intervals(database, ids, 1000, 11_000)
    assert intervals(database, ids, 6000, 16_000) == ((1000, 16_000),)


def test_a_heartbeat_without_a_start_begins(database: Database, ids: Ids) -> None:
    """The first heartbeat opens an interval where none is."""
    database.write_now(lambda c: coverage.extend(c, ids, 7000))
    assert database.read_now(coverage.load) == ((7000, 7000),)


def test_the_oldest_gaps_are_forgotten_when_there_are_too_many(database: Database, ids: Ids) -> None:
    """The first start and the newest intervals stay; what lay between the oldest counts as covered."""
    for at_ms in range(100_000, 1_100_000, 100_000):
        database.write_now(partial(coverage.begin, ids=ids, now_ms=at_ms))
    before = first_of(500_000)
    assert 3 == forget(database, before, 6)
    assert ((100_000, 400_000), (500_000, 500_000)) == database.read_now(coverage.load)[:2]


def test_no_young_gap_is_forgotten(database: Database, ids: Ids) -> None:
    """However many there are."""
    for at_ms in range(100_000, 1_100_000, 100_000):
        database.write_now(partial(coverage.begin, ids=ids, now_ms=at_ms))
    assert (2, 0) == (forget(database, first_of(300_001), 1), forget(database, first_of(300_001), 1))
    assert ((100_000, 300_000), (400_000, 400_000)) == database.read_now(coverage.load)[:2]


def test_few_gaps_are_kept_for_ever(database: Database, ids: Ids) -> None:
    """What was concluded from silence comes out the same, years later."""
    for at_ms in (100_000, 200_000):
        database.write_now(partial(coverage.begin, ids=ids, now_ms=at_ms))
    assert 0 == forget(database, first_of(10**12), 2)


def forget(database: Database, before: int, most: int) -> int:
    """How many gaps are forgotten."""
    return database.write_now(lambda c: coverage.forget_gaps(c, Span(0, before, 200), most)).removed
