"""Work that goes on in the background, turn by turn, until it is stopped."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from receiver.errors import StoreUnavailable, underlying
from receiver.logs import get_logger

RETRY_S: Final = 0.5
"""Between two tries while the store is away."""
LONGEST_RETRY_S: Final = 64.0
"""A turn that fails for a defect of ours is tried again after twice as long each time, up to this."""
_log = get_logger("receiver")


class Background:
    """Takes one turn after another.

    A turn does what is due and returns how many seconds to pause; `wake` ends the pause. A turn that fails does not end
    the work: of the store's faults the first is logged as `store.unavailable` and their end as `store.recovered`; any
    other is a defect, logged with its traceback as `service.fault`.
    """

    def __init__(self, name: str, turn: Callable[[], Awaitable[float]], *, retry_s: float = RETRY_S) -> None:
        self.name = name
        self._turn = turn
        self._retry_s = retry_s
        self._woken, self._stopping = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.store_fault: StoreUnavailable | None = None
        """Why the last turn failed, if it did for the store."""
        self.failures = 0
        """How many turns in a row have failed for a defect."""

    @property
    def running(self) -> bool:
        """Whether turns are taken."""
        return self._task is not None and not self._task.done()

    def wake(self) -> None:
        """Take a turn now, or another one after that at hand."""
        self._woken.set()

    async def start(self) -> None:
        """Take the first turn, and go on."""
        self._task = asyncio.create_task(self._work(), name=self.name)

    async def stop(self) -> None:
        """Finish the turn at hand, and take no more. Does nothing where it was not started."""
        self._stopping.set()
        self._woken.set()
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            ends, pause_s = await self._take_turn()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await ends.wait()

    async def _take_turn(self) -> tuple[asyncio.Event, float]:
        """What may end the pause that follows, and how long that is. After a fault, waking helps nothing."""
        try:
            pause_s = await self._turn()
        except StoreUnavailable as error:
            self._lost(error)
            return self._stopping, self._retry_s
        except Exception:  # noqa: BLE001 -- a defect in one turn must not end all that follow; it is logged
            self.failures += 1
            _log.exception("service.fault", part=self.name, failures=self.failures)
            return self._stopping, min(self._retry_s * 2**self.failures, LONGEST_RETRY_S)
        self._found()
        return self._woken, pause_s

    def _lost(self, error: StoreUnavailable) -> None:
        if self.store_fault is None:
            _log.error("store.unavailable", part=self.name, error=underlying(error))
        self.store_fault = error

    def _found(self) -> None:
        self.failures = 0
        if self.store_fault is not None:
            _log.info("store.recovered", part=self.name)
        self.store_fault = None
