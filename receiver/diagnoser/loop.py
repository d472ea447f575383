"""The diagnoser at work: passes when something is due, sleeps until something will be, and says how it is."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from sqlalchemy import Connection

from receiver.background import Background
from receiver.clock import Clock
from receiver.diagnoser.apart import PassApart, TakenApart
from receiver.diagnoser.bounds import SHORT, USUAL, Bounds
from receiver.diagnoser.filing import file_apart
from receiver.diagnoser.mending import mend_senders
from receiver.diagnoser.moment import Moment
from receiver.diagnoser.outcome import Outcome
from receiver.diagnoser.passing import Conclusions, Passed, file_only, run_pass
from receiver.diagnoser.recent import Recent
from receiver.diagnoser.records import diagnosis_of
from receiver.diagnoser.worker_process import WorkerProcess
from receiver.diagnosis import life
from receiver.diagnosis.life import Change, Diagnosis
from receiver.diagnosis.values import Limits
from receiver.errors import StoreUnavailable
from receiver.ids import Ids
from receiver.logs import get_logger
from receiver.storage import episodes
from receiver.storage.arrival import Arrival
from receiver.storage.arrivals import Filed
from receiver.storage.claims import lock_subjects
from receiver.storage.engine import Database

LONGEST_SLEEP_S = 1.0
"""Other processes (`receiver quarantine release`) make work without waking us."""
GATHER_S = 2.0
QUIET_S = 0.02
"""After a pass, what comes is gathered for some times as long as the pass took (`Bounds.gather`), for so long at most,
or until nothing comes any more, or there is enough for another pass: ten events of a stream cost little more to judge
than one, and deliveries are to be committed meanwhile. A pass that took a few milliseconds delays the next one by as
little, and where more is left while nothing comes, none is delayed."""
TOLD_AT_ONCE = 128
MANY = 1024
"""Where more deliveries wait than that, they are looked at in one pass."""
TRIES_APART = 2
"""Of a pass that something is written beside, such as a heartbeat, before it is done at once, while deliveries wait."""
OTHERS_S = 0.02
"""Where all that is left is what other processes work on."""
SHORTEST_SLEEP_S = 0.01
"""A deadline that no pass moves must not keep us busy."""

_log = get_logger("receiver.diagnoser")

Act = Callable[[Diagnosis, int, str], Change | None]


@dataclass(frozen=True, slots=True)
class DiagnoserHealth:
    """How far it is behind: `lag_ms` is how long the oldest thing that it was woken for has been waiting, None where
    nothing waits; `pending` is how many deliveries waited when it last looked, `faults` how many subjects it could not
    judge, until they can be again, and how many passes in a row have failed since.
    """

    running: bool
    pending: int
    lag_ms: int | None
    faults: int


class Diagnoser:
    """Runs passes in the database's writer thread, one at a time."""

    def __init__(
        self,
        database: Database,
        ids: Ids,
        clock: Clock,
        limits: Limits | None,
        tell: Callable[[], None] = lambda: None,
        on_filed: Callable[[Sequence[Filed]], None] = lambda _filed: None,
        look_s: float = LONGEST_SLEEP_S,
    ) -> None:
        """`tell` is called after a pass that put notices into the outbox, `on_filed` with what became of deliveries
        once that is committed; `look_s` is the longest pause between two passes. Without `limits` it only files what
        was taken in, and others conclude."""
        self._look_s, self._on_filed = look_s, on_filed
        self._database, self._ids, self._clock, self._limits, self._tell = database, ids, clock, limits, tell
        self._background = Background("diagnoser", self._turn)
        self._recent = Recent()
        self._worker: WorkerProcess | None = None
        self._woken = 0
        """How often."""
        self._last: Passed | None = None
        self._waiting_ms: int | None = None
        """When it was first woken since the pass at hand began."""
        self._at_hand_ms: int | None = None
        """When it was first woken for what the pass at hand has to do; kept where that failed, or left something."""

    def stored(self, deliveries: Sequence[Arrival]) -> None:
        """These were committed to the inbox."""
        self._recent.add(deliveries)
        self.wake()

    def wake(self) -> None:
        """There is something new."""
        self._woken += 1
        if self._waiting_ms is None:
            self._waiting_ms = self._clock.now_ms()
        self._background.wake()

    async def start(self, worker: WorkerProcess | None = None) -> None:
        """Begin to work in the background, with the help of a process, which ends with this."""
        self._worker = worker
        await self._background.start()

    async def stop(self) -> None:
        """Finish the pass at hand, file what was taken in since, and stop."""
        await self._background.stop()
        with contextlib.suppress(StoreUnavailable):
            while await self._file_apart():
                pass
        if self._worker is not None:
            await self._worker.stop()

    async def settle(self) -> None:
        """Work until nothing is due at this moment. Raises StoreUnavailable."""
        while (await self._pass(self._bounds)).handled:
            pass

    @property
    def store_fault(self) -> StoreUnavailable | None:
        """Why the last pass failed, if it did for the store."""
        return self._background.store_fault

    @property
    def health(self) -> DiagnoserHealth:
        """How it is doing now; costs nothing to ask."""
        lag_ms = None if self._oldest_ms is None else max(self._clock.now_ms() - self._oldest_ms, 0)
        left, faults = (0, 0) if self._last is None else (self._last.left, self._last.faults)
        return DiagnoserHealth(self._background.running, left, lag_ms, faults + self._background.failures)

    async def acknowledge(self, diagnosis_id: str, caller: str) -> bool:
        """Somebody has seen the diagnosis; False where there is none with that id. Raises StoreUnavailable."""
        return await self._carry_out(diagnosis_id, caller, life.acknowledge)

    async def resolve(self, diagnosis_id: str, caller: str) -> bool:
        """Somebody says that it is over; False where there is none with that id. Raises StoreUnavailable."""
        return await self._carry_out(diagnosis_id, caller, life.resolve)

    async def _carry_out(self, diagnosis_id: str, caller: str, act: Act) -> bool:
        known = await self._database.write(lambda connection: self._act(connection, diagnosis_id, caller, act))
        self._tell()
        return known

    def _act(self, connection: Connection, diagnosis_id: str, caller: str, act: Act) -> bool:
        named = episodes.by_id(connection, diagnosis_id)
        if named is None:
            return False
        lock_subjects(connection, named["subject_kind"], [named["subject_id"]])
        row = episodes.by_id(connection, diagnosis_id) or named
        outcome = Outcome(self._ids, self._clock.now_ms())
        change = act(diagnosis_of(row), outcome.now_ms, caller)
        if change is not None:
            outcome.put_change(change, row)
            outcome.save(connection)
        return True

    async def _pass(self, bounds: Bounds) -> Passed:
        now_ms = self._clock.now_ms()
        self._at_hand_ms, self._waiting_ms = self._oldest_ms, None
        try:
            passed = await self._transact(now_ms, bounds)
        except StoreUnavailable:
            raise
        except Exception:
            await self._file_apart()
            raise
        await self._tell_filed(passed.filed)
        if not passed.more:
            self._at_hand_ms = None
        self._last = passed
        if passed.notices:
            self._tell()
        return passed

    @property
    def _oldest_ms(self) -> int | None:
        return self._waiting_ms if self._at_hand_ms is None else self._at_hand_ms

    @property
    def _bounds(self) -> Bounds:
        """Of the next pass: it has the one writer to itself, and deliveries wait for it to end. While little waits,
        little is done at a time; where much does, one large pass does it at a third of the cost. Where others conclude,
        nobody waits for a short one."""
        left = 0 if self._last is None else self._last.left
        return USUAL if self._limits is None or max(left, len(self._recent)) > MANY else SHORT

    async def _transact(self, now_ms: int, bounds: Bounds) -> Passed:
        """A short pass leaves the writer to deliveries while it thinks; what cannot be done so is done at once."""
        if bounds is SHORT and self._limits is not None and self._database.has_one_writer:
            moment = Moment(self._ids, now_ms, self._limits, bounds)
            for _ in range(TRIES_APART):
                passed = await self._pass_apart(PassApart(self._database, self._recent, moment))
                if passed is not None:
                    return passed
        return await self._pass_at_once(now_ms, bounds)

    async def _pass_apart(self, parts: PassApart) -> Passed | None:
        apart = await self._database.write(parts.take, bears=False)
        await self._tell_filed(apart.taken.filed)
        try:
            conclusions = await self._conclude(parts, apart)
        except (TypeError, ValueError):
            return None
        return await self._database.write(partial(parts.write, apart=apart, conclusions=conclusions), bears=False)

    async def _conclude(self, parts: PassApart, apart: TakenApart) -> Conclusions:
        """Beside us where that can be, else here."""
        if self._worker is not None:
            moment = replace(parts.moment, ids=self._ids.block())
            with self._database.reading():
                conclusions = await self._worker.conclude(moment, apart.taken)
            if conclusions is not None:
                return conclusions
        return await self._database.read(partial(parts.conclude, apart=apart))

    async def _pass_at_once(self, now_ms: int, bounds: Bounds) -> Passed:
        """One that fails for what is stored of the senders is done again once that is mended. One that another
        process was ahead of takes half as much each time it is done again: the less, the less likely to meet it."""
        tries = count()

        def work(connection: Connection) -> Passed:
            less = bounds.halved(next(tries))
            if self._limits is None:
                return file_only(connection, self._recent, less)
            return run_pass(connection, self._ids, now_ms, self._limits, less, self._recent)

        try:
            return await self._database.write(work)
        except (TypeError, ValueError):
            mended = await self._database.write(lambda connection: mend_senders(connection, now_ms))
            if not mended:
                raise
            for subject in mended:
                _log.exception("diagnoser.fault", webhook_id=subject.id if subject.kind == "webhook" else None)
        return await self._database.write(work)

    async def _file_apart(self) -> Sequence[Filed]:
        """What was taken in is to be in the log, whatever keeps us from judging it."""
        filed = await self._database.write(lambda connection: file_apart(connection, self._recent, USUAL))
        await self._tell_filed(filed)
        return filed

    async def _tell_filed(self, filed: Sequence[Filed]) -> None:
        """Some at a time: deliveries are to be answered meanwhile."""
        for start in range(0, len(filed), TOLD_AT_ONCE):
            self._on_filed(filed[start : start + TOLD_AT_ONCE])
            await asyncio.sleep(0)

    async def _turn(self) -> float:
        now_s = asyncio.get_running_loop().time
        begun_s, before, bounds = now_s(), self._woken, self._bounds
        passed = await self._pass(bounds)
        if not passed.more or self._woken != before:
            await self._gather(now_s() - begun_s, bounds)
        if passed.more:
            return 0.0 if passed.handled else OTHERS_S
        return self._pause_s(passed.deadline_ms)

    async def _gather(self, took_s: float, bounds: Bounds) -> None:
        now_s = asyncio.get_running_loop().time
        until_s, step_s, quiet_s = now_s() + min(bounds.gather * took_s, GATHER_S), min(took_s, QUIET_S), 0.0
        while len(self._recent) < bounds.enough and quiet_s < QUIET_S and (left_s := until_s - now_s()) > 0:
            before = self._woken
            await asyncio.sleep(min(step_s, left_s))
            quiet_s = quiet_s + step_s if self._woken == before else 0.0

    def _pause_s(self, deadline_ms: int | None) -> float:
        if deadline_ms is None:
            return self._look_s
        return min(max((deadline_ms - self._clock.now_ms()) / 1000, SHORTEST_SLEEP_S), self._look_s)
