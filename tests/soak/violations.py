"""What a soak can find wrong, each under the promise that it breaks."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise: which, and of what."""

    promise: str
    what: str


Check: TypeAlias = Callable[[], Iterable[str]]


def violations(promise: str, found: Iterable[str]) -> list[Violation]:
    """What a check found wrong."""
    return [Violation(promise, what) for what in found]


def counted(found: Sequence[Violation], promises: Iterable[str]) -> dict[str, int]:
    """How often each of these promises was broken."""
    broken = Counter(violation.promise for violation in found)
    return {promise: broken[promise] for promise in promises}
