"""How often something may happen, per source and in all. The time is handed in."""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_SOURCES_KEPT: Final = 4096
"""Those heard of last; one that was forgotten begins with a full bucket, but still within the total."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many per second in the long run, and so many at once."""

    per_s: float
    burst: int


STRANGERS: Final = (Rate(0.2, 20), Rate(1, 100))
"""Per source and in all, for log lines that anybody can cause."""


class Bucket:
    """Fills with time, and is emptied one by one. A clock that steps back fills nothing."""

    __slots__ = ("_at_ms", "_left", "_rate")

    def __init__(self, rate: Rate, now_ms: int) -> None:
        self._rate = rate
        self._left = float(rate.burst)
        self._at_ms = now_ms

    def has(self, now_ms: int) -> bool:
        """Whether one may be taken."""
        passed_ms, self._at_ms = max(now_ms - self._at_ms, 0), now_ms
        self._left = min(self._left + passed_ms * self._rate.per_s / 1000, self._rate.burst)
        return self._left >= 1

    def take(self) -> None:
        """Take one, after `has`."""
        self._left -= 1


class Gauge:
    """Keeps each source, and all together, to a rate, and counts what is beyond it."""

    def __init__(self, per_source: Rate, in_all: Rate) -> None:
        self._per_source = per_source
        self._in_all = in_all
        self._all: Bucket | None = None
        self._sources: OrderedDict[str, Bucket] = OrderedDict()
        self._left_out = 0

    def take_left_out(self) -> int:
        """How many were not allowed since this was last asked."""
        left_out, self._left_out = self._left_out, 0
        return left_out

    def allows(self, remote: str, now_ms: int) -> bool:
        """Whether one more may come from this address now; if so, it is counted."""
        if self._all is None:
            self._all = Bucket(self._in_all, now_ms)
        source = self._bucket(_source(remote), now_ms)
        if not (source.has(now_ms) and self._all.has(now_ms)):
            self._left_out += 1
            return False
        source.take()
        self._all.take()
        return True

    def _bucket(self, source: str, now_ms: int) -> Bucket:
        bucket = self._sources.get(source)
        if bucket is None:
            bucket = self._sources[source] = Bucket(self._per_source, now_ms)
        self._sources.move_to_end(source)
        if len(self._sources) > _SOURCES_KEPT:
            self._sources.popitem(last=False)
        return bucket


def _source(remote: str) -> str:
    """An IPv6 customer has a whole /64 to speak from."""
    if ":" not in remote:
        return remote
    try:
        return str(ipaddress.ip_network((remote.partition("%")[0], 64), strict=False))
    except ValueError:
        return remote
