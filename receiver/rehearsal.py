"""Whether deliveries can be stored, and finding out while none comes."""

from collections.abc import Callable
from functools import partial
from typing import Final

from msgspec import Struct

from receiver.delivery_log import log_recovered
from receiver.errors import StoreUnavailable
from receiver.ids import Ids
from receiver.storage import inbox
from receiver.storage.engine import Database

LARGEST: Final = 1 << 20
"""Of a rehearsal, in bytes."""


class _Lost(Struct, frozen=True):
    """What could not be stored: why, the `seq` to rehearse under, and how many bytes there were."""

    fault: StoreUnavailable
    seq: int
    size: int


class Rehearsal:
    """Knows why deliveries could not be stored, until one was since, or as much could be for trial."""

    def __init__(self, database: Database, ids: Ids) -> None:
        self._database, self._ids = database, ids
        self._lost: _Lost | None = None
        self._on_lost: list[Callable[[], None]] = []

    @property
    def fault(self) -> StoreUnavailable | None:
        """Why they could not; None where they can."""
        return None if self._lost is None else self._lost.fault

    def call_when_lost(self, call: Callable[[], None]) -> None:
        """Whenever deliveries cannot be stored."""
        self._on_lost.append(call)

    def lose(self, size: int, fault: StoreUnavailable) -> None:
        """So many bytes could not be stored."""
        seq = self._ids.next() if self._lost is None else self._lost.seq
        self._lost = _Lost(fault, seq, min(size, LARGEST))
        for call in self._on_lost:
            call()

    def found(self) -> None:
        """Something was stored."""
        if self._lost is not None:
            self._lost = None
            log_recovered()

    async def rehearse(self) -> None:
        """Where deliveries could not be stored, try whether as much can be now, though none comes. Raises
        StoreUnavailable."""
        lost = self._lost
        if lost is not None:
            await self._database.write(partial(inbox.rehearse, seq=lost.seq, size=lost.size))
            await self._database.write(partial(inbox.unrehearse, seq=lost.seq))
            self.found()
