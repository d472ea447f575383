"""What is written of the time in which we were up."""

import pytest

from receiver.clock import ManualClock
from receiver.errors import StoreUnavailable
from receiver.heartbeat import Heartbeat
from receiver.ids import Ids
from receiver.storage import coverage
from receiver.storage.engine import Database
from tests.running import until
from tests.sender import T0_MS


def covered(database: Database) -> list[tuple[int, int]]:
    """The intervals of coverage, counted from T0."""
    return [(begun - T0_MS, ended - T0_MS) for begun, ended in database.read_now(coverage.load)]


async def test_we_are_up_from_the_start(database: Database) -> None:
    """The first moment is written before the first beat."""
    clock = ManualClock(T0_MS)
    await Heartbeat(database, Ids(clock, 0), clock).begin()
    assert [(0, 0)] == covered(database)


async def test_it_beats_by_itself(database: Database) -> None:
    """Coverage follows the clock without anybody asking."""
    clock = ManualClock(T0_MS)
    heartbeat = Heartbeat(database, Ids(clock, 0), clock, every_s=0.001)
    await heartbeat.begin()
    await heartbeat.start()
    clock.advance(10_000)
    await until(lambda: covered(database) == [(0, 10_000)])
    clock.advance(10_000)
    await until(lambda: covered(database) == [(0, 20_000)])
    await heartbeat.stop()


async def test_it_does_not_beat_while_deliveries_cannot_be_stored(database: Database) -> None:
    """Then we are up, and not accepting."""
    clock = ManualClock(T0_MS)
    heartbeat = Heartbeat(database, Ids(clock, 0), clock, able=unable)
    await heartbeat.begin()
    clock.advance(10_000)
    with pytest.raises(StoreUnavailable):
        await heartbeat.beat()
    assert [(0, 0)] == covered(database)


async def unable() -> None:
    """Say so."""
    raise StoreUnavailable("Deliveries cannot be stored.")


async def test_sleep_is_a_gap(database: Database) -> None:
    """A machine that slept took no deliveries meanwhile: another interval begins (P6)."""
    clock = ManualClock(T0_MS)
    heartbeat = Heartbeat(database, Ids(clock, 0), clock)
    await heartbeat.begin()
    clock.advance(3_600_000)
    await heartbeat.beat()
    clock.advance(10_000)
    await heartbeat.beat()
    assert [(0, 0), (3_600_000, 3_610_000)] == covered(database)
