"""The heartbeat: while it beats, we are up, and silence means something (P6); and others know that we are here."""

from collections.abc import Awaitable, Callable
from typing import Final

from sqlalchemy import Connection

from receiver.background import Background
from receiver.clock import Clock
from receiver.errors import StoreUnavailable
from receiver.ids import Ids
from receiver.storage import coverage
from receiver.storage.engine import Database

EVERY_S: Final = 10.0


async def _nothing() -> None:
    """Nothing else is needed to take in deliveries."""


def _nobody(_connection: Connection) -> None:
    """Nobody else uses the store."""


class Heartbeat:
    """Writes coverage down: that we are up from `begin` on, and still are at each beat. `able` raises StoreUnavailable
    where deliveries cannot be stored: then it does not beat. A process that takes in none is not `accepting`: it beats
    for the others only, whom `renew` tells that it is here."""

    def __init__(
        self,
        database: Database,
        ids: Ids,
        clock: Clock,
        every_s: float = EVERY_S,
        able: Callable[[], Awaitable[None]] = _nothing,
        renew: Callable[[Connection], None] = _nobody,
        *,
        accepting: bool = True,
    ) -> None:
        self._database, self._ids, self._clock, self._every_s = database, ids, clock, every_s
        self._able, self._renew, self._accepting = able, renew, accepting
        self._background = Background("heartbeat", self._turn)

    async def begin(self) -> None:
        """We accept deliveries from now on. Raises StoreUnavailable."""
        now_ms = self._clock.now_ms()
        if self._accepting:
            await self._database.write(lambda connection: coverage.begin(connection, self._ids, now_ms))

    async def beat(self) -> None:
        """We are here, and can take in deliveries. Raises StoreUnavailable."""
        await self._able()
        await self._database.write(self._write)

    def _write(self, connection: Connection) -> None:
        self._renew(connection)
        if self._accepting:
            coverage.extend(connection, self._ids, self._clock.now_ms())

    async def start(self) -> None:
        """Beat by itself."""
        await self._background.start()

    def wake(self) -> None:
        """See now whether deliveries can be taken in."""
        self._background.wake()

    @property
    def store_fault(self) -> StoreUnavailable | None:
        """Why the last beat failed, if it did for the store."""
        return self._background.store_fault

    async def stop(self) -> None:
        """Beat no more."""
        await self._background.stop()

    async def _turn(self) -> float:
        await self.beat()
        return self._every_s
