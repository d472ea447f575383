"""The log of events: files a batch of verified deliveries, each event once per webhook.

The first body stored under (`id`, `webhook_id`) stays. What comes again adds to its receipts only: the sender freezes a
body between attempts (FACTS 12), so a repetition that says something else is noted on its delivery and changes
nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, bindparam, case, select, update

from receiver.storage import bodies
from receiver.storage.arrival import (
    CONTRADICTING,
    NOT_UNDERSTOOD,
    RECONCILED,
    RELEASED,
    REPEATED,
    STORED,
    Arrival,
    Outcome,
)
from receiver.storage.bulk import Bulk, OfKeys, Rows, Values
from receiver.storage.deliveries import await_look, record
from receiver.storage.event_keys import event_key
from receiver.storage.tables import SignalRow, table_of


class Filed(Struct, frozen=True, gc=False):
    """What became of a delivery, and the signal (by `seq`) that it is or repeats."""

    arrival: Arrival
    outcome: Outcome
    signal_seq: int


def file(connection: Connection, arrivals: Sequence[Arrival]) -> list[Filed]:
    """Store a batch, whose bodies are stored already, in the caller's transaction: new events, receipts of repeated
    ones, and the deliveries. What became of each, in their order."""
    if not arrivals:
        return []
    keys = [event_key(arrival.id, arrival.webhook_id) for arrival in arrivals]
    batch = _Batch(_known(connection, keys))
    filed = [batch.take(key, arrival) for key, arrival in zip(keys, arrivals, strict=True)]
    _SIGNALS.insert(connection, [_signal(key, arrival, batch.repeated.get(key)) for key, arrival in batch.new.items()])
    _write_receipts(connection, [event for key, event in batch.repeated.items() if key not in batch.new])
    record(connection, [_delivery(one.arrival, one.outcome) for one in filed])
    bodies.drop(connection, [one.arrival.seq for one in filed if one.arrival.seq != one.signal_seq])
    return filed


def append(connection: Connection, arrivals: Sequence[Arrival]) -> list[Outcome]:
    """As `file`, for deliveries whose bodies are not stored yet; the diagnoser has yet to look at them."""
    bodies.put(connection, [(arrival.seq, arrival.body) for arrival in arrivals])
    filed = file(connection, arrivals)
    leave(connection, filed)
    return [one.outcome for one in filed]


def leave(connection: Connection, filed: Iterable[Filed]) -> None:
    """The diagnoser has yet to look at these."""
    await_look(connection, [(one.arrival.seq, one.signal_seq, one.outcome.changed) for one in filed])


@dataclass(slots=True)
class _Event:
    """An event that came before, as it stands after the batch so far: its first body, and how often and when it came;
    of one that was stored already, `receipts` counts the batch's only."""

    seq: int
    kind: str
    created_ms: int | None
    attempted_ms: int
    received_from_ms: int
    received_until_ms: int
    receipts: int = 0

    def repeat(self, arrival: Arrival) -> Outcome:
        """Count a receipt."""
        says_the_same = (self.kind, self.created_ms) == (arrival.route.kind, _created_ms(arrival))
        earlier = arrival.route.attempted_ms < self.attempted_ms
        self.receipts += 1
        self.attempted_ms = min(self.attempted_ms, arrival.route.attempted_ms)
        self.received_from_ms = min(self.received_from_ms, arrival.received_ms)
        self.received_until_ms = max(self.received_until_ms, arrival.received_ms)
        repeated = REPEATED if says_the_same else CONTRADICTING
        return Outcome("duplicate", RECONCILED if arrival.code == RECONCILED else repeated, changed=earlier)


class _Batch:
    """Tells what is new from what came before. Most is new, and comes once."""

    def __init__(self, repeated: dict[bytes, _Event]) -> None:
        self.repeated = repeated
        self.new: dict[bytes, Arrival] = {}

    def take(self, key: bytes, arrival: Arrival) -> Filed:
        """What the next delivery is."""
        event = self.repeated.get(key)
        if event is None:
            first = self.new.setdefault(key, arrival)
            if first is arrival:
                return Filed(arrival, _ACCEPTED[arrival.code], arrival.seq)
            event = self.repeated[key] = _came_once(first)
        return Filed(arrival, event.repeat(arrival), event.seq)


_NEW: Final = (STORED, RELEASED, RECONCILED, NOT_UNDERSTOOD)
_ACCEPTED: Final = {code: Outcome("accepted", code, changed=True) for code in _NEW}


def _came_once(arrival: Arrival) -> _Event:
    route, received_ms = arrival.route, arrival.received_ms
    return _Event(arrival.seq, route.kind, _created_ms(arrival), route.attempted_ms, received_ms, received_ms, 1)


def _created_ms(arrival: Arrival) -> int | None:
    return arrival.route.created_ms if arrival.understood else None


_signals: Final = table_of(SignalRow)
_SIGNALS: Final = Rows(_signals)
_KNOWN: Final = OfKeys(
    select(
        _signals.c.key,
        _signals.c.seq,
        _signals.c.kind,
        _signals.c.created_ms,
        _signals.c.attempted_ms,
        _signals.c.first_received_ms,
        _signals.c.last_received_ms,
    ),
    _signals.c.key,
)


def _known(connection: Connection, keys: Iterable[bytes]) -> dict[bytes, _Event]:
    """Those of the events that are stored already."""
    return {row.key: _Event(*row[1:]) for row in _KNOWN.rows(connection, sorted(set(keys)))}


def _signal(key: bytes, arrival: Arrival, repeated: _Event | None) -> Values:
    """The row of a new event, which may have come several times at once."""
    route, received_ms = arrival.route, arrival.received_ms
    if repeated is None:
        attempted_ms, received_from_ms, received_until_ms, receipts = route.attempted_ms, received_ms, received_ms, 1
    else:
        attempted_ms, receipts = repeated.attempted_ms, repeated.receipts
        received_from_ms, received_until_ms = repeated.received_from_ms, repeated.received_until_ms
    return (
        arrival.seq,
        key,
        arrival.id,
        arrival.webhook_id,
        "webhook",
        route.kind,
        route.stream_id,
        route.session_id,
        route.playback_id,
        route.position,
        _created_ms(arrival),
        attempted_ms,
        received_from_ms,
        received_until_ms,
        receipts,
        None if arrival.understood else NOT_UNDERSTOOD,
    )


def _lower(column: ColumnElement[int], bound: str) -> ColumnElement[int]:
    """The lower of both, in words that every database knows."""
    return case((column > bindparam(bound), bindparam(bound)), else_=column)


def _higher(column: ColumnElement[int], bound: str) -> ColumnElement[int]:
    return case((column < bindparam(bound), bindparam(bound)), else_=column)


_UPDATE_RECEIPTS: Final = Bulk(
    update(_signals)
    .where(_signals.c.seq == bindparam("of_seq"))
    .values(
        attempts=_signals.c.attempts + bindparam("receipts"),
        attempted_ms=_lower(_signals.c.attempted_ms, "attempted"),
        first_received_ms=_lower(_signals.c.first_received_ms, "received_from"),
        last_received_ms=_higher(_signals.c.last_received_ms, "received_until"),
    )
)


def _write_receipts(connection: Connection, events: Iterable[_Event]) -> None:
    """Relative to what is stored, so that two processes that take in the same event both count."""
    rows = [
        {
            "of_seq": event.seq,
            "receipts": event.receipts,
            "attempted": event.attempted_ms,
            "received_from": event.received_from_ms,
            "received_until": event.received_until_ms,
        }
        for event in events
        if event.receipts
    ]
    _UPDATE_RECEIPTS.run(connection, rows)


def _delivery(arrival: Arrival, outcome: Outcome) -> Values:
    return (
        arrival.seq,
        arrival.received_ms,
        outcome.verdict,
        outcome.code,
        arrival.remote,
        len(arrival.body),
        arrival.id,
        arrival.webhook_id,
        arrival.route.kind,
        _created_ms(arrival),
        arrival.route.attempted_ms if arrival.understood else None,
        arrival.secret_id,
        arrival.understood,
    )
