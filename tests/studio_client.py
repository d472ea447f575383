"""A client of the fake Studio whose time the test moves: it never waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from receiver.clock import ManualClock
from receiver.livepeer.studio import StudioClient
from receiver.livepeer.studio.budget import Patience, Timing
from receiver.livepeer.studio.client import Door
from receiver.livepeer.studio.webhooks import known_secret
from receiver.stream_keys import key_digest
from tests.sender import T0_MS
from tests.studio import KEY, SECRET, FakeStudio, fake_studio

DIGEST_KEY = b"the-digest-key-of-the-tests"
DOOR = Door(partial(key_digest, DIGEST_KEY), known_secret([SECRET, "an-older-secret"]))
QUICK = Patience(total_s=0.3, connect_s=0.3, resend_s=0.3)
"""What hangs is not waited for."""


@dataclass
class Waits:
    """Time that passes only by waiting: `slept` are the waits, in seconds. `chance` is what every lot gives."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(T0_MS))
    slept: list[float] = field(default_factory=list)
    chance: float = 1.0
    elapsed_s: float = 1000.0

    async def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        self.slept.append(seconds)
        self.elapsed_s += seconds
        self.clock.advance(int(seconds * 1000))
        await asyncio.sleep(0)

    def timing(self) -> Timing:
        """For a client."""
        return Timing(self.clock, lambda: self.elapsed_s, self.sleep, lambda: self.chance)


def client_of(studio: FakeStudio, waits: Waits, key: str | None = KEY, patience: Patience = QUICK) -> StudioClient:
    """A client of this Studio."""
    return StudioClient(studio.url, key, DOOR, patience=patience, timing=waits.timing())


@asynccontextmanager
async def asked(
    key: str | None = KEY, patience: Patience = QUICK
) -> AsyncIterator[tuple[FakeStudio, StudioClient, Waits]]:
    """A fake Studio, a client of it, and how it waited."""
    waits = Waits()
    async with fake_studio(waits.clock) as studio, client_of(studio, waits, key, patience) as client:
        yield studio, client, waits
