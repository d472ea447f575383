"""Retention: what has been kept long enough is removed, a little at a time, while deliveries are taken in.

A round goes through one table after another, oldest first. Each batch is a write transaction of a few milliseconds, and
leaves the one writer alone for several times as long. What must stay is passed over, and looked at again a day later.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlalchemy import Connection

from receiver.background import Background
from receiver.clock import Clock
from receiver.diagnoser.bases import remove_deliveries
from receiver.diagnoser.forgetting import remove_events
from receiver.diagnosis.values import Limits
from receiver.errors import StoreUnavailable
from receiver.ids import first_of
from receiver.keeping import DAY_MS, Keeping
from receiver.logs import get_logger
from receiver.storage import bases, bodies, coverage, retention, space
from receiver.storage.engine import Database
from receiver.storage.retention import DONE, Span, Step

EVERY_S: Final = 300.0
"""Between two rounds."""
REST: Final = 4.0
SHORTEST_REST_S: Final = 0.01
"""After a batch the writer is left alone for so many times as long as it took, and at least so long."""
AGAIN_MS: Final = DAY_MS
"""What was passed over is looked at again after a day."""
LEAP_MS: Final = 7 * DAY_MS
BELIEVED_AFTER_MS: Final = 3_600_000
"""A clock that has moved on by more than a week since the last round is believed after an hour only: what is removed
for a clock that was wrong does not come back. After a long time of not running, that costs an hour."""
_log = get_logger("receiver")


def _without_end(_: Connection) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class Chore:
    """One kind of what is stored: under which name its removal is counted, for how long it is kept, what removes a
    batch of it, of how many rows, and what besides its age (a `seq`) ends what may go."""

    name: str
    keep_ms: int
    batch: Callable[[Connection, Span], Step]
    most: int = 200
    end: Callable[[Connection], int | None] = _without_end

    def work(self, connection: Connection, after: int, now_ms: int) -> Step:
        """One batch, in the caller's transaction; nothing while another process is at it."""
        if not bases.take_turn(connection):
            return DONE
        before, end = first_of(now_ms - self.keep_ms), self.end(connection)
        return self.batch(connection, Span(after, before if end is None else min(before, end), self.most))


def chores(keeping: Keeping, limits: Limits) -> Sequence[Chore]:
    """All that a round does, in its order."""
    events = partial(remove_events, limits=limits)
    return (
        Chore("events_removed", keeping.events_ms, events, most=64, end=retention.oldest_waiting),
        Chore("deliveries_removed", keeping.deliveries_ms, remove_deliveries, end=retention.oldest_waiting),
        Chore("quarantined_removed", keeping.quarantine_ms, retention.remove_quarantine),
        Chore("notices_removed", keeping.notices_ms, retention.remove_notices, end=retention.oldest_untold),
        Chore("diagnoses_removed", keeping.diagnoses_ms, retention.remove_diagnoses, most=100),
        Chore("idempotency_keys_removed", keeping.events_ms, retention.remove_keys),
        Chore("gaps_removed", keeping.events_ms, coverage.forget_gaps),
        Chore("bodies_compressed", keeping.plain_ms, bodies.pack_some, most=64, end=retention.oldest_waiting),
        Chore("bytes_given_back", 0, space.give_back, most=64),
    )


@dataclass(slots=True)
class _Round:
    left: list[Chore]
    now_ms: int
    removed: Counter[str] = field(default_factory=Counter)


class Retention:
    """Takes its rounds in the background, one batch in each turn."""

    def __init__(
        self, database: Database, clock: Clock, keeping: Keeping, limits: Limits, every_s: float = EVERY_S
    ) -> None:
        self._database, self._clock, self._every_s = database, clock, every_s
        self._chores = chores(keeping, limits)
        self._background = Background("retention", self._turn)
        self._reached: dict[str, int] = {}
        """How far each kind was looked through."""
        self._from_start_ms: int | None = None
        """When looking through all began last."""
        self._round: _Round | None = None
        self._leapt_ms: int | None = None
        """Since when, by the clock itself, it is not believed."""

    async def start(self) -> None:
        """Begin to take rounds."""
        await self._background.start()

    async def stop(self) -> None:
        """Finish the batch at hand, and take no more."""
        await self._background.stop()

    @property
    def store_fault(self) -> StoreUnavailable | None:
        """Why the last batch failed, if it did for the store."""
        return self._background.store_fault

    async def sweep(self) -> Mapping[str, int]:
        """A whole round now, without pauses; how many of each kind were removed. Raises StoreUnavailable."""
        self._round = round_ = await self._begun()
        while round_.left:
            await self._step(round_)
        return self._ended(round_)

    async def _turn(self) -> float:
        round_ = self._round = self._round or await self._begun()
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        await self._step(round_)
        if round_.left:
            return max(REST * (loop.time() - begun_s), SHORTEST_REST_S)
        self._ended(round_)
        return self._every_s

    async def _begun(self) -> _Round:
        now_ms = await self._believed_ms()
        if self._from_start_ms is None or not 0 <= now_ms - self._from_start_ms < AGAIN_MS:
            self._from_start_ms = now_ms
            self._reached.clear()
        return _Round(list(self._chores), now_ms)

    async def _believed_ms(self) -> int:
        """The present moment, or the last one at which the clock was believed."""
        now_ms, last_ms = self._clock.now_ms(), await self._database.read(bases.last_round_ms)
        if last_ms and now_ms - last_ms > LEAP_MS:
            if self._leapt_ms is None or now_ms < self._leapt_ms:
                self._leapt_ms = now_ms
            if now_ms - self._leapt_ms < BELIEVED_AFTER_MS:
                return last_ms
        self._leapt_ms = None
        await self._database.write(lambda connection: bases.note_round(connection, now_ms))
        return now_ms

    async def _step(self, round_: _Round) -> None:
        """One batch. A kind that fails for a defect of ours must not keep the others: it waits for the next round."""
        chore = round_.left[0]
        work = partial(chore.work, after=self._reached.get(chore.name, 0), now_ms=round_.now_ms)
        try:
            step = await self._database.write(work)
        except StoreUnavailable:
            raise
        except Exception:
            del round_.left[0]
            raise
        round_.removed[chore.name] += step.removed
        if step.reached is None:
            del round_.left[0]
        else:
            self._reached[chore.name] = step.reached

    def _ended(self, round_: _Round) -> Mapping[str, int]:
        self._round = None
        removed = {chore.name: round_.removed[chore.name] for chore in self._chores}
        if any(removed.values()):
            _log.info("retention.removed", **removed)
        return removed
