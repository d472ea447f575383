"""The stage on which a story takes the time that it takes: a receiver that runs already."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from receiver.clock import Clock
from receiver.simulation.client import Client

POLL_S: Final = 1.0
"""How often to look whether something has changed."""


class Running:
    """A running receiver, which is neither stopped nor hastened."""

    def __init__(self, client: Client, secret: str, clock: Clock, poll_s: float = POLL_S) -> None:
        self.client = client
        self.secret = secret
        self.start_ms = clock.now_ms()
        self._clock = clock
        self._poll_s = poll_s

    def now_ms(self) -> int:
        """The present moment."""
        return self._clock.now_ms()

    async def until(self, now_ms: int) -> AsyncIterator[None]:
        """Sleep until then, and come back every `poll_s` seconds."""
        while (left_ms := now_ms - self._clock.now_ms()) > 0:
            await asyncio.sleep(min(left_ms / 1000, self._poll_s))
            yield

    async def settle(self) -> None:
        """It does that by itself."""

    async def stop(self) -> bool:
        """It is not ours to stop."""
        return False

    async def begin(self) -> None:
        """It runs."""
