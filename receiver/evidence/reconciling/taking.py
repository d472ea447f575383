"""Takes events from the sender's log in: those that are not here, and earlier attempts at those that are.

They go where deliveries go (`receiver.storage.arrivals`), marked as reconciled, and are deduplicated as these are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlalchemy import Connection

from receiver.clock import Clock
from receiver.evidence.reconciling.bodies import Logged, read_logged
from receiver.evidence.reconciling.tally import Tally
from receiver.evidence.reconciling.values import RefusedAs
from receiver.ids import Ids
from receiver.livepeer.studio.webhooks import LogEntry
from receiver.storage.arrival import RECONCILED, Arrival, understood
from receiver.storage.arrivals import append
from receiver.storage.attempted import attempted
from receiver.storage.engine import Database
from receiver.storage.event_keys import event_key

REMOTE: Final = "studio_api"
"""Where these come from, in place of an address."""
MOST_HELD: Final = 2_000
MOST_HELD_BYTES: Final = 16 << 20
AT_ONCE: Final = 100
"""Stored in one transaction: deliveries wait for it meanwhile."""


@dataclass(slots=True)
class Taking:
    """What is to be taken in of one run. Of each event, the first attempt that is read of: the log gives the newest
    first, so they are held until there are many, or `flush`. With `dry_run`, nothing is stored. `on_taken` is called
    after what was stored is on disk."""

    database: Database
    ids: Ids
    clock: Clock
    tally: Tally
    max_body_bytes: int
    on_taken: Callable[[], None] = lambda: None
    dry_run: bool = False
    _held: dict[bytes, Logged] = field(default_factory=dict)
    _held_bytes: int = 0

    async def take(self, webhook_id: str, entries: Sequence[LogEntry]) -> list[tuple[LogEntry, RefusedAs]]:
        """Look at these entries of a webhook's log. Returns those whose body cannot be used. Raises
        StoreUnavailable."""
        read = [(entry, read_logged(entry, webhook_id, self.max_body_bytes)) for entry in entries]
        found = [logged for _, logged in read if isinstance(logged, Logged)]
        keys = {logged.key for logged in found}
        here = await self.database.read(partial(attempted, keys=keys)) if keys else {}
        self.tally.attempts += len(read)
        for logged in found:
            self._see(logged, here.get(logged.key))
        if len(self._held) >= MOST_HELD or self._held_bytes >= MOST_HELD_BYTES:
            await self.flush()
        refused = [(entry, logged) for entry, logged in read if not isinstance(logged, Logged)]
        self.tally.refused.update(code for _, code in refused)
        return refused

    def _see(self, logged: Logged, here_ms: int | None) -> None:
        key, at_ms = logged.key, logged.envelope.timestamp_ms
        if here_ms is None or self.tally.follows(key):
            self.tally.saw(logged)
        else:
            self.tally.known += 1
        held = self._held.get(key)
        known_ms = here_ms if held is None else held.envelope.timestamp_ms
        if known_ms is None or at_ms < known_ms:
            self._held_bytes += len(logged.body) - (0 if held is None else len(held.body))
            self._held[key] = logged

    async def flush(self) -> None:
        """Store what is held. Raises StoreUnavailable, with what went before already taken in."""
        held = list(self._held.values())
        for start in range(0, len(held), AT_ONCE):
            if not self.dry_run:
                await self._store(held[start : start + AT_ONCE])
        self._held.clear()
        self._held_bytes = 0

    async def _store(self, some: Sequence[Logged]) -> None:
        arrivals = [arrival for logged in some if (arrival := self._arrival(logged)) is not None]
        new, earlier = await self.database.write(partial(_store, arrivals=arrivals))
        self.tally.taken_in += new
        self.tally.earlier += earlier
        self.on_taken()

    def _arrival(self, logged: Logged) -> Arrival | None:
        came = self.ids.next(), self.clock.now_ms(), REMOTE, None, logged.body
        arrival = understood(*came, logged.envelope, RECONCILED)
        if arrival.understood:
            return arrival
        self.tally.refused["not_an_event"] += 1
        return None


def _key(arrival: Arrival) -> bytes:
    return event_key(arrival.id, arrival.webhook_id)


def _store(connection: Connection, arrivals: Sequence[Arrival]) -> tuple[int, int]:
    """How many were new, and of how many there was a later attempt only. What came meanwhile is left as it is."""
    here = attempted(connection, {_key(arrival) for arrival in arrivals})
    wanted = [
        arrival
        for arrival in arrivals
        if (known_ms := here.get(_key(arrival))) is None or arrival.route.attempted_ms < known_ms
    ]
    outcomes = append(connection, wanted)
    new = sum(1 for outcome in outcomes if outcome.verdict == "accepted")
    return new, len(outcomes) - new
