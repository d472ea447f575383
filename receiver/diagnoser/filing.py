"""What was taken in goes to its place in the log, each event once, and from there to the state machines."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from receiver.diagnoser.bounds import Bounds
from receiver.diagnoser.recent import Recent
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.values import Signal
from receiver.storage import arrivals, inbox
from receiver.storage.arrival import Arrival, Outcome, unreadable

_NOT_TAKEN = (DataError, IntegrityError)
Filed: TypeAlias = Sequence[tuple[Arrival, Outcome]]
"""What became of each delivery."""


class Fresh(NamedTuple):
    """A new event, with the columns that its row would have. Its attempts have not been repeated."""

    delivery_seq: int
    signal_seq: int
    received_ms: int
    code: str
    id: str
    webhook_id: str
    stream_id: str | None
    session_id: str | None
    position: str
    created_ms: int
    timestamp_ms: int
    event: str
    signal: Signal
    changed: bool = True
    placed: bool = False
    verdict: str = "accepted"
    shaped: bool = True
    source: str = "recent"
    playback_id: None = None
    flag: None = None

    @property
    def pending_seq(self) -> int:
        """It is looked at in the order of its receipt."""
        return self.delivery_seq

    @property
    def event_id(self) -> str:
        """As the delivery names it."""
        return self.id

    @property
    def told_webhook_id(self) -> str:
        """As the delivery names it."""
        return self.webhook_id

    def of_stream(self, stream_id: str | None) -> Signal:
        """The signal, as one of the stream that it was found to belong to."""
        return self.signal if stream_id is None else replace(self.signal, stream_id=stream_id)


def file_inbox(connection: Connection, recent: Recent, bounds: Bounds) -> tuple[Filed, Sequence[Fresh]]:
    """File the oldest that was taken in, up to a bound. What is new is returned to be looked at, but for what is
    pending: repetitions, what they repeat, and what is not understood."""
    taken = recent.take(connection, bounds.pending, bounds.pending_bytes)
    filed = list(zip(taken, arrivals.file(connection, taken), strict=True))
    inbox.drop(connection, [arrival.seq for arrival in taken])
    repeated = {arrival.key for arrival, outcome in filed if outcome.verdict == "duplicate"}
    fresh: list[Fresh] = []
    others: list[tuple[Arrival, Outcome]] = []
    for arrival, outcome in filed:
        if arrival.signal is None or arrival.key in repeated:
            others.append((arrival, outcome))
        else:
            fresh.append(_fresh(arrival, arrival.signal))
    arrivals.leave(connection, others)
    return filed, fresh


def file_apart(connection: Connection, recent: Recent, bounds: Bounds) -> Filed:
    """As `file_inbox`, and all of it is pending: where passes fail, the log is to be complete at least. What the
    database does not take is filed as not understood."""
    taken = recent.take(connection, bounds.pending, bounds.pending_bytes)
    try:
        with connection.begin_nested():
            filed = list(zip(taken, arrivals.file(connection, taken), strict=True))
    except _NOT_TAKEN:
        filed = [_file_alone(connection, arrival) for arrival in taken]
    inbox.drop(connection, [arrival.seq for arrival in taken])
    arrivals.leave(connection, filed)
    return filed


def _file_alone(connection: Connection, arrival: Arrival) -> tuple[Arrival, Outcome]:
    try:
        with connection.begin_nested():
            return arrival, arrivals.file(connection, [arrival])[0]
    except _NOT_TAKEN:
        came = arrival.seq, arrival.received_ms, arrival.remote, arrival.secret_id, arrival.body
        raw = unreadable(*came, "the database does not take what it says")
        return raw, arrivals.file(connection, [raw])[0]


def _fresh(arrival: Arrival, signal: Signal) -> Fresh:
    route = arrival.route
    return Fresh(
        arrival.seq,
        arrival.seq,
        arrival.received_ms,
        arrival.code,
        arrival.id,
        arrival.webhook_id,
        route.stream_id,
        route.session_id,
        route.position,
        route.created_ms,
        route.attempted_ms,
        route.kind,
        signal,
    )
