import asyncio
import json
from collections.abc import Sequence

import pytest

from receiver.clock import ManualClock
from receiver.errors import Overloaded, StoreUnavailable
from receiver.gate_values import GateSetting
from receiver.gates.gate import Gate, Posted, Recorded, Rules
from receiver.gates.gates import MOST_KEPT, Gates
from receiver.gates.tally import WINDOW_MS, Tally
from receiver.settings import Settings
from tests.gates.deciding import GATE_SECRET, PLAYBACK_ID, call, deciding, hang, says, signed
from tests.running import logged, until
from tests.sender import T0_MS


def posted(at_ms: int = T0_MS) -> Posted:
    """A genuine call."""
    body = call(at_ms)
    headers = signed(body, at_ms)
    return Posted(body, headers["Livepeer-Signature"], headers, "192.0.2.1", "req_1", asyncio.get_running_loop().time())


def configured(url: str) -> Settings:
    """One gate."""
    return Settings.model_validate({"gates": json.dumps({"main": {"url": url, "secret": GATE_SECRET}})})


class Taker:
    """Takes tallies, unless its store is away."""

    def __init__(self) -> None:
        self.taken: list[Tally] = []
        self.away = False

    async def take(self, tallies: Sequence[Tally]) -> None:
        """All or none."""
        if self.away:
            raise StoreUnavailable("The disk is full.")
        self.taken += tallies


async def decide(gates: Gates, times: int, at_ms: int) -> None:
    """So many calls, until they are recorded."""
    gate = gates.find("main")
    assert gate is not None
    for _ in range(times):
        await gate.decide(posted(at_ms))
    await asyncio.sleep(0)


async def test_what_is_decided_is_told_when_its_window_is_over() -> None:
    """Once; what is left when it stops, too."""
    clock, taker = ManualClock(T0_MS), Taker()
    with logged(clock):
        async with deciding(says(200)) as url:
            gates = Gates(configured(url.url), clock, taker.take)
            await gates.start(attended=True)
            await decide(gates, 3, T0_MS)
            await gates.tell()
            assert [] == taker.taken
            clock.advance(WINDOW_MS)
            await gates.tell()
            await gates.tell()
            assert [(PLAYBACK_ID, 3, T0_MS)] == [(one.playback_id, one.allowed, one.from_ms) for one in taker.taken]
            await decide(gates, 1, T0_MS + WINDOW_MS)
            await gates.stop()
    assert [3, 1] == [one.allowed for one in taker.taken]


async def test_what_cannot_be_told_is_told_later() -> None:
    """While the store is away nothing is lost, and it is known that it is."""
    clock, taker = ManualClock(T0_MS), Taker()
    with logged(clock) as log:
        async with deciding(says(200)) as url:
            gates = Gates(configured(url.url), clock, taker.take)
            taker.away = True
            await gates.start()
            await decide(gates, 2, T0_MS)
            clock.advance(WINDOW_MS)
            gates._telling.wake()
            await until(lambda: gates.store_fault)
            taker.away = False
            await until(lambda: taker.taken)
            await gates.stop()
    assert [2] == [one.allowed for one in taker.taken]
    assert {"gates"} == {line["part"] for line in log.of("store.unavailable", "store.recovered")}


async def test_what_nobody_takes_does_not_grow_for_ever() -> None:
    """The oldest go first."""
    taker = Taker()
    gates = Gates(Settings(), ManualClock(T0_MS), taker.take)
    gates._untold = [Tally("main", str(number), 0, 0, 0, 0) for number in range(MOST_KEPT + 7)]
    await gates.tell()
    assert (MOST_KEPT, "7") == (len(taker.taken), taker.taken[0].playback_id)


async def test_without_gates_there_is_nothing_to_do() -> None:
    """No connections, no turns."""
    gates = Gates(Settings(), ManualClock(T0_MS))
    await gates.start()
    assert (None, False, None) == (gates.find("main"), gates._telling.running, gates.store_fault)
    await gates.stop()


async def test_more_calls_than_can_be_at_hand_are_a_fault_at_once() -> None:
    """They do not wait; those at hand are not disturbed; and there is room again when these are answered."""
    recorded: list[Recorded] = []
    async with deciding(hang) as url:
        rules = Rules(tolerance_ms=300_000, budget_s=1.0, most_at_hand=2)
        gate = Gate(GateSetting("main", url.url, GATE_SECRET), rules, ManualClock(T0_MS), recorded.append)
        await gate.start()
        waiting = [asyncio.create_task(gate.decide(posted())) for _ in range(2)]
        await until(lambda: len(url.asked) == 2)
        with pytest.raises(Overloaded):
            await gate.decide(posted())
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        url.fault = says(200)
        assert 200 == (await gate.decide(posted())).status
        await asyncio.sleep(0)
        await gate.stop()
    assert [("failed", "overloaded"), ("allowed", None)] == [(r.decision.outcome, r.decision.code) for r in recorded]
