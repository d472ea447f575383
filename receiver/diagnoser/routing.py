"""Which stream, or which orphaned session, each pending signal belongs to; and what it brings along.

An asset and a task name no stream, only the session whose recording they are. They are kept until an event of that
session names its stream, and are then adopted. Likewise observations that name only a playback id: `streams` adopts
them when the stream's playback id becomes known.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from receiver.diagnoser.case import Case
from receiver.diagnosis.values import Subject
from receiver.storage import cases, history
from receiver.storage.arrivals import NOT_UNDERSTOOD
from receiver.storage.cases import LogRow


def route_signals(connection: Connection, rows: Sequence[LogRow]) -> dict[Subject, Case]:
    """The cases that these signals make due, each with its fresh signals, and what was adopted for them."""
    understood = [row for row in rows if row.flag != NOT_UNDERSTOOD]
    of_session = _links(connection, understood)
    playing = cases.streams_playing(connection, [row.playback_id for row in understood if row.playback_id])
    found: dict[Subject, Case] = {}
    assigned: dict[int, str] = {}
    for row in {row.signal_seq: row for row in understood}.values():
        stream_id = row.stream_id or of_session.get(row.session_id) or playing.get(row.playback_id)
        subject = _subject(stream_id, row)
        if subject is None:
            continue
        found.setdefault(subject, Case(subject)).fresh.append(row)
        if stream_id is not None and row.stream_id is None:
            assigned[row.signal_seq] = stream_id
    history.assign(connection, assigned)
    _adopt_sessions(connection, found, understood)
    return found


def _subject(stream_id: str | None, row: LogRow) -> Subject | None:
    if stream_id is not None:
        return Subject("stream", stream_id)
    return None if row.session_id is None else Subject("session", row.session_id)


def _links(connection: Connection, rows: Sequence[LogRow]) -> dict[str, str]:
    """The stream of each session: as these signals say, or as was said before."""
    said = {row.session_id: row.stream_id for row in rows if row.session_id and row.stream_id}
    asked = {row.session_id for row in rows if row.session_id and not row.stream_id} - set(said)
    known = cases.load_subjects(connection, "session", asked)
    return said | {session_id: row["stream_id"] for session_id, row in known.items() if row["stream_id"]}


def _adopt_sessions(connection: Connection, found: dict[Subject, Case], rows: Sequence[LogRow]) -> None:
    """A session that is named with its stream for the first time brings along what came of it before."""
    said = {row.session_id: row.stream_id for row in rows if row.session_id and row.stream_id}
    known = cases.load_subjects(connection, "session", said)
    settled = {session_id for session_id, row in known.items() if row["stream_id"] is not None}
    new = {session_id: stream_id for session_id, stream_id in said.items() if session_id not in settled}
    lowest = history.adopt_sessions(connection, new)
    for session_id, stream_id in new.items():
        _rewind(found[Subject("stream", stream_id)], lowest.get(session_id))
        found.pop(Subject("session", session_id), None)


def _rewind(case: Case, position: str | None) -> None:
    if position is not None:
        case.rewind_to = position if case.rewind_to is None else min(case.rewind_to, position)
