"""The time, and the only module that asks for it. Everything else is handed a `Clock`, or the moment itself."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time in integer Unix milliseconds."""

    def now_ms(self) -> int:
        """The present moment. It may step back: nothing may rely on its order."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """The present moment, as the machine knows it."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is moved: for tests and for stories played faster than they happen."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """The moment that the clock was last moved to."""
        return self._now_ms

    def advance(self, ms: int) -> None:
        """Move on by so many milliseconds. Raises ValueError for less than none: `set` is what steps back."""
        if ms < 0:
            raise ValueError(f"a clock does not advance by {ms} ms")
        self._now_ms += ms

    def set(self, now_ms: int) -> None:
        """Move to a moment, which may lie in the past."""
        self._now_ms = now_ms
