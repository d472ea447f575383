"""What we saw ourselves goes to the log, where observations go, and from there to the same state machines."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from receiver.diagnosis.looks import Look
from receiver.diagnosis.ordering import position
from receiver.ids import Ids, public_id
from receiver.sightings import SOURCES, kind_of, session_of, stored_form
from receiver.storage.engine import Database
from receiver.storage.queries import observations as store

_PREFIXES = {"studio_api": "snap", "probe": "prb", "gate": "gt"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A snapshot of a stream or of one of its sessions, a finding about it, or what a gate decided; or a snapshot of a
    webhook. What only names a playback id is adopted by its stream, once that is known."""

    look: Look
    stream_id: str | None = None
    playback_id: str | None = None
    webhook_id: str = ""


async def note(database: Database, ids: Ids, now_ms: int, seen: Sequence[Seen]) -> Sequence[str]:
    """Store durably what was seen at `now_ms`. Returns the ids of the signals. Raises StoreUnavailable."""
    new = [_signal(one, ids, now_ms) for one in seen]
    if new:
        await database.write(lambda connection: _append(connection, new), bears=False)
    return [one.id for one in new]


def _append(connection: Connection, new: Sequence[store.NewSignal]) -> None:
    for one in new:
        store.append(connection, one)


def _signal(seen: Seen, ids: Ids, now_ms: int) -> store.NewSignal:
    seq, kind = ids.next(), kind_of(seen.look)
    source = SOURCES[kind]
    signal_id = public_id(_PREFIXES[source], seq)
    return store.NewSignal(
        seq=seq,
        pending_seq=ids.next(),
        id=signal_id,
        source=source,
        webhook_id=seen.webhook_id,
        kind=kind,
        stream_id=seen.stream_id,
        session_id=session_of(seen.look),
        playback_id=seen.playback_id if seen.stream_id is None else None,
        position=position(now_ms, kind, signal_id),
        at_ms=now_ms,
        received_ms=now_ms,
        body=stored_form(seen.look),
    )
