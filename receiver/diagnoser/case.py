"""The streams and orphaned sessions in one pass, first half: fold what is new, or again what came late."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from sqlalchemy import Connection

from receiver.diagnoser.bounds import Bounds
from receiver.diagnoser.filing import Fresh
from receiver.diagnoser.records import STREAM, Record, read, signal_of, text_of
from receiver.diagnosis.folding import fold
from receiver.diagnosis.state import StreamState
from receiver.diagnosis.values import Signal, Subject, SubjectKind
from receiver.diagnosis.verdicts import Surroundings
from receiver.storage import bases, cases, history
from receiver.storage.bases import BaseRow
from receiver.storage.cases import LogRow
from receiver.storage.claims import claim_subjects

_place = attrgetter("position", "webhook_id")
"""Where a row of the log stands among those of its stream."""


@dataclass(slots=True)
class Case:
    """One stream, or one orphaned session, in this pass. `fresh` are its signals not looked at yet, `brought` those
    that were not known to be its own until now."""

    subject: Subject
    anew: bool = False
    """Whether it is to be folded from its whole log, whatever is stored of it."""
    row: Record | None = None
    session_rows: dict[str, Record] = field(default_factory=dict)
    fresh: list[LogRow] = field(default_factory=list)
    brought: list[LogRow] = field(default_factory=list)
    state: StreamState | None = None
    position: str | None = None
    folded_count: int = 0
    """How many positions were folded: the copies of an event that several webhooks brought stand at one."""
    kept: str | None = None
    """The position of the kept state from which the fold went on."""
    base: BaseRow | None = None
    """What stands for the signals that were removed, where any were; read when it is asked for."""
    base_known: bool = False
    checkpoints: list[Record] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)
    """The sessions and playback ids under which it has been looked for more in this pass."""
    told_by: frozenset[str] = frozenset()
    """The webhooks that are known to have told of the stream."""
    foreign: set[str] = field(default_factory=set)
    """Sessions that another stream owns: it named them first."""

    @property
    def stream_id(self) -> str | None:
        """The stream's id; None for an orphaned session."""
        return self.subject.id if self.subject.kind == "stream" else None


def claim_cases(connection: Connection, found: dict[Subject, Case]) -> Sequence[Case]:
    """Have these cases to ourselves, and read what is stored of them. Those that another process works on are taken out
    of `found`, and returned."""
    streams = claim_subjects(connection, "stream", _ids(found, "stream"))
    orphans = claim_subjects(connection, "session", _ids(found, "session"))
    busy = [Subject("stream", i) for i in streams.busy] + [Subject("session", i) for i in orphans.busy]
    left = [found.pop(subject) for subject in busy]
    _fill(connection, found, streams.rows, orphans.rows)
    return left


def load_cases(connection: Connection, found: Mapping[Subject, Case]) -> None:
    """Read what is stored of these cases."""
    streams = cases.load_subjects(connection, "stream", _ids(found, "stream"))
    orphans = cases.load_subjects(connection, "session", _ids(found, "session"))
    _fill(connection, found, streams, orphans)


def _ids(found: Iterable[Subject], kind: SubjectKind) -> Sequence[str]:
    return [subject.id for subject in found if subject.kind == kind]


def _fill(
    connection: Connection,
    found: Mapping[Subject, Case],
    streams: Mapping[str, Record],
    orphans: Mapping[str, Record],
) -> None:
    sessions = cases.load_sessions(connection, _ids(found, "stream"))
    for subject, case in found.items():
        if subject.kind == "stream":
            case.row, case.session_rows = streams.get(subject.id), sessions.get(subject.id, {})
        else:
            case.row = orphans.get(subject.id)
            case.session_rows = {} if case.row is None else {subject.id: case.row}


def load_bases(connection: Connection, found: Collection[Case]) -> None:
    """Read what stands for the signals of these cases that were removed."""
    for kind in {case.subject.kind for case in found}:
        mine = [case for case in found if case.subject.kind == kind]
        known = bases.load(connection, kind, [case.subject.id for case in mine])
        for case in mine:
            case.base, case.base_known = known.get(case.subject.id), True


def fold_case(connection: Connection, case: Case, around: Surroundings, bounds: Bounds) -> None:
    """Bring the case's state up to its newest signal. A signal that does not stand behind all that were folded is
    folded in its place: from the nearest kept state before it (P4)."""
    case.checkpoints.clear()
    case.kept = None
    _fold_rows(case, _to_fold(connection, case, bounds), around, bounds)


def short_logs(connection: Connection, found: Collection[Case], bounds: Bounds) -> Mapping[str, Sequence[LogRow]]:
    """The whole logs of those streams, by id, that have few signals and none removed, read at once."""
    short = [
        case.subject.id
        for case in found
        if case.stream_id and case.base is None and case.row and case.row["folded_count"] < bounds.checkpoint_every
    ]
    return history.signals_of_streams(connection, short)


def refold_case(
    connection: Connection, case: Case, around: Surroundings, bounds: Bounds, log: Sequence[LogRow] | None = None
) -> int:
    """Fold the case's whole log, which only reads: what is kept of it on the way stays as it is. Returns how many
    signals that were."""
    _begin_at_base(connection, case)
    rows = _log(connection, case) if log is None else sorted(log, key=_place)
    _fold_rows(case, rows, around, bounds)
    return len(rows)


def _fold_rows(case: Case, rows: Sequence[LogRow], around: Surroundings, bounds: Bounds) -> None:
    run: list[Signal] = []
    for row in rows:
        if row.position != case.position:
            if _is_time_to_keep(case, bounds):
                _keep(case, _fold(case, run, around))
                run = []
            case.folded_count += 1
            case.position = row.position
        run.append(signal_of(row, case.stream_id))
    _fold(case, run, around)


def _fold(case: Case, run: Sequence[Signal], around: Surroundings) -> StreamState:
    case.state = fold(case.state or StreamState(case.stream_id), run, around.limits)
    return case.state


def _to_fold(connection: Connection, case: Case, bounds: Bounds) -> Sequence[LogRow]:
    known = case.row
    if case.anew:
        return _from_scratch(connection, case)
    if known is None and case.stream_id is not None and not case.brought:
        _begin(case)
        return sorted(case.fresh, key=_place)
    if case.stream_id is None or known is None or known["folded"] is None or known["position"] is None:
        return _from_scratch(connection, case)
    new = sorted({row.signal_seq: row for row in (*case.brought, *case.fresh)}.values(), key=_place)
    if new and (case.brought or new[0].position <= known["position"]):
        return _rewind(connection, case, new, bounds)
    _resume(case, known["folded"], known["position"], known["folded_count"])
    case.told_by = frozenset(() if case.state is None else (caller.webhook_id for caller in case.state.callers))
    return new


def _from_scratch(connection: Connection, case: Case) -> Sequence[LogRow]:
    _begin_at_base(connection, case)
    _above_base(connection, case, [*case.brought, *case.fresh])
    history.drop_checkpoints_from(connection, case.subject.kind, case.subject.id, "")
    return _log(connection, case)


def _begin(case: Case) -> None:
    case.state, case.position, case.folded_count = StreamState(case.stream_id), None, 0


def _begin_at_base(connection: Connection, case: Case) -> None:
    base = _base_of(connection, case)
    if base is None:
        _begin(case)
        return
    _resume(case, base.folded, base.position, base.folded_count)
    case.kept = base.position


def _base_of(connection: Connection, case: Case) -> BaseRow | None:
    if not case.base_known:
        load_bases(connection, [case])
    return case.base


def _above_base(connection: Connection, case: Case, new: Sequence[LogRow]) -> Sequence[LogRow]:
    """Signals from before what was removed are stored and flagged (P5), but for those that were folded and have only
    come again. Returns the others."""
    base = _base_of(connection, case)
    if base is None:
        return new
    repeated = {row.signal_seq for row in case.fresh if row.verdict == "duplicate"}
    stale = {row.signal_seq for row in new if row.position <= base.position}
    history.flag_beyond_horizon(connection, stale - repeated)
    return [row for row in new if row.signal_seq not in stale]


def _resume(case: Case, folded: str, position: str, folded_count: int) -> None:
    state = read(STREAM, folded)
    if state.stream_id != case.stream_id:
        raise ValueError("what was folded is another stream's")
    case.state, case.position, case.folded_count = state, position, folded_count


def _log(connection: Connection, case: Case) -> Sequence[LogRow]:
    """All that was looked at and stands behind the case's position. What is fresh need not be parsed again, unless
    another attempt at it has lowered its time."""
    if case.stream_id is None:
        rows = history.signals_of_orphan(connection, case.subject.id, case.position or "")
    else:
        rows = history.signals_of_stream(connection, case.stream_id, case.position or "")
    at_hand = {(row.signal_seq, row.timestamp_ms): row for row in case.fresh if isinstance(row, Fresh)}
    return [at_hand.get((row.signal_seq, row.attempted_ms), row) for row in rows]


def _rewind(connection: Connection, case: Case, new: Sequence[LogRow], bounds: Bounds) -> Sequence[LogRow]:
    known, base = case.row or {}, _base_of(connection, case)
    new = _above_base(connection, case, new)
    if not new:
        _resume(case, known["folded"], known["position"], known["folded_count"])
        return ()
    if base is None and known["folded_count"] < bounds.checkpoint_every:
        _begin(case)
        return _log(connection, case)
    kind, subject_id, lowest = case.subject.kind, case.subject.id, new[0].position
    kept = history.checkpoint_before(connection, kind, subject_id, lowest)
    if kept is None:
        oldest = history.oldest_checkpoint(connection, kind, subject_id)
        surplus = 0 if oldest is None else oldest.folded_count - (0 if base is None else base.folded_count)
        if oldest is not None and surplus > bounds.checkpoint_every:
            return _clip(connection, case, new, oldest.position, bounds)
        _begin_at_base(connection, case)
    else:
        _resume(case, kept.folded, kept.position, kept.folded_count)
        case.kept = kept.position
    history.drop_checkpoints_from(connection, kind, subject_id, lowest)
    return _log(connection, case)


def _clip(connection: Connection, case: Case, new: Sequence[LogRow], horizon: str, bounds: Bounds) -> Sequence[LogRow]:
    """Signals from before all that is kept are stored and flagged; the others are folded in their place. One of them
    that was folded already, and has since turned out to have been tried earlier, can only be folded with all others."""
    stale = {row.signal_seq for row in new if row.position <= horizon}
    if any(_came_before(row) for row in case.fresh if row.signal_seq in stale):
        return _from_scratch(connection, case)
    history.flag_beyond_horizon(connection, stale)
    left = [row for row in new if row.signal_seq not in stale]
    if left:
        return _rewind(connection, case, left, bounds)
    known = case.row or {}
    _resume(case, known["folded"], known["position"], known["folded_count"])
    return ()


def _came_before(row: LogRow) -> bool:
    """Whether the signal may have been folded already: it is a repetition, or an event that had to be left to another
    process (its delivery was looked at before)."""
    return bool(row.verdict == "duplicate" or (row.verdict is None and row.webhook_id))


def _is_time_to_keep(case: Case, bounds: Bounds) -> bool:
    """Whether the state is to be kept, as it is after all that stands at its position."""
    if case.folded_count == 0 or case.folded_count % bounds.checkpoint_every or case.stream_id is None:
        return False
    return case.position != case.kept


def _keep(case: Case, state: StreamState) -> None:
    case.checkpoints.append(
        {
            "kind": case.subject.kind,
            "id": case.subject.id,
            "position": case.position,
            "folded_count": case.folded_count,
            "folded": text_of(state),
        }
    )
