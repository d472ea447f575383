"""What came before it was known whose it is: the signals of a session that named no stream, and what was observed
under a playback id alone."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from receiver.diagnoser.case import Case
from receiver.diagnosis.values import Subject
from receiver.storage import bases, cases, history
from receiver.storage.links import PLAYBACKS

_NOT_KEPT = dict.fromkeys(history.KEPT_OF_ORPHANS)


def adopt(connection: Connection, found: dict[Subject, Case]) -> Sequence[Case]:
    """Let the streams that were folded adopt what came of their new sessions, and under their playback ids. Returns
    those that have to be folded once more, and may then own even more; an orphan that was adopted is no case any
    more."""
    streams = [case for case in found.values() if case.stream_id is not None and case.state is not None]
    sessions, playbacks = _new_sessions(connection, found, streams), _new_playbacks(streams)
    bases.drop(connection, [("session", i) for i, case in sessions.items() if i in case.session_rows])
    PLAYBACKS.put(connection, _owners(playbacks), PLAYBACKS.lock(connection, playbacks))
    brought = history.adopt_sessions(connection, _owners(sessions))
    more = [(sessions[session_id], rows) for session_id, rows in brought.items()]
    brought = history.adopt_playbacks(connection, _owners(playbacks))
    more += [(playbacks[playback_id], rows) for playback_id, rows in brought.items()]
    for case, rows in more:
        case.brought += rows
    return list({case.subject: case for case, _ in more}.values())


def would_adopt(connection: Connection, case: Case) -> bool:
    """Whether `adopt` would give more to this case alone; only reads."""
    sessions = _new_sessions(connection, {}, [case])
    if not sessions.keys().isdisjoint(case.session_rows):
        return True
    return history.is_any_orphaned(connection, sessions, _new_playbacks([case]))


def _new_sessions(connection: Connection, found: dict[Subject, Case], streams: Iterable[Case]) -> Mapping[str, Case]:
    """The sessions that were not known to belong to these streams. One that two streams claim stays with the first."""
    claims = [(i, case) for case in streams for i in _session_ids(case) if i not in {*case.session_rows, *case.claimed}]
    rows = cases.load_subjects(connection, "session", [session_id for session_id, _ in claims])
    new: dict[str, Case] = {}
    for session_id, case in claims:
        row = rows.get(session_id)
        case.claimed.add(session_id)
        if session_id in new or (row is not None and row["stream_id"] is not None):
            case.foreign.add(session_id)
            continue
        new[session_id] = case
        found.pop(Subject("session", session_id), None)
        if row is not None:
            case.session_rows[session_id] = {**row, **_NOT_KEPT, "stream_id": case.stream_id}
    return new


def _session_ids(case: Case) -> Iterable[str]:
    return () if case.state is None else (session.session_id for session in case.state.sessions)


def _new_playbacks(streams: Iterable[Case]) -> Mapping[str, Case]:
    new: dict[str, Case] = {}
    for case in streams:
        playback_id = None if case.state is None else case.state.playback_id
        known = case.claimed if case.row is None else {case.row["playback_id"], *case.claimed}
        if playback_id is not None and playback_id not in known:
            case.claimed.add(playback_id)
            new.setdefault(playback_id, case)
    return new


def _owners(new: Mapping[str, Case]) -> Mapping[str, str]:
    return {key: case.subject.id for key, case in new.items()}
