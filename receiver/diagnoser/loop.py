"""The diagnoser at work: passes when something is due, sleeps until something will be, and says how it is."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from receiver.clock import Clock
from receiver.diagnoser.outcome import Outcome
from receiver.diagnoser.passing import Passed, run_pass
from receiver.diagnoser.records import diagnosis_of
from receiver.diagnosis import life
from receiver.diagnosis.life import Change, Diagnosis
from receiver.diagnosis.values import Limits
from receiver.errors import StoreUnavailable
from receiver.ids import Ids
from receiver.storage import episodes
from receiver.storage.engine import Database

LONGEST_SLEEP_S = 2.0
"""Other processes (`receiver quarantine release`) make work without waking us."""
AFTER_FAULT_S = 1.0
_log = structlog.stdlib.get_logger("receiver.diagnoser")

Act = Callable[[Diagnosis, int, str], Change | None]


@dataclass(frozen=True, slots=True)
class DiagnoserHealth:
    """How far it is behind: `lag_ms` is how long the oldest thing that it was woken for has been waiting, None where
    nothing waits; `pending` is how many deliveries waited when it last looked, `faults` how many subjects it could not
    judge then.
    """

    running: bool
    pending: int
    lag_ms: int | None
    faults: int


class Diagnoser:
    """Runs passes in the database's writer thread, one at a time."""

    def __init__(
        self, database: Database, ids: Ids, clock: Clock, limits: Limits, tell: Callable[[], None] = lambda: None
    ) -> None:
        """`tell` is called after a pass that put notices into the outbox."""
        self._database, self._ids, self._clock, self._limits, self._tell = database, ids, clock, limits, tell
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._last: Passed | None = None
        self._waiting_ms: int | None = None

    def wake(self) -> None:
        """There is something new."""
        if self._waiting_ms is None:
            self._waiting_ms = self._clock.now_ms()
        self._woken.set()

    async def start(self) -> None:
        """Begin to work in the background."""
        self._task = asyncio.create_task(self._work(), name="diagnoser")

    async def stop(self) -> None:
        """Finish the pass at hand, and stop."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def settle(self) -> None:
        """Work until nothing is due at this moment. Raises StoreUnavailable."""
        while (await self._pass()).handled:
            pass

    @property
    def health(self) -> DiagnoserHealth:
        """How it is doing now; costs nothing to ask."""
        running = self._task is not None and not self._task.done()
        lag_ms = None if self._waiting_ms is None else max(self._clock.now_ms() - self._waiting_ms, 0)
        last = self._last
        return DiagnoserHealth(running, 0 if last is None else last.left, lag_ms, 0 if last is None else last.faults)

    async def acknowledge(self, diagnosis_id: str, caller: str) -> bool:
        """Somebody has seen the diagnosis; False where there is none with that id. Raises StoreUnavailable."""
        return await self._database.write(
            lambda connection: self._act(connection, diagnosis_id, caller, life.acknowledge)
        )

    async def resolve(self, diagnosis_id: str, caller: str) -> bool:
        """Somebody says that it is over; False where there is none with that id. Raises StoreUnavailable."""
        return await self._database.write(lambda connection: self._act(connection, diagnosis_id, caller, life.resolve))

    def _act(self, connection: Connection, diagnosis_id: str, caller: str, act: Act) -> bool:
        row = episodes.by_id(connection, diagnosis_id)
        if row is None:
            return False
        outcome = Outcome(self._ids, self._clock.now_ms())
        change = act(diagnosis_of(row), outcome.now_ms, caller)
        if change is not None:
            outcome.put_change(change, row)
            outcome.save(connection)
        return True

    async def _pass(self) -> Passed:
        now_ms, waiting_ms = self._clock.now_ms(), self._waiting_ms
        self._waiting_ms = None
        try:
            passed = await self._transact(now_ms)
        except StoreUnavailable:
            self._waiting_ms = waiting_ms or now_ms
            raise
        if passed.more and self._waiting_ms is None:
            self._waiting_ms = waiting_ms
        self._last = passed
        if passed.notices:
            self._tell()
        return passed

    async def _transact(self, now_ms: int) -> Passed:
        return await self._database.write(lambda connection: run_pass(connection, self._ids, now_ms, self._limits))

    async def _work(self) -> None:
        while True:
            self._woken.clear()
            try:
                passed = await asyncio.shield(self._pass())
                pause_s = 0.0 if passed.more else self._pause_s(passed.deadline_ms)
            except StoreUnavailable as error:
                _log.warning("diagnoser.waiting", reason=error.detail)
                pause_s = AFTER_FAULT_S
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), pause_s)

    def _pause_s(self, deadline_ms: int | None) -> float:
        if deadline_ms is None:
            return LONGEST_SLEEP_S
        return min(max(deadline_ms - self._clock.now_ms(), 0) / 1000, LONGEST_SLEEP_S)
