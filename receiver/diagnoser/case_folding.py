"""What is folded of a case, and from where on: what is new, or again what stands behind what came late. Only reads."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter

from sqlalchemy import Connection

from receiver.diagnoser.bounds import Bounds
from receiver.diagnoser.case import Case
from receiver.diagnoser.filing import Fresh
from receiver.diagnoser.records import STREAM, read, signal_of, text_of
from receiver.diagnosis.folding import fold
from receiver.diagnosis.state import StreamState
from receiver.diagnosis.values import Signal
from receiver.diagnosis.verdicts import Surroundings
from receiver.storage import history
from receiver.storage.cases import LogRow

_place = attrgetter("position", "webhook_id")
"""Where a row of the log stands among those of its stream."""


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
    _begin_at_base(case)
    rows = _log(connection, case) if log is None else sorted(log, key=_place)
    _fold_rows(case, rows, around, bounds)
    return len(rows)


def _fold_rows(case: Case, rows: Sequence[LogRow], around: Surroundings, bounds: Bounds) -> None:
    stream_id, run = case.stream_id, list[Signal]()
    for row in rows:
        if row.position != case.position:
            if _is_time_to_keep(case, bounds):
                _keep(case, _fold(case, run, around))
                run = []
            case.folded_count += 1
            case.position = row.position
        run.append(signal_of(row, stream_id))
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
    _begin_at_base(case)
    _above_base(case, [*case.brought, *case.fresh])
    case.holds_until = ""
    return _log(connection, case)


def _begin(case: Case) -> None:
    case.state, case.position, case.folded_count = StreamState(case.stream_id), None, 0


def _begin_at_base(case: Case) -> None:
    base = case.base
    if base is None:
        _begin(case)
        return
    _resume(case, base.folded, base.position, base.folded_count)
    case.kept = base.position


def _above_base(case: Case, new: Sequence[LogRow]) -> Sequence[LogRow]:
    """Signals from before what was removed are stored and flagged (P5), but for those that were folded and have only
    come again. Returns the others."""
    base = case.base
    if base is None:
        return new
    repeated = {row.signal_seq for row in case.fresh if row.verdict == "duplicate"}
    stale = {row.signal_seq for row in new if row.position <= base.position}
    case.flagged |= stale - repeated
    return [row for row in new if row.signal_seq not in stale]


def _resume(case: Case, folded: str, position: str, folded_count: int) -> None:
    state = read(STREAM, folded)
    if state.stream_id != case.stream_id:
        raise ValueError("what was folded is another stream's")
    case.state, case.position, case.folded_count = state, position, folded_count


def _log(connection: Connection, case: Case) -> Sequence[LogRow]:
    """All that was looked at and stands behind the case's position. What is fresh need not be parsed again, unless
    another attempt at it has lowered its time."""
    after = case.position or ""
    if case.stream_id is None:
        rows = history.signals_of_orphan(connection, case.subject.id, after)
    else:
        rows = [*history.signals_of_stream(connection, case.stream_id, after), *_adopted(case, after)]
    at_hand = {(row.signal_seq, row.timestamp_ms): row for row in case.fresh if isinstance(row, Fresh)}
    whole = [at_hand.get((row.signal_seq, row.attempted_ms), row) for row in rows if row.signal_seq not in case.flagged]
    return sorted(whole, key=_place) if case.brought else whole


def _adopted(case: Case, after: str) -> Iterable[LogRow]:
    """What the case has been given in this pass; where it belongs is written with what came of it."""
    return (row for row in case.brought if row.position > after and row.flag is None)


def _rewind(connection: Connection, case: Case, new: Sequence[LogRow], bounds: Bounds) -> Sequence[LogRow]:
    known, base = case.row or {}, case.base
    new = _above_base(case, new)
    if not new:
        _resume(case, known["folded"], known["position"], known["folded_count"])
        return ()
    if base is None and known["folded_count"] < bounds.checkpoint_every:
        _begin(case)
        return _log(connection, case)
    kind, subject_id, lowest = case.subject.kind, case.subject.id, new[0].position
    holds_until = lowest if case.holds_until is None else min(lowest, case.holds_until)
    kept = history.checkpoint_before(connection, kind, subject_id, holds_until)
    if kept is None:
        oldest = _oldest_kept(connection, case)
        surplus = 0 if oldest is None else oldest.folded_count - (0 if base is None else base.folded_count)
        if oldest is not None and surplus > bounds.checkpoint_every:
            return _clip(connection, case, new, oldest.position, bounds)
        _begin_at_base(case)
    else:
        _resume(case, kept.folded, kept.position, kept.folded_count)
        case.kept = kept.position
    case.holds_until = holds_until
    return _log(connection, case)


def _oldest_kept(connection: Connection, case: Case) -> LogRow | None:
    oldest = history.oldest_checkpoint(connection, case.subject.kind, case.subject.id)
    gone = oldest is not None and case.holds_until is not None and oldest.position >= case.holds_until
    return None if gone else oldest


def _clip(connection: Connection, case: Case, new: Sequence[LogRow], horizon: str, bounds: Bounds) -> Sequence[LogRow]:
    """Signals from before all that is kept are stored and flagged; the others are folded in their place. One of them
    that was folded already, and has since turned out to have been tried earlier, can only be folded with all others."""
    stale = {row.signal_seq for row in new if row.position <= horizon}
    if any(_came_before(row) for row in case.fresh if row.signal_seq in stale):
        return _from_scratch(connection, case)
    case.flagged |= stale
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
