"""Coverage: the time in which a delivery would have reached us, the only time in which silence means anything (P6).

A timer that concludes from absence runs on covered time only. After a gap the sender's retries get their chance
first: what it could not deliver in a gap of an hour it tries again within the next (FACTS 1.3: waits double from 5 s,
so the next retry comes no later than the gap was long, and never more than an hour after).
"""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import pairwise

from msgspec import Struct

LONGEST_RETRY_MS = 3_600_000
OPEN_END_MS = 10**15
"""Stands for the end of an interval that has not ended."""

Interval = tuple[int, int]


class Coverage(Struct, frozen=True, gc=False):
    """Disjoint intervals (from, until) in order; the last ends at `OPEN_END_MS` while we are covered."""

    intervals: tuple[Interval, ...]

    def gap_within(self, from_ms: int, until_ms: int) -> bool:
        """Whether some time between the two was not covered; time before the first start ever is no gap."""
        return any(gap_from < until_ms and gap_until > from_ms for gap_from, gap_until in self._gaps(from_ms))

    def conclusive_ms(self, start_ms: int, wait_ms: int, grace_ms: int) -> int | None:
        """When `wait_ms` plus `grace_ms` of covered time have passed since `start_ms` and the retries that follow a gap
        have had their chance. None while that depends on a gap that has not ended."""
        due_ms = self._after_covered(start_ms, wait_ms + grace_ms)
        if due_ms is None:
            return None
        for gap in self._gaps(start_ms - LONGEST_RETRY_MS):
            if gap[0] >= due_ms:
                break
            due_ms = max(due_ms, gap[1] + _patience_ms(gap, grace_ms))
        return None if due_ms >= self.intervals[-1][1] else due_ms

    def catching_up(self, now_ms: int, grace_ms: int) -> tuple[Interval, int] | None:
        """The gap after which the sender's retries are still awaited, and until when; None where none are."""
        over = [gap for gap in self._gaps(now_ms - 2 * LONGEST_RETRY_MS) if gap[1] <= now_ms]
        awaited = [(gap, gap[1] + _patience_ms(gap, grace_ms)) for gap in over]
        last = max(awaited, key=lambda item: item[1], default=None)
        return None if last is None or last[1] <= now_ms else last

    def _after_covered(self, start_ms: int, needed_ms: int) -> int | None:
        for from_ms, until_ms in self.intervals[self._first_ending_after(start_ms) :]:
            begin_ms = max(from_ms, start_ms)
            if begin_ms + needed_ms <= until_ms:
                return begin_ms + needed_ms
            needed_ms -= until_ms - begin_ms
        return None

    def _gaps(self, since_ms: int) -> Iterable[Interval]:
        first = self._first_ending_after(since_ms)
        earlier = self.intervals[max(first - 1, 0) :]
        return ((left[1], right[0]) for left, right in pairwise(earlier))

    def _first_ending_after(self, at_ms: int) -> int:
        return bisect_left(self.intervals, at_ms, key=lambda interval: interval[1])


def _patience_ms(gap: Interval, grace_ms: int) -> int:
    return min(max(gap[1] - gap[0], grace_ms), LONGEST_RETRY_MS)


def coverage(up: Iterable[Interval], refusing: Iterable[Interval], heard: Iterable[Interval] = ()) -> Coverage:
    """What remains of the intervals in which we were up when those are taken away in which we refused the sender's
    signature, and what was heard of afterwards, from the sender's own log. Each are in order and disjoint."""
    remaining = list(up)
    for refused in refusing:
        remaining = [piece for interval in remaining for piece in _without(interval, refused)]
    return Coverage(merged([*remaining, *heard]))


def merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same time, in order, none touching another."""
    found: list[Interval] = []
    for from_ms, until_ms in sorted(intervals):
        if found and from_ms <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], until_ms)
        else:
            found.append((from_ms, until_ms))
    return tuple(found)


def _without(interval: Interval, hole: Interval) -> Iterable[Interval]:
    if hole[1] <= interval[0] or hole[0] >= interval[1]:
        return (interval,)
    pieces = ((interval[0], min(hole[0], interval[1])), (max(hole[1], interval[0]), interval[1]))
    return tuple(piece for piece in pieces if piece[0] < piece[1])
