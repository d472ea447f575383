"""Which stream, or which orphaned session, each pending signal belongs to.

An asset and a task name no stream, only the session whose recording they are. They are kept until an event of that
session names its stream, and are then adopted (`case`). Likewise observations that name only a playback id, when the
stream's playback id becomes known. What links a session to its stream is what Livepeer says: an observer may be
mistaken.
"""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection

from receiver.diagnoser.case import Case
from receiver.diagnosis.values import Subject
from receiver.storage import cases, history
from receiver.storage.cases import LogRow


def route_signals(connection: Connection, rows: Sequence[LogRow]) -> dict[Subject, Case]:
    """The cases that these signals make due, each with its fresh signals. Those that are not understood, or flagged
    for another reason, belong nowhere."""
    changed = [row for row in rows if row.changed and row.signal_seq is not None and row.flag is None]
    fresh = {row.signal_seq: row for row in reversed(changed)}.values()
    of_session = _streams_of_sessions(connection, fresh)
    playing = cases.streams_playing(connection, [row.playback_id for row in fresh if row.playback_id])
    streams = [(row, row.stream_id or of_session.get(row.session_id) or playing.get(row.playback_id)) for row in fresh]
    history.place(connection, [(row, stream_id) for row, stream_id in streams if not row.placed])
    orphaned = [(row, stream_id) for row, stream_id in streams if row.placed and row.stream_id is None]
    history.assign(connection, {row.signal_seq: stream_id for row, stream_id in orphaned if stream_id is not None})
    found: dict[Subject, Case] = {}
    for row, stream_id in streams:
        subject = _subject(stream_id, row)
        if subject is not None:
            found.setdefault(subject, Case(subject)).fresh.append(row)
    return found


def _streams_of_sessions(connection: Connection, fresh: Collection[LogRow]) -> Mapping[str, str]:
    """The streams of those sessions whose events do not all name it, as far as any event has said it, one of these or
    one before."""
    asked = {row.session_id for row in fresh if row.session_id and not row.stream_id}
    found = history.streams_of_sessions(connection, asked)
    for row in fresh:
        if row.session_id in asked and row.stream_id and row.webhook_id:
            found[row.session_id] = min(row.stream_id, found.get(row.session_id, row.stream_id))
    return found


def _subject(stream_id: str | None, row: LogRow) -> Subject | None:
    """An observation waits until its stream is known: what is said of an orphaned session rests on events alone."""
    if stream_id is not None:
        return Subject("stream", stream_id)
    return Subject("session", row.session_id) if row.session_id is not None and row.webhook_id else None
