"""What was taken in goes to its place in the log, each event once, and from there to the state machines."""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection

from receiver.diagnoser.bounds import Bounds
from receiver.diagnoser.recent import Recent
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.senders import Receipt
from receiver.diagnosis.values import Signal
from receiver.storage import arrivals, inbox
from receiver.storage.arrival import Arrival, unreadable
from receiver.storage.arrivals import Filed
from receiver.storage.engine import NOT_TAKEN


class Fresh(Struct, frozen=True, gc=False):
    """A new event, with the columns that its row would have. Its attempts have not been repeated."""

    pending_seq: int
    signal_seq: int
    webhook_id: str
    stream_id: str | None
    session_id: str | None
    position: str
    timestamp_ms: int
    signal: Signal
    receipt: Receipt
    changed: bool = True
    placed: bool = False
    verdict: str = "accepted"
    playback_id: None = None
    flag: None = None

    def of_stream(self, stream_id: str | None) -> Signal:
        """The signal, as one of the stream that it was found to belong to."""
        return self.signal if stream_id is None else replace(self.signal, stream_id=stream_id)


def file_inbox(connection: Connection, recent: Recent, bounds: Bounds) -> tuple[Sequence[Filed], Sequence[Fresh]]:
    """File the oldest that was taken in, up to a bound. What is new is returned to be looked at, but for what is
    pending: repetitions, what they repeat, and what is not understood."""
    taken = recent.take(connection, bounds.pending, bounds.pending_bytes)
    filed = arrivals.file(connection, taken)
    inbox.drop(connection, [arrival.seq for arrival in taken])
    repeated = {one.signal_seq for one in filed if one.outcome.verdict == "duplicate"}
    fresh: list[Fresh] = []
    others: list[Filed] = []
    for one in filed:
        if one.arrival.signal is None or one.signal_seq in repeated:
            others.append(one)
        else:
            fresh.append(_fresh(one.arrival, one.arrival.signal))
    arrivals.leave(connection, others)
    return filed, fresh


def file_apart(connection: Connection, recent: Recent, bounds: Bounds) -> Sequence[Filed]:
    """As `file_inbox`, and all of it is pending: where passes fail, the log is to be complete at least. What the
    database does not take is filed as not understood."""
    taken = recent.take(connection, bounds.pending, bounds.pending_bytes)
    try:
        with connection.begin_nested():
            filed = arrivals.file(connection, taken)
    except NOT_TAKEN:
        filed = [_file_alone(connection, arrival) for arrival in taken]
    inbox.drop(connection, [arrival.seq for arrival in taken])
    arrivals.leave(connection, filed)
    return filed


def _file_alone(connection: Connection, arrival: Arrival) -> Filed:
    try:
        with connection.begin_nested():
            return arrivals.file(connection, [arrival])[0]
    except NOT_TAKEN:
        came = arrival.seq, arrival.received_ms, arrival.remote, arrival.secret_id, arrival.body
        return arrivals.file(connection, [unreadable(*came, "the database does not take what it says")])[0]


def _fresh(arrival: Arrival, signal: Signal) -> Fresh:
    route = arrival.route
    receipt = Receipt(
        id="",
        received_ms=arrival.received_ms,
        verdict="accepted",
        code=arrival.code,
        shaped=True,
        webhook_id=arrival.webhook_id,
        event_id=arrival.id,
        event=route.kind,
        created_ms=route.created_ms,
        timestamp_ms=route.attempted_ms,
        seq=arrival.seq,
    )
    return Fresh(
        pending_seq=arrival.seq,
        signal_seq=arrival.seq,
        webhook_id=arrival.webhook_id,
        stream_id=route.stream_id,
        session_id=route.session_id,
        position=route.position,
        timestamp_ms=route.attempted_ms,
        signal=signal,
        receipt=receipt,
    )
