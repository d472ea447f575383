"""The inbox: verify, append, and only then answer (P1)."""

import asyncio
from collections.abc import Callable, Sequence

from receiver.clock import Clock
from receiver.delivery_log import UnreadLog, log_turned_away
from receiver.errors import Overloaded, ReceiverError, StoreUnavailable, Unavailable
from receiver.group_commit import BOUNDS, Bounds, GroupCommit, Item
from receiver.ids import Ids
from receiver.livepeer.verification import Refused
from receiver.quarantine import Quarantine
from receiver.reception import Delivery, Reception
from receiver.rehearsal import Rehearsal
from receiver.storage.arrival import Arrival, Outcome
from receiver.storage.engine import Database
from receiver.storage.quarantine import Rejection


class Inbox:
    """Takes in deliveries. `on_stored` is called after each commit, with the verified deliveries that it carried: they
    are to be filed and looked at."""

    def __init__(
        self,
        database: Database,
        ids: Ids,
        clock: Clock,
        reception: Reception,
        on_stored: Callable[[Sequence[Arrival]], None],
        quarantine: Quarantine | None = None,
        bounds: Bounds = BOUNDS,
    ) -> None:
        self._ids = ids
        self._clock = clock
        self._reception = reception
        self._on_stored = on_stored
        self._quarantine = quarantine or Quarantine()
        self._rehearsal = Rehearsal(database, ids)
        self._commits = GroupCommit(database, self._rehearsal, self._quarantine, self._stored, bounds)
        self._unread = UnreadLog()

    @property
    def waiting(self) -> int:
        """How many deliveries wait for a transaction to carry them."""
        return self._commits.waiting

    @property
    def store_fault(self) -> StoreUnavailable | None:
        """Why deliveries could not be stored, where none was since, nor a rehearsal."""
        return self._rehearsal.fault

    def refuse_while(self, is_unsafe: Callable[[], bool]) -> None:
        """Store nothing while it says that what is stored may be lost."""
        self._commits.refuse_while(is_unsafe)

    def call_when_lost(self, call: Callable[[], None]) -> None:
        """Whenever deliveries cannot be stored."""
        self._rehearsal.call_when_lost(call)

    async def rehearse(self) -> None:
        """Where deliveries could not be stored, try whether as much can be now, though none comes. Raises
        StoreUnavailable."""
        await self._rehearsal.rehearse()

    async def start(self) -> None:
        """Begin to commit what is delivered."""
        await self._commits.start()

    async def stop(self) -> None:
        """Take in no more, and commit all that waits. Later deliveries raise StoreUnavailable."""
        await self._commits.stop()

    def put(self, body: bytes, signature: str | None, remote: str) -> asyncio.Future[Outcome | None]:
        """As `deliver`, for what needs nothing but to be stored: done once it is on disk. What raises Refused,
        Overloaded or StoreUnavailable at once has left no trace, and is to be delivered: it is verified again then."""
        delivery = Delivery(body, signature, remote, self._clock.now_ms())
        return self._commits.put(self._reception.receive(delivery, self._ids.next()))

    async def deliver(self, body: bytes, signature: str | None, remote: str) -> None:
        """Verify and store one delivery; returns when it is on disk. `signature` is the `Livepeer-Signature` header,
        `remote` the address it came from.

        Raises Refused for what is not taken in, StoreUnavailable, and Overloaded where too much waits already. A
        delivery of Livepeer's shape that fails verification is Refused only once its body is kept.
        """
        delivery = Delivery(body, signature, remote, self._clock.now_ms())
        seq = self._ids.next()
        try:
            arrival = self._reception.receive(delivery, seq)
        except Refused as refused:
            await self._turn_away(delivery, refused, seq)
            raise
        await self._commits.put(arrival)

    def turned_away(self, error: ReceiverError, remote: str) -> None:
        """Say that a delivery was answered with `error` and nothing of it is kept. A fault of the store is told where
        it happens."""
        if not isinstance(error, StoreUnavailable):
            self._unread.write(error, remote, self._clock.now_ms())

    async def _turn_away(self, delivery: Delivery, refused: Refused, seq: int) -> None:
        """Keep and record it. After a 401 the sender never comes again (FACTS 1.3), so if it may be genuine and cannot
        be kept, this raises what is answered with 503."""
        may_be_lost = refused.status == 401 and refused.claim is not None
        rejection = self._quarantine.consider(delivery, refused, seq)
        try:
            outcome = None if rejection is None else await self._commits.put(rejection)
        except Unavailable:
            if may_be_lost:
                raise
            return
        if may_be_lost and (outcome is None or outcome.verdict != "quarantined"):
            raise Overloaded(
                "The delivery cannot be verified, and too many such are kept already. Please try again later.",
                retry_after_s=60,
            ) from refused

    def _stored(self, items: Sequence[Item], outcomes: Sequence[Outcome | None]) -> None:
        self._on_stored([item for item in items if isinstance(item, Arrival)])
        log_turned_away(
            (item, outcome)
            for item, outcome in zip(items, outcomes, strict=True)
            if outcome is not None and isinstance(item, Rejection)
        )
