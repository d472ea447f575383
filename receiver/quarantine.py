"""The quarantine: keeps what could not be verified but may be ours (P3). `receiver.release` takes it in later.

A wrong signature is answered 401, and after that the sender never comes back: until the right secret is configured, the
copy kept here is the only one. It is bounded, because anybody may send us anything. Bodies of Livepeer's shape have
room of their own that other bodies cannot take; when it is full, the sender is told to come back (503).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from receiver.livepeer.verification import Refused
from receiver.rates import Gauge, Rate
from receiver.reception import Delivery
from receiver.storage import quarantine as storage
from receiver.storage.arrival import Outcome
from receiver.storage.deliveries import Verdict
from receiver.storage.quarantine import Rejection, Tally


@dataclass(frozen=True, slots=True)
class Cap:
    """So many deliveries, and so many bytes of them."""

    rows: int
    bytes: int

    def takes(self, rows: int, size: int) -> bool:
        """Whether so much fits."""
        return rows <= self.rows and size <= self.bytes


@dataclass(frozen=True, slots=True)
class Caps:
    """How much is kept. When the room for shaped bodies is full the sender must come back; the oldest of the others
    gives way to the newest."""

    shaped: Cap = Cap(20_000, 64 << 20)
    shaped_per_source: Cap = Cap(10_000, 32 << 20)
    others: Cap = Cap(1_000, 8 << 20)
    others_per_source: Cap = Cap(200, 2 << 20)
    largest_other: int = 64 << 10
    """Genuine bodies have 0.9 to 4 KB (FACTS 12)."""


CAPS: Final = Caps()
RATES: Final = {
    "signed": (Rate(10, 1000), Rate(20, 2000)),
    "shaped": (Rate(10, 1000), Rate(20, 2000)),
    "other": (Rate(0.2, 60), Rate(1, 300)),
}
"""Refused deliveries that are recorded, per source and in all: validly signed ones (stale, or a gate's), those of
Livepeer's shape, and all others. Beyond that they are only counted."""

RECOUNT_MS: Final = 10_000
"""Another process may have released or kept some, so what is held is counted anew from time to time."""


class Room:
    """Knows how much is held, and makes room. Used inside the writer's transactions only."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self._held: Counter[tuple[bool, str | None, str]] = Counter()
        self._counted_ms: int | None = None

    def forget(self) -> None:
        """Count anew next time: a transaction failed, and took with it what was counted."""
        self._counted_ms = None

    def admit(self, connection: Connection, rejection: Rejection) -> bool:
        """Keep the body if there is room; one copy of each event is enough. Returns whether it is kept."""
        self._count(connection, rejection.received_ms)
        if rejection.claim is not None and storage.holds(connection, rejection.claim.id):
            return True
        if not self._make_room(connection, rejection):
            return False
        storage.hold(connection, rejection)
        self._add(Tally(rejection.shaped, rejection.remote, 1, len(rejection.body)))
        return True

    def _count(self, connection: Connection, now_ms: int) -> None:
        if self._counted_ms is not None and 0 <= now_ms - self._counted_ms < RECOUNT_MS:
            return
        self._held.clear()
        for tally in storage.tallies(connection):
            self._add(tally)
        self._counted_ms = now_ms

    def _add(self, tally: Tally, sign: int = 1) -> None:
        for source in (tally.remote, None):
            self._held[bool(tally.shaped), source, "rows"] += sign * tally.rows
            self._held[bool(tally.shaped), source, "bytes"] += sign * tally.bytes

    def _make_room(self, connection: Connection, rejection: Rejection) -> bool:
        if rejection.shaped:
            bounds = ((rejection.remote, self._caps.shaped_per_source), (None, self._caps.shaped))
        else:
            bounds = ((rejection.remote, self._caps.others_per_source), (None, self._caps.others))
        return all(self._fits(connection, rejection, source, cap) for source, cap in bounds)

    def _fits(self, connection: Connection, rejection: Rejection, source: str | None, cap: Cap) -> bool:
        """Whether it fits, where need be after older ones gave way; never if it alone is too large."""
        size = len(rejection.body)
        while cap.takes(1, size):
            rows = self._held[rejection.shaped, source, "rows"]
            if cap.takes(rows + 1, self._held[rejection.shaped, source, "bytes"] + size):
                return True
            evicted = None if rejection.shaped else storage.evict_oldest(connection, source)
            if evicted is None:
                return False
            self._add(evicted, -1)
        return False


class Quarantine:
    """Decides what is kept of refused deliveries, and stores it."""

    def __init__(self, caps: Caps = CAPS) -> None:
        self._caps = caps
        self._room = Room(caps)
        self._gauges = {name: Gauge(*rates) for name, rates in RATES.items()}
        self._full_ms: int | None = None

    def consider(self, delivery: Delivery, refused: Refused, seq: int) -> Rejection | None:
        """What to store of a refused delivery; None where it is only counted, because too many came."""
        full = self._was_full(delivery.received_ms)
        if not self._gauge(refused, full=full).allows(delivery.remote, delivery.received_ms):
            return None
        shaped = refused.claim is not None
        return Rejection(
            seq,
            delivery.received_ms,
            delivery.remote,
            delivery.signature,
            delivery.body,
            "body_altered" if refused.body_altered else refused.code.value,
            refused.claim,
            refused.secret_id,
            keep=refused.status == 401 and (not full if shaped else len(delivery.body) <= self._caps.largest_other),
            detail=refused.detail,
            offset_ms=refused.offset_ms,
            unrecorded=sum(gauge.take_left_out() for gauge in self._gauges.values()),
        )

    def _gauge(self, refused: Refused, *, full: bool) -> Gauge:
        if refused.secret_id is not None:
            return self._gauges["signed"]
        return self._gauges["other" if refused.claim is None or full else "shaped"]

    def _was_full(self, now_ms: int) -> bool:
        return self._full_ms is not None and 0 <= now_ms - self._full_ms < RECOUNT_MS

    def store(self, connection: Connection, rejections: Sequence[Rejection]) -> list[Outcome]:
        """Keep and record them in the writer's transaction; `quarantined` means that the body is kept."""
        outcomes = [Outcome(self._verdict(connection, rejection), rejection.code) for rejection in rejections]
        storage.note(connection, zip(rejections, outcomes, strict=True))
        return outcomes

    def _verdict(self, connection: Connection, rejection: Rejection) -> Verdict:
        if not rejection.keep:
            return "refused"
        if self._room.admit(connection, rejection):
            return "quarantined"
        if rejection.shaped:
            self._full_ms = rejection.received_ms
        return "refused"

    def forget(self) -> None:
        """Say that a transaction failed."""
        self._room.forget()
