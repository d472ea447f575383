"""Turns that go well, turns that fail, and the end of them."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from receiver.background import Background
from receiver.errors import StoreUnavailable
from tests.running import Log, logged, until

FOR_EVER_S = 1000.0


@pytest.fixture
def log() -> Iterator[Log]:
    """The log."""
    with logged() as lines:
        yield lines


class Turns:
    """Turns that fail as they are told to, and then pause for ever."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.taken = 0

    async def take(self) -> float:
        """One turn."""
        self.taken += 1
        if self.faults:
            raise self.faults.pop(0)
        return FOR_EVER_S

    def were(self, taken: int) -> Callable[[], bool]:
        """Whether so many were taken."""
        return lambda: self.taken == taken


async def test_the_first_turn_is_taken_at_once() -> None:
    """What an earlier process left is done without being asked for."""
    turns = Turns()
    work = Background("work", turns.take)
    await work.start()
    await until(turns.were(1))
    assert work.running
    await work.stop()
    assert not work.running


async def test_waking_ends_the_pause() -> None:
    """A turn follows each time that something is new."""
    turns = Turns()
    work = Background("work", turns.take)
    await work.start()
    await until(turns.were(1))
    work.wake()
    await until(turns.were(2))
    await work.stop()
    assert 2 == turns.taken


async def test_a_pause_ends_by_itself() -> None:
    """What is due later is done later."""
    turns = 0

    async def take() -> float:
        nonlocal turns
        turns += 1
        return 0.001

    work = Background("work", take)
    await work.start()
    await until(lambda: turns > 3)
    await work.stop()


async def test_what_comes_during_a_turn_has_a_turn_of_its_own() -> None:
    """The turn at hand may have looked already."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    turns = 0

    async def take() -> float:
        nonlocal turns
        turns += 1
        begun.set()
        await go_on.wait()
        return FOR_EVER_S

    work = Background("work", take)
    await work.start()
    await begun.wait()
    work.wake()
    go_on.set()
    await until(lambda: turns == 2)
    await work.stop()


async def test_stopping_waits_for_the_turn_at_hand() -> None:
    """It is finished, not cut off, and none follows."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    finished = 0

    async def take() -> float:
        nonlocal finished
        begun.set()
        await go_on.wait()
        finished += 1
        return 0.0

    work = Background("work", take)
    await work.start()
    await begun.wait()
    stopping = asyncio.create_task(work.stop())
    await asyncio.sleep(0.01)
    assert not stopping.done()
    go_on.set()
    await stopping
    assert 1 == finished


async def test_what_was_not_started_can_be_stopped() -> None:
    """A service that is attended by hand starts nothing by itself."""
    await Background("work", Turns().take).stop()


async def test_a_lost_store_is_told_once_and_its_return_too(log: Log) -> None:
    """Tries go on; the log has one line for the outage and one for its end, whatever was tried in between."""
    fault = StoreUnavailable("The store cannot be used.")
    fault.__cause__ = OSError("disk I/O error")
    turns = Turns(fault, fault, fault)
    work = Background("work", turns.take, retry_s=0.001)
    await work.start()
    await until(turns.were(4))
    await work.stop()
    assert ["store.unavailable", "store.recovered"] == log.events()
    assert [("error", "work", "OSError: disk I/O error"), ("info", "work", None)] == [
        (line["level"], line["part"], line.get("error")) for line in log.lines
    ]


async def test_a_defect_does_not_end_the_work(log: Log) -> None:
    """Each failure is logged with its traceback; the next turn that goes well ends the count."""
    turns = Turns(RuntimeError("a rule is wrong"), RuntimeError("a rule is wrong"))
    work = Background("work", turns.take, retry_s=0.001)
    await work.start()
    await until(turns.were(2))
    assert 1 <= work.failures <= 2
    await until(turns.were(3))
    await work.stop()
    assert 0 == work.failures
    assert [("service.fault", "error", 1), ("service.fault", "error", 2)] == [
        (line["event"], line["level"], line["failures"]) for line in log.lines
    ]
    assert "RuntimeError: a rule is wrong" in log.lines[0]["exception"]


async def test_being_woken_does_not_hurry_a_retry(log: Log) -> None:
    """A burst of deliveries during a fault must not make a burst of failures."""
    turns = Turns(StoreUnavailable("gone"))
    work = Background("work", turns.take, retry_s=FOR_EVER_S)
    await work.start()
    await until(turns.were(1))
    for _ in range(5):
        work.wake()
        await asyncio.sleep(0)
    await work.stop()
    assert 1 == turns.taken
