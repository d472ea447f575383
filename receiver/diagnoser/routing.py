"""Which stream, or which orphaned session, each pending signal belongs to.

An asset and a task name no stream, only the session whose recording they are. They are kept until an event of that
session names its stream, and are then adopted (`case`). Likewise observations that name only a playback id, when the
stream's playback id becomes known. What links a session to its stream is what Livepeer says: an observer may be
mistaken; what is observed waits until its stream is known, for what is said of an orphaned session rests on events
alone.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection

from receiver.diagnoser.case import Case
from receiver.diagnosis.ordering import standing_ms
from receiver.diagnosis.values import Subject, SubjectKind
from receiver.storage import history
from receiver.storage.cases import LogRow
from receiver.storage.links import NOBODYS, PLAYBACKS, SESSIONS


def route_signals(connection: Connection, rows: Sequence[LogRow]) -> dict[Subject, Case]:
    """The cases that these signals make due, each with its fresh signals. Those that are not understood, or flagged
    for another reason, belong nowhere."""
    changed = [row for row in rows if row.changed and row.signal_seq is not None and row.flag is None]
    fresh = list({row.signal_seq: row for row in reversed(changed)}.values())
    known = SESSIONS.lock(connection, {row.session_id for row in fresh if row.session_id})
    playing = PLAYBACKS.lock(connection, {row.playback_id for row in fresh if row.playback_id})
    of_session = _streams_of_sessions(fresh, known)
    streams = [row.stream_id or of_session.get(row.session_id) or playing.get(row.playback_id) or None for row in fresh]
    _write_down(connection, fresh, streams)
    orphans = [row for row, stream_id in zip(fresh, streams, strict=True) if stream_id is None]
    SESSIONS.put(connection, {**_nobodys(row.session_id for row in orphans), **of_session}, known)
    PLAYBACKS.put(connection, _nobodys(row.playback_id for row in orphans), playing)
    found: dict[tuple[SubjectKind, str], list[LogRow]] = defaultdict(list)
    for row, stream_id in zip(fresh, streams, strict=True):
        if stream_id is not None:
            found["stream", stream_id].append(row)
        elif row.session_id is not None and row.webhook_id:
            found["session", row.session_id].append(row)
    subjects = {Subject(*key): of_subject for key, of_subject in found.items()}
    return {subject: Case(subject, fresh=of_subject) for subject, of_subject in subjects.items()}


def _write_down(connection: Connection, fresh: Sequence[LogRow], streams: Sequence[str | None]) -> None:
    """Where each belongs, where that is new."""
    new: list[history.Place] = []
    found: dict[int, str] = {}
    for row, stream_id in zip(fresh, streams, strict=True):
        seq = row.signal_seq
        if not row.placed:
            at_ms = standing_ms(row.position)
            new.append(history.Place(seq, stream_id, row.session_id, row.playback_id, at_ms, row.webhook_id))
        elif row.stream_id is None and stream_id is not None:
            found[seq] = stream_id
    history.place(connection, new)
    history.assign(connection, found)


def _streams_of_sessions(fresh: Collection[LogRow], known: Mapping[str, str]) -> Mapping[str, str]:
    """The stream of each session, as far as Livepeer has said it: in an event or a snapshot, of these or before. An
    observer may be mistaken in what it names."""
    found = {session_id: stream_id for session_id, stream_id in known.items() if stream_id != NOBODYS}
    for row in fresh:
        if row.session_id and row.stream_id and (row.webhook_id or row.source == "studio_api"):
            found[row.session_id] = min(row.stream_id, found.get(row.session_id, row.stream_id))
    return found


def _nobodys(ids: Iterable[str | None]) -> Mapping[str, str]:
    """These are no stream's yet."""
    return {one: NOBODYS for one in ids if one}
