"""Observations, written once each, under the caller's key where there is one; and what we saw ourselves."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from receiver.storage import bodies
from receiver.storage.event_keys import event_key
from receiver.storage.tables import IdempotencyRow, PendingRow, SignalRow, table_of


@dataclass(frozen=True, slots=True)
class NewSignal:
    """An observation, or what was seen, as a row of the log. `seq` and `pending_seq` are fresh ids; `body` is what is
    stored of it."""

    seq: int
    pending_seq: int
    id: str
    source: str
    kind: str
    stream_id: str | None
    session_id: str | None
    playback_id: str | None
    position: str
    at_ms: int
    received_ms: int
    body: bytes
    webhook_id: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a caller's key stands for: the digest of the request, and the observation that it made."""

    digest: str
    signal_id: str
    received_ms: int
    body: bytes


def kept(conn: Connection, key: str) -> Kept | None:
    """What `key` stands for, or None; nothing either once the observation is no longer stored."""
    asked = select(IdempotencyRow.digest, SignalRow.id, SignalRow.first_received_ms, *bodies.COLUMNS)
    named = table_of(IdempotencyRow).join(table_of(SignalRow), SignalRow.seq == IdempotencyRow.signal_seq)
    asked = asked.select_from(bodies.joined(named, SignalRow.seq)).where(IdempotencyRow.key == key)
    row = conn.execute(asked).first()
    return None if row is None else Kept(row.digest, row.id, row.first_received_ms, bodies.body_of(row))


def keep(conn: Connection, key: str, digest: str, new: NewSignal) -> None:
    """Let `key` stand for this observation from now on. What it stood for is no longer stored; where another process
    has just given it a meaning, this is a conflict."""
    stored = select(SignalRow.seq).where(SignalRow.seq == IdempotencyRow.signal_seq).exists()
    conn.execute(delete(IdempotencyRow).where(IdempotencyRow.key == key, ~stored))
    conn.execute(insert(IdempotencyRow).values(key=key, digest=digest, signal_seq=new.seq, created_ms=new.received_ms))


def append(conn: Connection, new: NewSignal) -> None:
    """Write it to the log, and that the diagnoser has yet to look at it."""
    conn.execute(
        insert(SignalRow).values(
            seq=new.seq,
            key=event_key(new.id, new.webhook_id),
            id=new.id,
            webhook_id=new.webhook_id,
            source=new.source,
            kind=new.kind,
            stream_id=new.stream_id,
            session_id=new.session_id,
            playback_id=new.playback_id,
            position=new.position,
            created_ms=new.at_ms,
            attempted_ms=new.at_ms,
            first_received_ms=new.received_ms,
            last_received_ms=new.received_ms,
            attempts=1,
            flag=None,
        )
    )
    bodies.put(conn, [(new.seq, new.body)])
    conn.execute(insert(PendingRow).values(seq=new.pending_seq, signal_seq=new.seq, changed=True))
