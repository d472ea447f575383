"""How much the Studio API is asked, by all of the process together: never more than its patience."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from receiver.clock import Clock, SystemClock
from receiver.livepeer.studio.refusals import rate_limited
from receiver.rates import Bucket, Rate


def _loop_s() -> float:
    return asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True)
class Timing:
    """How the client comes to know the time, waits, and draws lots. `clock` is needed for dates alone; `elapsed_s`
    never steps back, and goes on while `sleep` waits; `chance` gives 0 to below 1."""

    clock: Clock = field(default_factory=SystemClock)
    elapsed_s: Callable[[], float] = _loop_s
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    chance: Callable[[], float] = random.random


_RATE: Final = Rate(5, 10)


@dataclass(frozen=True, slots=True)
class Patience:
    """The bounds of the client, in seconds, bytes and counts."""

    total_s: float = 15
    connect_s: float = 5
    resend_s: float = 45
    """Studio itself waits 30 s for the answer to a resend (FACTS 1.4)."""
    max_bytes: int = 16 << 20
    retries: int = 3
    first_wait_s: float = 0.5
    """Doubled for each retry; the wait is drawn between none and that."""
    longest_wait_s: float = 20
    """Who asks to be left alone for longer is left alone at once: `RateLimited`."""
    rate: Rate = _RATE
    page_items: int = 200
    max_pages: int = 500

    def wait_s(self, retry: int, chance: float) -> float:
        """How long to wait before a retry, counted from 0: exponential, with full jitter."""
        return min(self.first_wait_s * 2.0**retry, self.longest_wait_s) * chance


class Budget:
    """Lets calls go one by one, in the order in which they came, within a rate, and none while the API wants to be left
    alone. To be shared by all who ask it."""

    def __init__(self, patience: Patience, timing: Timing) -> None:
        self._patience, self._timing = patience, timing
        self._bucket: Bucket | None = None
        self._not_before_s = float("-inf")
        self._order = asyncio.Lock()

    def hold(self, seconds: float) -> None:
        """Let nobody go for so long from now."""
        self._not_before_s = max(self._not_before_s, self._timing.elapsed_s() + seconds)

    async def turn(self) -> None:
        """Wait until one call may go. Raises RateLimited where that is too long to wait for."""
        self._refuse()
        async with self._order:
            await self._left_alone()
            while not self._taken():
                await self._timing.sleep(1 / self._patience.rate.per_s)
                await self._left_alone()

    def _refuse(self) -> None:
        held_s = self._not_before_s - self._timing.elapsed_s()
        if held_s > self._patience.longest_wait_s:
            raise rate_limited(held_s)

    async def _left_alone(self) -> None:
        while (held_s := self._not_before_s - self._timing.elapsed_s()) > 0:
            self._refuse()
            await self._timing.sleep(held_s)

    def _taken(self) -> bool:
        now_ms = int(self._timing.elapsed_s() * 1000)
        self._bucket = self._bucket or Bucket(self._patience.rate, now_ms)
        if not self._bucket.has(now_ms):
            return False
        self._bucket.take()
        return True
