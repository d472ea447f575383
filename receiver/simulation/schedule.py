"""When the sender tries again (FACTS 1.3), as data."""

from collections.abc import Iterator
from itertools import accumulate

TIMEOUT_MS = 30_000
"""No answer in this time is a failed attempt."""

RETRIES = 33
_DOUBLING_MS = tuple(5_000 * 2**step for step in range(10))

RETRY_WAITS_MS: tuple[int, ...] = _DOUBLING_MS + (3_600_000,) * (RETRIES - len(_DOUBLING_MS))
"""How long the sender waits after each failed attempt: 5 s, doubling up to 2560 s, then an hour each time."""


def attempt_times(first_ms: int) -> Iterator[int]:
    """The times of all 34 attempts at one delivery, if all but the last fail at once."""
    return accumulate(RETRY_WAITS_MS, initial=first_ms)


def attempts_until(first_ms: int, reachable_ms: int) -> tuple[int, ...]:
    """The attempts at a delivery whose receiver answers again from `reachable_ms` on; the last one succeeds.

    Raises `ValueError` where the sender gives up before.
    """
    tried: list[int] = []
    for at_ms in attempt_times(first_ms):
        tried.append(at_ms)
        if at_ms >= reachable_ms:
            return tuple(tried)
    raise ValueError("the sender gives up before the receiver is back")
