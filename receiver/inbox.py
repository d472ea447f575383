"""The inbox: verify, append, and only then answer (P1).

Deliveries are committed in groups. While one transaction is being synced to disk the next deliveries gather; then one
task hands all that waits, and all that is there to be read, to the next. Where one connection writes, whatever else it
writes carries what has come meanwhile as well: a delivery that has to wait for the diagnoser is committed with what it
waited for. There is no timer: a lone delivery is committed at once, and a request waits for nothing but the commit that
carries it.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from msgspec import Struct
from sqlalchemy import Connection

from receiver.clock import Clock
from receiver.delivery_log import UnreadLog, log_recovered, log_turned_away, log_unavailable
from receiver.errors import Overloaded, ReceiverError, StoreUnavailable, Unavailable
from receiver.ids import Ids
from receiver.livepeer.verification import Refused
from receiver.quarantine import Quarantine
from receiver.reception import Delivery, Reception
from receiver.storage import inbox
from receiver.storage.arrival import Arrival, Outcome
from receiver.storage.engine import NOT_TAKEN, Database
from receiver.storage.quarantine import Rejection

Item: TypeAlias = Arrival | Rejection


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many deliveries may wait, how many bytes of them (those that are just committed included), and how many go
    into one transaction: a larger group gains nothing and lets its first request wait for its last."""

    waiting: int = 10_000
    waiting_bytes: int = 64 << 20
    at_once: int = 512


BOUNDS: Final = Bounds()
_DAMAGED: Final = "The store is damaged; nothing was taken in. Please try again."
LARGEST_REHEARSAL: Final = 1 << 20
"""In bytes."""


_NOT_HERE: Final = (
    "No deliveries are taken in here at the moment: the service is starting, stopping, or has another role. Please try"
    " again."
)


class _Waiting(Struct, frozen=True):
    item: Item
    stored: asyncio.Future[Outcome | None]


class _Lost(Struct, frozen=True):
    """What could not be stored: why, the `seq` to rehearse under, and how many bytes there were."""

    fault: StoreUnavailable
    seq: int
    size: int


class Inbox:
    """Takes in deliveries. `on_stored` is called after each commit, with the verified deliveries that it carried: they
    are to be filed and looked at. It has `precedence` from when a delivery waits until the last one is answered."""

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
        self._database = database
        self._ids = ids
        self._clock = clock
        self._reception = reception
        self._on_stored = on_stored
        self._quarantine = quarantine or Quarantine()
        self._bounds = bounds
        self._unread = UnreadLog()
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._front = threading.Lock()
        """Held by who looks at what waits longest, or takes it, or gives it back: two threads do."""
        self._aboard: list[_Waiting] = []
        self._stopping, self._ending = False, False
        self._lost: _Lost | None = None
        self._is_unsafe: Callable[[], bool] = lambda: False
        self._on_lost: list[Callable[[], None]] = []
        self._loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many deliveries wait for a transaction to carry them."""
        return len(self._waiting)

    @property
    def store_fault(self) -> StoreUnavailable | None:
        """Why deliveries could not be stored, where none was since, nor a rehearsal."""
        return None if self._lost is None else self._lost.fault

    def refuse_while(self, is_unsafe: Callable[[], bool]) -> None:
        """Store nothing while it says that what is stored may be lost."""
        self._is_unsafe = is_unsafe

    def call_when_lost(self, call: Callable[[], None]) -> None:
        """Whenever deliveries cannot be stored."""
        self._on_lost.append(call)

    async def rehearse(self) -> None:
        """Where deliveries could not be stored, try whether as much can be now, though none comes. Raises
        StoreUnavailable."""
        lost = self._lost
        if lost is not None:
            await self._database.write(partial(inbox.rehearse, seq=lost.seq, size=lost.size))
            await self._database.write(partial(inbox.unrehearse, seq=lost.seq))
            self._found()

    async def start(self) -> None:
        """Begin to commit what is delivered."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._commit_all(), name="inbox")
        if self._database.has_one_writer:
            self._database.carry(self)

    async def stop(self) -> None:
        """Take in no more, and commit all that waits. Later deliveries raise StoreUnavailable."""
        self._stopping = True
        if self._task is None:
            return
        if self._database.has_one_writer:
            self._database.carry(None)
            with contextlib.suppress(StoreUnavailable):
                await self._database.write(lambda _: None)  # what still carries some has ended, well or not
        self._ending = True
        self._wake.set()
        await self._task

    def board(self, connection: Connection) -> None:
        """Let what waits be carried by a transaction of others. Where that cannot be, it goes by itself. Runs in the
        writer's thread."""
        if self._is_unsafe():
            return
        self._fill(self._aboard, (Arrival,))
        if self._aboard:
            try:
                with connection.begin_nested():
                    self._put_in(connection, self._aboard)
            except NOT_TAKEN:
                self.strand()

    def arrive(self) -> None:
        """What was carried is on disk. Runs in the writer's thread."""
        if self._aboard:
            carried, self._aboard = self._aboard, []
            self._loop.call_soon_threadsafe(self._committed, carried)

    def strand(self) -> None:
        """It is not, and waits as before. Runs in the writer's thread."""
        if self._aboard:
            stranded, self._aboard = self._aboard, []
            with self._front:
                self._waiting.extendleft(reversed(stranded))
            self._loop.call_soon_threadsafe(self._wake.set)

    def _committed(self, carried: Sequence[_Waiting]) -> None:
        self._waiting_bytes -= _size(carried)
        self._found()
        self._tell(carried, [None] * len(carried))

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
        await self._put(arrival)

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
            outcome = None if rejection is None else await self._put(rejection)
        except Unavailable:
            if may_be_lost:
                raise
            return
        if may_be_lost and (outcome is None or outcome.verdict != "quarantined"):
            raise Overloaded(
                "The delivery cannot be verified, and too many such are kept already. Please try again later.",
                retry_after_s=60,
            ) from refused

    def _put(self, item: Item) -> asyncio.Future[Outcome | None]:
        if self._task is None or self._stopping:
            raise StoreUnavailable(_NOT_HERE)
        size = len(item.body)
        if len(self._waiting) >= self._bounds.waiting or self._waiting_bytes + size > self._bounds.waiting_bytes:
            raise Overloaded("Too many deliveries are waiting; this one was not taken in. Please try again.")
        stored: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, stored))
        self._waiting_bytes += size
        self._database.precedence.take()
        self._wake.set()
        return stored

    async def _commit_all(self) -> None:
        while self._waiting or not self._ending:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._gather()
                group: list[_Waiting] = []
                await self._commit(group)
                self._waiting_bytes -= _size(group)
            asyncio.get_running_loop().call_soon(self._leave)

    def _leave(self) -> None:
        """Runs behind the last answers."""
        if not self._waiting:
            self._database.precedence.leave()

    async def _gather(self) -> None:
        """Let in what has come meanwhile, until a turn of the event loop brings nothing, or there is as much as one
        transaction takes: one for half of what is there costs nearly as much as one for all."""
        before = 0
        while before < len(self._waiting) < self._bounds.at_once:
            before = len(self._waiting)
            await asyncio.sleep(0)

    async def _commit(self, group: list[_Waiting]) -> None:
        """Commit a group, or, where it is empty, what waits when the transaction begins: it is filled with that."""
        if self._is_unsafe():
            self._fill(group)
            self._fail(group, StoreUnavailable(_DAMAGED, damaged=True))
            return
        try:
            outcomes = await self._write(group)
        except StoreUnavailable as error:
            self._fill(group)
            if group:
                self._lose(group, error)
                self._fail(group, error)
        except Exception as error:  # noqa: BLE001 -- whatever it is, every request must be answered and others go on
            self._fill(group)
            await self._commit_apart(group, error)
        else:
            self._found()
            if group:
                self._tell(group, outcomes)

    def _fill(self, group: list[_Waiting], kinds: tuple[type[Item], ...] = (Arrival, Rejection)) -> None:
        """An empty group takes the first that wait, as far as they are of these kinds."""
        if group:
            return
        with self._front:
            most = min(len(self._waiting), self._bounds.at_once)
            while len(group) < most and isinstance(self._waiting[0].item, kinds):
                group.append(self._waiting.popleft())

    def _lose(self, group: Sequence[_Waiting], error: StoreUnavailable) -> None:
        seq = self._ids.next() if self._lost is None else self._lost.seq
        self._lost = _Lost(error, seq, min(_size(group), LARGEST_REHEARSAL))
        for call in self._on_lost:
            call()

    def _found(self) -> None:
        if self._lost is not None:
            self._lost = None
            log_recovered()

    async def _commit_apart(self, group: Sequence[_Waiting], error: Exception) -> None:
        """One delivery that cannot be stored must not take others with it."""
        if len(group) == 1:
            self._fail(group, error)
            return
        self._quarantine.forget()
        for one in group:
            await self._commit([one])

    async def _write(self, group: list[_Waiting]) -> Sequence[Outcome | None]:
        """The outcomes are in the order of the group; of an arrival it is known when it is filed."""
        if self._begins_with_rejection(group):
            return await self._database.write(partial(self._store, group=group), bears=False)
        return await self._database.write_one(partial(self._store_arrivals, group=group))

    def _begins_with_rejection(self, group: Sequence[_Waiting]) -> bool:
        """Of what waits, where the group is still empty. Others may have carried all of it just now."""
        with self._front:
            first = next(iter(group or self._waiting), None)
        return first is not None and isinstance(first.item, Rejection)

    def _store_arrivals(self, connection: Connection, group: list[_Waiting]) -> Sequence[None]:
        """Runs in the writer's thread, and is one statement on PostgreSQL."""
        self._fill(group, (Arrival,))
        self._put_in(connection, group)
        return [None] * len(group)

    def _store(self, connection: Connection, group: list[_Waiting]) -> Sequence[Outcome | None]:
        """Runs in the writer's thread."""
        self._fill(group)
        self._put_in(connection, group)
        rejections = [one.item for one in group if isinstance(one.item, Rejection)]
        turned_away = iter(self._quarantine.store(connection, rejections))
        return [None if isinstance(one.item, Arrival) else next(turned_away) for one in group]

    def _put_in(self, connection: Connection, group: Sequence[_Waiting]) -> None:
        inbox.put(connection, [one.item for one in group if isinstance(one.item, Arrival)])

    def _tell(self, group: Sequence[_Waiting], outcomes: Sequence[Outcome | None]) -> None:
        for one, outcome in zip(group, outcomes, strict=True):
            if not one.stored.done():
                one.stored.set_result(outcome)
        asyncio.get_running_loop().call_soon(self._after, group, outcomes)

    def _after(self, group: Sequence[_Waiting], outcomes: Sequence[Outcome | None]) -> None:
        """Runs behind the answers to all of the group."""
        self._on_stored([one.item for one in group if isinstance(one.item, Arrival)])
        log_turned_away(
            (one.item, outcome)
            for one, outcome in zip(group, outcomes, strict=True)
            if outcome is not None and isinstance(one.item, Rejection)
        )

    def _fail(self, group: Sequence[_Waiting], error: Exception) -> None:
        """Nothing of the group was stored, so nothing is acknowledged (P2)."""
        self._quarantine.forget()
        for one in group:
            if not one.stored.done():
                one.stored.set_exception(StoreUnavailable("The store cannot be written; please try again."))
        log_unavailable([one.item for one in group], error)


def _size(group: Sequence[_Waiting]) -> int:
    return sum(len(one.item.body) for one in group)
