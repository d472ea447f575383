"""The log of events: takes in a batch of verified deliveries, each event once per webhook.

The first body stored under (`id`, `webhook_id`) stays. What comes again adds to its receipts only: the sender freezes a
body between attempts (FACTS 12), so a repetition that says something else is noted on its delivery and changes
nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast

from sqlalchemy import ColumnElement, Connection, Table, bindparam, case, insert, select, update

from receiver.intake import Route
from receiver.livepeer.envelope import Envelope
from receiver.storage.bulk import Bulk, Row
from receiver.storage.deliveries import Verdict, record
from receiver.storage.tables import SignalRow

Key: TypeAlias = tuple[str, str]
"""An event's `id` and the webhook that brought it."""

STORED: Final = "stored"
RELEASED: Final = "released"
NOT_UNDERSTOOD: Final = "not_understood"
REPEATED: Final = "repeated"
CONTRADICTING: Final = "contradicting"

_IDS_PER_SELECT = 256
"""Well below the parameters that any database takes in one statement."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified delivery. `seq` is its own id, and the signal's if the event is new; `id` is the event's. `code`
    stands on the delivery if the event is new; `NOT_UNDERSTOOD` also flags the event, whose `route` is made up but for
    `attempted_ms`."""

    seq: int
    received_ms: int
    remote: str
    secret_id: str | None
    id: str
    webhook_id: str
    route: Route
    body: bytes
    code: str = STORED
    envelope: Envelope | None = field(default=None, repr=False, compare=False)
    """The body, read."""
    problem: str | None = field(default=None, compare=False)
    """Why it could not be: names keys, never values."""

    @property
    def key(self) -> Key:
        """What a repetition is recognised by."""
        return self.id, self.webhook_id

    @property
    def understood(self) -> bool:
        """Whether the body could be read."""
        return self.code != NOT_UNDERSTOOD


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery. `changed` says whether there is something new to fold: a new event, or an earlier
    attempt at a known one."""

    verdict: Verdict
    code: str
    changed: bool = False


def append(connection: Connection, arrivals: Sequence[Arrival]) -> list[Outcome]:
    """Store a batch in the caller's transaction: new events, receipts of repeated ones, the deliveries, and what the
    diagnoser must look at. The outcomes are in the order of the arrivals."""
    if not arrivals:
        return []
    events = _known(connection, arrivals)
    outcomes = [_take(events, arrival) for arrival in arrivals]
    _write_new(connection, events)
    _write_receipts(connection, events)
    told = list(zip(arrivals, outcomes, strict=True))
    record(connection, [_delivery(*pair) for pair in told], [_pending(*pair) for pair in told])
    return outcomes


@dataclass(slots=True)
class _Event:
    """An event as far as the batch has come. `first` is the arrival to store, None for an event that is stored
    already; `receipts` counts the batch's own."""

    first: Arrival | None
    kind: str
    created_ms: int | None
    attempted_ms: int
    received_from_ms: int
    received_until_ms: int
    receipts: int = 0

    def receive(self, arrival: Arrival) -> None:
        """Count a receipt."""
        self.receipts += 1
        self.attempted_ms = min(self.attempted_ms, arrival.route.attempted_ms)
        self.received_from_ms = min(self.received_from_ms, arrival.received_ms)
        self.received_until_ms = max(self.received_until_ms, arrival.received_ms)


def _take(events: dict[Key, _Event], arrival: Arrival) -> Outcome:
    event = events.get(arrival.key)
    if event is None:
        event = events[arrival.key] = _new(arrival)
        outcome = Outcome("accepted", arrival.code, changed=True)
    else:
        outcome = _repetition(event, arrival)
    event.receive(arrival)
    return outcome


def _new(arrival: Arrival) -> _Event:
    route, received_ms = arrival.route, arrival.received_ms
    return _Event(arrival, route.kind, _created_ms(arrival), route.attempted_ms, received_ms, received_ms)


def _repetition(event: _Event, arrival: Arrival) -> Outcome:
    says_the_same = (event.kind, event.created_ms) == (arrival.route.kind, _created_ms(arrival))
    return Outcome(
        "duplicate",
        REPEATED if says_the_same else CONTRADICTING,
        changed=arrival.route.attempted_ms < event.attempted_ms,
    )


def _created_ms(arrival: Arrival) -> int | None:
    return arrival.route.created_ms if arrival.understood else None


_SIGNALS: Final = cast("Table", SignalRow.__table__)
_SELECT_KNOWN: Final = select(
    _SIGNALS.c.id,
    _SIGNALS.c.webhook_id,
    _SIGNALS.c.kind,
    _SIGNALS.c.created_ms,
    _SIGNALS.c.attempted_ms,
    _SIGNALS.c.first_received_ms,
    _SIGNALS.c.last_received_ms,
).where(_SIGNALS.c.id.in_(bindparam("ids", expanding=True)))
_INSERT: Final = Bulk(insert(_SIGNALS))


def _known(connection: Connection, arrivals: Iterable[Arrival]) -> dict[Key, _Event]:
    """Those of the events that are stored already."""
    ids = list({arrival.id for arrival in arrivals})
    events: dict[Key, _Event] = {}
    for start in range(0, len(ids), _IDS_PER_SELECT):
        for row in connection.execute(_SELECT_KNOWN, {"ids": ids[start : start + _IDS_PER_SELECT]}):
            events[row.id, row.webhook_id] = _Event(None, *row[2:])
    return events


def _write_new(connection: Connection, events: dict[Key, _Event]) -> None:
    rows = [_signal(event.first, event) for event in events.values() if event.first is not None]
    _INSERT.run(connection, rows)


def _signal(arrival: Arrival, event: _Event) -> Row:
    route = arrival.route
    return {
        "seq": arrival.seq,
        "id": arrival.id,
        "webhook_id": arrival.webhook_id,
        "source": "webhook",
        "kind": route.kind,
        "stream_id": route.stream_id,
        "session_id": route.session_id,
        "playback_id": route.playback_id,
        "position": route.position,
        "created_ms": event.created_ms,
        "attempted_ms": event.attempted_ms,
        "first_received_ms": event.received_from_ms,
        "last_received_ms": event.received_until_ms,
        "attempts": event.receipts,
        "flag": None if arrival.understood else NOT_UNDERSTOOD,
        "body": arrival.body,
    }


def _lower(column: ColumnElement[int], bound: str) -> ColumnElement[int]:
    """The lower of both, in words that every database knows."""
    return case((column > bindparam(bound), bindparam(bound)), else_=column)


def _higher(column: ColumnElement[int], bound: str) -> ColumnElement[int]:
    return case((column < bindparam(bound), bindparam(bound)), else_=column)


_UPDATE_RECEIPTS: Final = Bulk(
    update(_SIGNALS)
    .where(_SIGNALS.c.id == bindparam("of_id"), _SIGNALS.c.webhook_id == bindparam("of_webhook"))
    .values(
        attempts=_SIGNALS.c.attempts + bindparam("receipts"),
        attempted_ms=_lower(_SIGNALS.c.attempted_ms, "attempted"),
        first_received_ms=_lower(_SIGNALS.c.first_received_ms, "received_from"),
        last_received_ms=_higher(_SIGNALS.c.last_received_ms, "received_until"),
    )
)


def _write_receipts(connection: Connection, events: dict[Key, _Event]) -> None:
    """Relative to what is stored, so that two processes that take in the same event both count."""
    rows = [
        {
            "of_id": key[0],
            "of_webhook": key[1],
            "receipts": event.receipts,
            "attempted": event.attempted_ms,
            "received_from": event.received_from_ms,
            "received_until": event.received_until_ms,
        }
        for key, event in events.items()
        if event.first is None and event.receipts
    ]
    _UPDATE_RECEIPTS.run(connection, rows)


def _delivery(arrival: Arrival, outcome: Outcome) -> Row:
    return {
        "seq": arrival.seq,
        "received_ms": arrival.received_ms,
        "verdict": outcome.verdict,
        "code": outcome.code,
        "remote": arrival.remote,
        "bytes": len(arrival.body),
        "event_id": arrival.id,
        "webhook_id": arrival.webhook_id,
        "event": arrival.route.kind,
        "created_ms": _created_ms(arrival),
        "timestamp_ms": arrival.route.attempted_ms if arrival.understood else None,
        "secret_id": arrival.secret_id,
        "shaped": arrival.understood,
    }


def _pending(arrival: Arrival, outcome: Outcome) -> Row:
    return {
        "seq": arrival.seq,
        "signal_id": arrival.id,
        "webhook_id": arrival.webhook_id,
        "changed": outcome.changed,
    }
