"""A store with a history, without HTTP: what Livepeer would send, taken in and diagnosed by the service's own code."""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random

from sqlalchemy import Connection, insert, update
from traffic import WEBHOOK_ID, batch

from receiver.clock import ManualClock
from receiver.diagnoser.bounds import USUAL
from receiver.diagnoser.passing import run_pass
from receiver.diagnoser.recent import Recent
from receiver.diagnosis.values import Limits
from receiver.ids import Ids
from receiver.simulation.script import LATENCY_MS
from receiver.simulation.sender import Event
from receiver.storage import inbox
from receiver.storage.arrival import read_again
from receiver.storage.engine import Database
from receiver.storage.schema import migrate
from receiver.storage.tables import CoverageRow

BATCH_EACH_MS = 400_000
"""A story takes 320 s: all is over before the next ones begin."""
AT_ONCE = 2_000


def fill(file: Path, events: int, begin_ms: int) -> int:
    """Make a store that was up since then, and in which so many events, or a few more, have arrived. Returns when the
    last did."""
    url = f"sqlite:///{file}"
    migrate(url)
    filling = _Filling(Database.open(url), ManualClock(begin_ms))
    while events > 0:
        events -= filling.take_batch()
    return filling.close()


class _Filling:
    def __init__(self, database: Database, clock: ManualClock) -> None:
        self._database, self._clock = database, clock
        self._ids, self._recent = Ids(clock, node=0), Recent()
        up = {"seq": self._ids.next(), "from_ms": clock.now_ms(), "until_ms": clock.now_ms()}
        database.write_now(lambda connection: connection.execute(insert(CoverageRow), up))

    def take_batch(self) -> int:
        """A batch of streams has all its events, in the order in which they would arrive. Returns how many."""
        begin_ms = self._clock.now_ms() + BATCH_EACH_MS
        told = batch(begin_ms, Random(begin_ms))  # noqa: S311 -- a fiction
        arriving = sorted(((at_ms + event.emitted_ms + LATENCY_MS, event) for at_ms, event in told), key=_when)
        left = iter(arriving)
        while some := list(islice(left, AT_ONCE)):
            self._database.write_now(partial(self._take, some))
        return len(arriving)

    def _take(self, some: Sequence[tuple[int, Event]], connection: Connection) -> None:
        arrivals = []
        for at_ms, event in some:
            self._clock.set(at_ms)
            arrivals.append(read_again(self._ids.next(), at_ms, "benchmark", None, event.body(WEBHOOK_ID, at_ms)))
        inbox.put(connection, arrivals)
        self._recent.add(arrivals)
        self._look(connection)

    def _look(self, connection: Connection) -> None:
        connection.execute(update(CoverageRow).values(until_ms=self._clock.now_ms()))
        while run_pass(connection, self._ids, self._clock.now_ms(), Limits(), USUAL, self._recent).handled:
            pass

    def close(self) -> int:
        """Time passes until nothing waits for it. Returns the moment."""
        self._clock.advance(BATCH_EACH_MS)
        self._database.write_now(self._look)
        self._database.close_now()
        return self._clock.now_ms()


def _when(told: tuple[int, Event]) -> int:
    return told[0]
