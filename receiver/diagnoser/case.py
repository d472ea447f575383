"""The streams and orphaned sessions in one pass, first half: fold what is new, or again what came late."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from receiver.diagnoser.bounds import Bounds
from receiver.diagnoser.records import STREAM, Record, signal_of
from receiver.diagnosis.folding import step
from receiver.diagnosis.state import StreamState
from receiver.diagnosis.values import Subject
from receiver.diagnosis.verdicts import Surroundings
from receiver.storage import cases, history
from receiver.storage.cases import LogRow


@dataclass(slots=True)
class Case:
    """One stream, or one orphaned session, in this pass. `fresh` are its signals not folded yet; `rewind_to` is the
    lowest position of those that must be folded before others that already were."""

    subject: Subject
    row: Record | None = None
    session_rows: Mapping[str, Record] = field(default_factory=dict)
    fresh: list[LogRow] = field(default_factory=list)
    rewind_to: str | None = None
    state: StreamState | None = None
    position: str | None = None
    folded_count: int = 0
    checkpoints: list[Record] = field(default_factory=list)
    adopted: bool = False

    @property
    def stream_id(self) -> str | None:
        """The stream's id; None for an orphaned session."""
        return self.subject.id if self.subject.kind == "stream" else None


def load_cases(connection: Connection, cases_by_subject: Mapping[Subject, Case]) -> None:
    """Read what is stored of these cases."""
    stream_ids = [subject.id for subject in cases_by_subject if subject.kind == "stream"]
    session_ids = [subject.id for subject in cases_by_subject if subject.kind == "session"]
    streams = cases.load_subjects(connection, "stream", stream_ids)
    orphans = cases.load_subjects(connection, "session", session_ids)
    sessions = cases.load_sessions(connection, stream_ids)
    for subject, case in cases_by_subject.items():
        known = streams if subject.kind == "stream" else orphans
        case.row = known.get(subject.id)
        case.session_rows = sessions.get(subject.id, {}) if subject.kind == "stream" else known


def fold_case(connection: Connection, case: Case, around: Surroundings, bounds: Bounds) -> None:
    """Bring the case's state up to its newest signal. A signal that stands before others already folded is folded in
    its place: from the nearest kept state before it (P4)."""
    rows = sorted(case.fresh, key=lambda row: (row.position, row.webhook_id))
    lowest = min([row.position for row in rows] + ([case.rewind_to] if case.rewind_to else []), default=None)
    folded_to = None if case.row is None else case.row["position"]
    if case.row is None or case.row["folded"] is None or case.stream_id is None:
        rows = _from_scratch(connection, case)
    elif lowest is not None and folded_to is not None and (case.rewind_to is not None or lowest < folded_to):
        rows = _rewind(connection, case, rows, lowest, bounds)
    else:
        _resume(case, case.row["folded"], folded_to, case.row["folded_count"])
    for row in rows:
        _step(case, row, around, bounds)
    _adopt_observations(connection, case, around, bounds)


def _adopt_observations(connection: Connection, case: Case, around: Surroundings, bounds: Bounds) -> None:
    """A stream whose playback id becomes known brings along what was observed of that playback id before."""
    playback_id = None if case.state is None else case.state.playback_id
    before = None if case.row is None else case.row["playback_id"]
    if case.stream_id is None or playback_id is None or playback_id == before or case.adopted:
        return
    case.adopted = True
    case.rewind_to = history.adopt_playbacks(connection, {playback_id: case.stream_id}).get(playback_id)
    if case.rewind_to is not None:
        case.checkpoints.clear()
        fold_case(connection, case, around, bounds)


def _from_scratch(connection: Connection, case: Case) -> list[LogRow]:
    _begin(case)
    history.drop_checkpoints_from(connection, case.subject.kind, case.subject.id, "")
    return _log(connection, case, "")


def _begin(case: Case) -> None:
    case.state, case.position, case.folded_count = StreamState(case.stream_id), None, 0


def _resume(case: Case, folded: str, position: str | None, folded_count: int) -> None:
    case.state, case.position, case.folded_count = STREAM.validate_json(folded), position, folded_count


def _log(connection: Connection, case: Case, after: str) -> list[LogRow]:
    if case.stream_id is None:
        return list(history.signals_of_orphan(connection, case.subject.id))
    return list(history.signals_of_stream(connection, case.stream_id, after))


def _rewind(connection: Connection, case: Case, rows: Sequence[LogRow], lowest: str, bounds: Bounds) -> list[LogRow]:
    kind, subject_id = case.subject.kind, case.subject.id
    kept = history.checkpoint_before(connection, kind, subject_id, lowest)
    if kept is None:
        horizon = history.oldest_checkpoint(connection, kind, subject_id)
        if horizon is not None and horizon.folded_count > bounds.checkpoint_every:
            return _clip(connection, case, rows, horizon.position, bounds)
        _begin(case)
    else:
        _resume(case, kept.folded, kept.position, kept.folded_count)
    history.drop_checkpoints_from(connection, kind, subject_id, lowest)
    return _log(connection, case, case.position or "")


def _clip(connection: Connection, case: Case, rows: Sequence[LogRow], horizon: str, bounds: Bounds) -> list[LogRow]:
    """Signals from before all that is kept are stored and flagged; the others are folded in their place."""
    stale = [row for row in rows if row.position <= horizon]
    history.flag_beyond_horizon(connection, [row.signal_seq for row in stale])
    case.fresh = [row for row in rows if row.position > horizon]
    case.rewind_to = None
    if case.fresh:
        return _rewind(connection, case, case.fresh, case.fresh[0].position, bounds)
    row = case.row or {}
    _resume(case, row["folded"], row["position"], row["folded_count"])
    return []


def _step(case: Case, row: LogRow, around: Surroundings, bounds: Bounds) -> None:
    state = case.state or StreamState(case.stream_id)
    case.state = step(state, signal_of(row, case.stream_id), around.limits)
    case.position = row.position
    case.folded_count += 1
    if case.folded_count % bounds.checkpoint_every == 0 and case.stream_id is not None:
        case.checkpoints.append(
            {
                "kind": case.subject.kind,
                "id": case.subject.id,
                "position": row.position,
                "folded_count": case.folded_count,
                "folded": STREAM.dump_json(case.state).decode(),
            }
        )
