"""All gates of a service: found by name, started and stopped with it, their decisions logged and counted."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from receiver.background import Background
from receiver.clock import Clock
from receiver.errors import StoreUnavailable
from receiver.gates.gate import Gate, Recorded, Rules
from receiver.gates.log import DecisionLog
from receiver.gates.tally import WINDOW_MS, Tallies, Tally
from receiver.settings import Settings

OnTally: TypeAlias = Callable[[Sequence[Tally]], Awaitable[None]]
"""Takes what was counted in windows that are over; may raise StoreUnavailable, and is then given them again."""
MOST_KEPT: Final = 5000
"""Tallies that are kept for who could not take them; the oldest go first."""


async def leave(_tallies: Sequence[Tally]) -> None:
    """Nobody wants them."""


class Gates:
    """The gates that are configured, perhaps none."""

    def __init__(self, settings: Settings, clock: Clock, on_tally: OnTally = leave) -> None:
        rules = Rules(settings.tolerance_ms, settings.gate_timeout_s, settings.gate_on_fault == "allow")
        self._gates = {one.name: Gate(one, rules, clock, self._record) for one in settings.gates}
        self._keeps_viewers = settings.gate_keep_viewers
        self._clock = clock
        self._on_tally = on_tally
        self._log = DecisionLog()
        self._tallies = Tallies()
        self._untold: Sequence[Tally] = ()
        self._telling = Background("gates", self._turn)

    @property
    def store_fault(self) -> StoreUnavailable | None:
        """Why what was counted could not be told, if it could not for the store."""
        return self._telling.store_fault

    def find(self, name: str) -> Gate | None:
        """The gate of that name."""
        return self._gates.get(name)

    async def start(self, *, attended: bool = False) -> None:
        """Make ready to take calls. With `attended`, whoever moves the clock calls `tell`."""
        for gate in self._gates.values():
            await gate.start()
        if self._gates and not attended:
            await self._telling.start()

    async def stop(self) -> None:
        """Answer the calls at hand, and tell what was counted."""
        for gate in self._gates.values():
            await gate.stop()
        self._log.flush()
        await self._telling.stop()
        with contextlib.suppress(StoreUnavailable):
            await self._tell(None)

    async def tell(self) -> None:
        """Hand over what was counted in windows that are over. Raises StoreUnavailable."""
        await self._tell(self._clock.now_ms())

    async def _turn(self) -> float:
        await self.tell()
        return WINDOW_MS / 1000

    async def _tell(self, now_ms: int | None) -> None:
        self._untold = [*self._untold, *self._tallies.take(now_ms)][-MOST_KEPT:]
        if self._untold:
            await self._on_tally(self._untold)
            self._untold = ()

    def _record(self, recorded: Recorded) -> None:
        decision, posted = recorded.decision, recorded.posted
        self._tallies.add(decision)
        viewer_ip = recorded.viewer_ip if self._keeps_viewers else None
        self._log.write(decision, request_id=posted.request_id, viewer_ip=viewer_ip, remote=posted.remote)
