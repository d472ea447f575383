"""Group commit: what waits is written together, and each request is answered after the commit that carries it (P1).

While one transaction is being synced to disk the next deliveries gather; then one task hands all that waits, and all
that is there to be read, to the next. Where one connection writes, whatever else it writes carries what has come
meanwhile as well: a delivery that has to wait for the diagnoser is committed with what it waited for. There is no
timer: a lone delivery is committed at once, and a request waits for nothing but the commit that carries it.
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

from receiver.delivery_log import log_unavailable
from receiver.errors import Overloaded, StoreUnavailable
from receiver.quarantine import Quarantine
from receiver.rehearsal import Rehearsal
from receiver.storage import inbox
from receiver.storage.arrival import Arrival, Outcome
from receiver.storage.engine import NOT_TAKEN, Database
from receiver.storage.quarantine import Rejection

Item: TypeAlias = Arrival | Rejection
OnStored: TypeAlias = Callable[[Sequence[Item], Sequence[Outcome | None]], None]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many deliveries may wait, how many bytes of them (those that are just committed included), and how many go
    into one transaction: a larger group gains nothing and lets its first request wait for its last."""

    waiting: int = 10_000
    waiting_bytes: int = 64 << 20
    at_once: int = 512


BOUNDS: Final = Bounds()
_DAMAGED: Final = "The store is damaged; nothing was taken in. Please try again."
_NOT_HERE: Final = (
    "No deliveries are taken in here at the moment: the service is starting, stopping, or has another role. Please try"
    " again."
)


class _Waiting(Struct, frozen=True):
    item: Item
    stored: asyncio.Future[Outcome | None]


class GroupCommit:
    """Stores what is put into it. `on_stored` is called after each commit, behind the answers, with what it carried and
    what became of that, in the same order: of an arrival it is known when it is filed. The database's `precedence` is
    taken from when a delivery waits until the last one is answered."""

    def __init__(
        self, database: Database, rehearsal: Rehearsal, quarantine: Quarantine, on_stored: OnStored, bounds: Bounds
    ) -> None:
        self._database = database
        self._rehearsal = rehearsal
        self._quarantine = quarantine
        self._on_stored = on_stored
        self._bounds = bounds
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._front = threading.Lock()
        """Held by who looks at what waits longest, or takes it, or gives it back: two threads do."""
        self._aboard: list[_Waiting] = []
        self._stopping, self._ending = False, False
        self._is_unsafe: Callable[[], bool] = lambda: False
        self._loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many wait for a transaction to carry them."""
        return len(self._waiting)

    def refuse_while(self, is_unsafe: Callable[[], bool]) -> None:
        """Store nothing while it says that what is stored may be lost."""
        self._is_unsafe = is_unsafe

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

    def put(self, item: Item) -> asyncio.Future[Outcome | None]:
        """Done once it is on disk. Raises StoreUnavailable, and Overloaded where too much waits already."""
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
        self._rehearsal.found()
        self._tell(carried, [None] * len(carried))

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
                self._rehearsal.lose(_size(group), error)
                self._fail(group, error)
        except Exception as error:  # noqa: BLE001 -- whatever it is, every request must be answered and others go on
            self._fill(group)
            await self._commit_apart(group, error)
        else:
            self._rehearsal.found()
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
        asyncio.get_running_loop().call_soon(self._on_stored, [one.item for one in group], outcomes)

    def _fail(self, group: Sequence[_Waiting], error: Exception) -> None:
        """Nothing of the group was stored, so nothing is acknowledged (P2)."""
        self._quarantine.forget()
        for one in group:
            if not one.stored.done():
                one.stored.set_exception(StoreUnavailable("The store cannot be written; please try again."))
        log_unavailable([one.item for one in group], error)


def _size(group: Sequence[_Waiting]) -> int:
    return sum(len(one.item.body) for one in group)
