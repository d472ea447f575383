"""Ids that are known before the insert, sort by time and are unique across processes.

An id is a signed 64-bit integer that is never negative: 43 bits of Unix milliseconds (until the year 2248), 6 bits of
node, 14 bits of counter. Two processes that write to one database at the same time need different nodes.
"""

from threading import Lock
from typing import Protocol

from msgspec import Struct

from receiver.clock import Clock

NODES = 1 << 6
_COUNTERS = 1 << 14
_NODE_SHIFT = 14
_TIME_SHIFT = 20
_LATEST_MS = (1 << 43) - 1
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_SHIFTS = (50, 40, 30, 20, 10, 0)
"""63 bits are thirteen digits at five bits each: one, and six pairs."""


class IdSource(Protocol):
    """Gives ids, each above the one before."""

    def next(self) -> int:
        """An id. Raises OverflowError when there are no more."""


class IdBlock(Struct):
    """The ids of one millisecond of a node, set apart: for a process that thinks on behalf of the node's own."""

    at_ms: int
    node: int
    given: int = 0

    def next(self) -> int:
        """An id above all those given. Raises OverflowError when all of the block are."""
        if self.given == _COUNTERS:
            raise OverflowError("all ids of the block are given")
        self.given += 1
        return self.at_ms << _TIME_SHIFT | self.node << _NODE_SHIFT | self.given - 1


class Ids:
    """Gives ids, each above the one before even where the clock steps back. Safe to share between threads.

    `node` (0 to 63) keeps processes apart; `floor` is an id already used, which all that follow are above. Raises
    ValueError for a node out of range or a floor that is no id.
    """

    def __init__(self, clock: Clock, node: int, floor: int = 0) -> None:
        if not 0 <= node < NODES:
            raise ValueError(f"a node is 0 to {NODES - 1}, not {node}")
        if not 0 <= floor < 1 << 63:
            raise ValueError(f"{floor} is no id")
        self._clock = clock
        self._node = node
        self._at_ms = floor >> _TIME_SHIFT
        self._counter = _COUNTERS - 1
        self._lock = Lock()

    @property
    def node(self) -> int:
        """Which node ids are made with now."""
        return self._node

    def next(self) -> int:
        """An id above all those given. Raises OverflowError when the clock stands beyond the year 2248."""
        with self._lock:
            self._step(self._clock.now_ms())
            return self._at_ms << _TIME_SHIFT | self._node << _NODE_SHIFT | self._counter

    def block(self) -> IdBlock:
        """Set ids apart, all of them above those given before and below those given from now on. Raises OverflowError,
        as `next`."""
        with self._lock:
            self._counter = _COUNTERS - 1
            self._step(self._clock.now_ms())
            self._counter = _COUNTERS - 1
            return IdBlock(self._at_ms, self._node)

    def move(self, node: int) -> None:
        """Go on with another node; the ids given stay as they are. Raises ValueError for a node out of range."""
        if not 0 <= node < NODES:
            raise ValueError(f"a node is 0 to {NODES - 1}, not {node}")
        with self._lock:
            self._node = node

    def _step(self, now_ms: int) -> None:
        """Follow the clock forward; where it stands or went back, count, and run ahead of it when the count is full."""
        if now_ms > self._at_ms:
            self._at_ms, self._counter = now_ms, 0
        elif self._counter < _COUNTERS - 1:
            self._counter += 1
        else:
            self._at_ms, self._counter = self._at_ms + 1, 0
        if self._at_ms > _LATEST_MS:
            raise OverflowError("the clock stands beyond the year 2248: no id can hold its time")


def first_of(at_ms: int) -> int:
    """The lowest id that can have been given at that time."""
    return max(at_ms, 0) << _TIME_SHIFT


def public_id(prefix: str, seq: int) -> str:
    """What the outside sees of an id: `dg_` and 13 characters of Crockford's base 32, which sort as the ids do.

    Raises ValueError for what is no id.
    """
    if not 0 <= seq < 1 << 63:
        raise ValueError(f"{seq} is no id")
    pairs = [_PAIRS[seq >> shift & 1023] for shift in _SHIFTS]
    return f"{prefix}_{_ALPHABET[seq >> 60]}{''.join(pairs)}"


def given_at(seq: int) -> int:
    """The moment at which an id was given, or a little later than that: it never stands back where the clock did."""
    return seq >> _TIME_SHIFT
