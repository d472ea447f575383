"""What this process has just taken in: its signals are there already, and need not be read again from the store.

Only the store says what is pending; this only saves reading it. What is not here (after a restart, beyond the bound, or
because another process stored it) is read.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from receiver.diagnosis.frozen import replace
from receiver.diagnosis.values import Signal
from receiver.intake import read_event
from receiver.storage import cases
from receiver.storage.arrivals import Arrival, Outcome
from receiver.storage.cases import LogRow

MOST = 8192
"""Some 2 KB each."""


class Fresh(NamedTuple):
    """A new event that is pending, with the columns that its row would have. Its attempts have not been repeated."""

    pending_seq: int
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


class Recent:
    """Filled by the thread that answers deliveries, emptied by the one that writes."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._rows: dict[int, Fresh] = {}

    def add(self, stored: Iterable[tuple[Arrival, Outcome]]) -> None:
        """These deliveries were committed."""
        for arrival, outcome in stored:
            if outcome.verdict == "accepted" and arrival.envelope is not None and len(self._rows) < self._most:
                self._rows[arrival.seq] = _fresh(arrival, outcome)

    def take(self, connection: Connection, most: int, most_bytes: int) -> Sequence[LogRow]:
        """The oldest that is pending, so many, or as many as hold about so many bytes that must be read."""
        seqs = cases.pending_seqs(connection, most)
        if not seqs:
            return ()
        found: dict[int, LogRow] = {seq: self._rows[seq] for seq in seqs if seq in self._rows}
        missing = [seq for seq in seqs if seq not in found]
        read = cases.pending_rows(connection, missing, most_bytes)
        if len(read) < len(missing):
            seqs = [seq for seq in seqs if seq < missing[len(read)]]
        found |= read | self._repeated(connection, found, read)
        self._forget(seqs[-1])
        return [found[seq] for seq in seqs]

    def _repeated(self, connection: Connection, kept: dict[int, LogRow], read: dict[int, LogRow]) -> dict[int, LogRow]:
        """A repetition may have changed what is said of an event's first attempt: what of that event is kept is old."""
        changed = {row.signal_seq for row in read.values() if row.changed and row.signal_seq is not None}
        old = [seq for seq, row in kept.items() if row.signal_seq in changed]
        return cases.pending_rows(connection, old) if old else {}

    def _forget(self, until_seq: int) -> None:
        """What is no longer pending, whoever has looked at it."""
        for seq in list(self._rows):
            if seq > until_seq:
                break
            del self._rows[seq]


def _fresh(arrival: Arrival, outcome: Outcome) -> Fresh:
    route, envelope = arrival.route, arrival.envelope
    assert envelope is not None  # noqa: S101 -- `add` has looked
    return Fresh(
        pending_seq=arrival.seq,
        delivery_seq=arrival.seq,
        signal_seq=arrival.seq,
        received_ms=arrival.received_ms,
        code=outcome.code,
        id=arrival.id,
        webhook_id=arrival.webhook_id,
        stream_id=route.stream_id,
        session_id=route.session_id,
        position=route.position,
        created_ms=route.created_ms,
        timestamp_ms=route.attempted_ms,
        event=route.kind,
        signal=read_event(envelope, route.attempted_ms, None, route),
    )
