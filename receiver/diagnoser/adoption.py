"""What came before it was known whose it is: the signals of a session that named no stream, and what was observed
under a playback id alone."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from receiver.diagnoser.case import Case
from receiver.diagnosis.values import Subject
from receiver.storage import bases, cases, history
from receiver.storage.cases import LogRow
from receiver.storage.claims import lock_subjects
from receiver.storage.links import PLAYBACKS

_NOT_KEPT = dict.fromkeys(history.KEPT_OF_ORPHANS)


@dataclass(slots=True)
class Adopted:
    """What was found to belong to streams, to be written with what came of it."""

    sessions: dict[str, str] = field(default_factory=dict)
    """The stream of each session."""
    known_sessions: set[str] = field(default_factory=set)
    """Those of the sessions that were known as orphans."""
    playbacks: dict[str, str] = field(default_factory=dict)
    known_playbacks: dict[str, str] = field(default_factory=dict)
    """What was said of the playback ids before."""
    signals: dict[int, str] = field(default_factory=dict)
    """The stream of each signal (by `seq`) that had none."""

    def save(self, connection: Connection) -> None:
        """Write it, and forget it."""
        known = sorted(self.known_sessions)
        bases.drop(connection, [("session", i) for i in known])
        history.give_sessions(connection, {i: self.sessions[i] for i in known})
        PLAYBACKS.put(connection, self.playbacks, self.known_playbacks)
        history.assign(connection, self.signals)
        self.known_sessions.clear()
        for written in (self.sessions, self.playbacks, self.known_playbacks, self.signals):
            written.clear()


def adopt(connection: Connection, found: dict[Subject, Case], adopted: Adopted) -> Sequence[Case]:
    """Let the streams that were folded adopt what came of their new sessions, and under their playback ids. Returns
    those that have to be folded once more, and may then own even more; an orphan that was adopted is no case any
    more."""
    streams = [case for case in found.values() if case.stream_id is not None and case.state is not None]
    sessions, playbacks = _new_sessions(connection, found, streams, adopted.sessions), _new_playbacks(streams)
    _note(connection, sessions, playbacks, adopted)
    more = _take(sessions, history.orphans_of_sessions(connection, sessions), adopted)
    more += _take(playbacks, history.orphans_of_playbacks(connection, playbacks), adopted)
    return list({case.subject: case for case in more}.values())


def _note(
    connection: Connection, sessions: Mapping[str, Case], playbacks: Mapping[str, Case], adopted: Adopted
) -> None:
    """Whose they are. Where others write too, nobody else may write of them from now on."""
    adopted.sessions |= {i: case.subject.id for i, case in sessions.items()}
    adopted.known_sessions |= {i for i, case in sessions.items() if i in case.session_rows}
    lock_subjects(connection, "session", sessions)
    adopted.known_playbacks |= PLAYBACKS.lock(connection, playbacks)
    for playback_id, case in playbacks.items():
        before = adopted.playbacks.get(playback_id, case.subject.id)
        adopted.playbacks[playback_id] = min(before, case.subject.id)


def _take(owners: Mapping[str, Case], orphans: Mapping[str, Sequence[LogRow]], adopted: Adopted) -> list[Case]:
    """Give these signals to the case that owns what they came under. Returns which were given any."""
    more = []
    for key, rows in orphans.items():
        case, new = owners[key], [row for row in rows if row.signal_seq not in adopted.signals]
        if new:
            case.brought += new
            adopted.signals |= {row.signal_seq: case.subject.id for row in new}
            more.append(case)
    return more


def would_adopt(connection: Connection, case: Case) -> bool:
    """Whether `adopt` would give more to this case alone; only reads."""
    sessions = _new_sessions(connection, {}, [case], {})
    if not sessions.keys().isdisjoint(case.session_rows):
        return True
    return history.is_any_orphaned(connection, sessions, _new_playbacks([case]))


def _new_sessions(
    connection: Connection, found: dict[Subject, Case], streams: Iterable[Case], adopted: Collection[str]
) -> Mapping[str, Case]:
    """The sessions that were not known to belong to these streams. One that two streams claim stays with the first."""
    claims = [(i, case) for case in streams for i in _session_ids(case) if i not in {*case.session_rows, *case.claimed}]
    rows = cases.load_subjects(connection, "session", [session_id for session_id, _ in claims])
    new: dict[str, Case] = {}
    for session_id, case in claims:
        row = rows.get(session_id)
        case.claimed.add(session_id)
        if session_id in new or session_id in adopted or (row is not None and row["stream_id"] is not None):
            case.foreign.add(session_id)
            continue
        new[session_id] = case
        orphan = found.pop(Subject("session", session_id), None)
        if orphan is not None:
            case.flagged |= orphan.flagged
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
