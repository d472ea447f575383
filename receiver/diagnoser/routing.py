"""Which stream, or which orphaned session, each pending signal belongs to.

An asset and a task name no stream, only the session whose recording they are. They are kept until an event of that
session names its stream, and are then adopted (`case`). Likewise observations that name only a playback id, when the
stream's playback id becomes known. What links a session to its stream is what Livepeer says: an observer may be
mistaken.
"""

from collections.abc import Sequence

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
    asked = {row.session_id for row in fresh if row.session_id and not row.stream_id}
    of_session = history.streams_of_sessions(connection, asked)
    playing = cases.streams_playing(connection, [row.playback_id for row in fresh if row.playback_id])
    found: dict[Subject, Case] = {}
    assigned: dict[int, str] = {}
    for row in fresh:
        stream_id = row.stream_id or of_session.get(row.session_id) or playing.get(row.playback_id)
        subject = _subject(stream_id, row)
        if subject is None:
            continue
        found.setdefault(subject, Case(subject)).fresh.append(row)
        if stream_id is not None and row.stream_id is None:
            assigned[row.signal_seq] = stream_id
    history.assign(connection, assigned)
    return found


def _subject(stream_id: str | None, row: LogRow) -> Subject | None:
    """An observation waits until its stream is known: what is said of an orphaned session rests on events alone."""
    if stream_id is not None:
        return Subject("stream", stream_id)
    return Subject("session", row.session_id) if row.session_id is not None and row.webhook_id else None
