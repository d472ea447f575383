"""Old signals are removed, and the state that they were folded into stands for them (P5).

A base is what the signals of a stream up to a position give. Only what stands at or before it is removed, so that a
rebuild, which begins there, finds all that stands behind it. What comes later and stands before it is flagged.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from receiver.diagnoser.bases import shown, stand_for_registrations
from receiver.diagnoser.records import STREAM, Record, read, signal_of, text_of
from receiver.diagnosis.folding import fold
from receiver.diagnosis.looks import SNAPSHOT_OF_WEBHOOK
from receiver.diagnosis.ordering import first_position
from receiver.diagnosis.state import StreamState
from receiver.diagnosis.values import Limits, Subject
from receiver.ids import given_at
from receiver.logs import get_logger
from receiver.storage import bases, history, retention
from receiver.storage.arrival import NOT_UNDERSTOOD
from receiver.storage.cases import LogRow
from receiver.storage.claims import claim_subjects
from receiver.storage.history import BEYOND_HORIZON
from receiver.storage.retention import DONE, Span, Step

FOLDED_AT_ONCE = 500
_log = get_logger("receiver.diagnoser")


@dataclass(frozen=True, slots=True)
class _Base:
    """The state of a subject after what stands up to `position`, so many positions."""

    position: str
    folded_count: int
    folded: str


_NO_BASE = _Base("", 0, "")


@dataclass(frozen=True, slots=True)
class _Batch:
    """What may go of a span as far as each signal tells by itself: what nothing rests on (`free`), what waits for the
    base of its subject to stand for it (`folded`). `horizon` is the first position that is too young."""

    free: list[int]
    folded: Mapping[Subject, list[LogRow]]
    horizon: str


def remove_events(connection: Connection, span: Span, limits: Limits) -> Step:
    """Remove a batch of signals; the bases that stand for them are moved before. What an open diagnosis rests on stays:
    all of a stream that has one, and what is shown of a webhook."""
    rows = retention.signals(connection, span)
    if not rows:
        return DONE
    batch = _sorted_out(rows, first_position(given_at(span.before)), shown(connection, "webhook"))
    stand_for_registrations(connection, [row.seq for row in rows if row.seq in set(batch.free) and _is_seen(row)])
    over, unfinished = list(batch.free), []
    for kind in ("stream", "session"):
        mine = {subject: of for subject, of in batch.folded.items() if subject.kind == kind}
        positions = _stood_for(connection, kind, mine, batch.horizon, limits)
        for subject, position in positions.items():
            stays = [row.seq for row in mine[subject] if row.position > position and row.flag != BEYOND_HORIZON]
            over += [row.seq for row in mine[subject] if row.seq not in stays]
            unfinished += stays
    retention.remove_signals(connection, sorted(over))
    return Step(len(over), min(unfinished) - 1 if unfinished else rows[-1].seq)


def _sorted_out(rows: Iterable[LogRow], horizon: str, protected: set[str]) -> _Batch:
    batch = _Batch([], defaultdict(list), horizon)
    for row in rows:
        belongs = row.placed or row.flag == NOT_UNDERSTOOD or _is_seen(row)
        if row.id in protected or not (row.position < horizon and belongs):
            continue
        if row.stream_id is not None:
            batch.folded[Subject("stream", row.stream_id)].append(row)
        elif row.placed and row.session_id is not None and row.webhook_id:
            batch.folded[Subject("session", row.session_id)].append(row)
        else:
            batch.free.append(row.seq)
    return batch


def _is_seen(row: LogRow) -> bool:
    """Whether it is a snapshot of a webhook, which has no place."""
    return bool(row.kind == SNAPSHOT_OF_WEBHOOK)


def _stood_for(
    connection: Connection, kind: str, rows: Mapping[Subject, Sequence[LogRow]], horizon: str, limits: Limits
) -> Mapping[Subject, str]:
    """Up to which position a base now stands for the signals of each of these subjects; of those that are to be left
    alone, nothing."""
    ids = [subject.id for subject in rows]
    claimed = claim_subjects(connection, kind, ids)
    resting, known = retention.at_rest(connection, kind, ids), bases.load(connection, kind, ids)
    found: dict[Subject, str] = {}
    new: dict[str, _Base] = {}
    for subject, mine in rows.items():
        if subject.id in claimed.busy:
            continue
        record, base = claimed.rows.get(subject.id), known.get(subject.id)
        if kind == "session" and (record is None or record["stream_id"] is not None):
            found[subject] = horizon
        elif record is not None and subject.id in resting and _is_folded(record):
            before = _NO_BASE if base is None else _Base(base.position, base.folded_count, base.folded)
            needed = max((row.position for row in mine if row.flag != BEYOND_HORIZON), default="")
            moved = _moved(connection, subject, record, horizon, limits, before) if needed > before.position else before
            if moved != before:
                new[subject.id] = moved
            if needed <= moved.position or moved != before:
                found[subject] = moved.position
    bases.save(connection, [{"kind": kind, "id": subject_id, **asdict(base)} for subject_id, base in new.items()])
    history.drop_checkpoints_until(connection, kind, {subject_id: base.position for subject_id, base in new.items()})
    return found


def _is_folded(record: Record) -> bool:
    return record["fault"] is None and record["folded"] is not None and record["position"] is not None


def _moved(
    connection: Connection, subject: Subject, record: Record, horizon: str, limits: Limits, before: _Base
) -> _Base:
    """The base of a subject after its signals before the horizon, or after as many as are folded at once; where they
    cannot be, as it was: the diagnoser tells of that."""
    try:
        is_quiet = record["position"] < horizon
        return _as_it_is(subject, record) if is_quiet else _folded_on(connection, subject, horizon, limits, before)
    except SQLAlchemyError:
        raise
    except Exception:  # noqa: BLE001 -- a rule that fails for one stream must not keep the others
        _log.exception("diagnoser.fault", **{f"{subject.kind}_id": subject.id})
        return before


def _as_it_is(subject: Subject, record: Record) -> _Base:
    """All its signals are old: what they were folded into is stored, and must read, for nothing else will be left."""
    _state_of(subject, record["folded"])
    return _Base(record["position"], record["folded_count"], record["folded"])


def _folded_on(connection: Connection, subject: Subject, horizon: str, limits: Limits, before: _Base) -> _Base:
    kind, subject_id = subject.kind, subject.id
    kept = history.checkpoint_before(connection, kind, subject_id, horizon)
    if kept is not None and kept.position > before.position:
        before = _Base(kept.position, kept.folded_count, kept.folded)
    state = _state_of(subject, before.folded)
    rows = _whole(history.signals_between(connection, kind, subject_id, before.position, horizon, FOLDED_AT_ONCE))
    if not rows:
        return before
    state = fold(state, [signal_of(row, state.stream_id) for row in rows], limits)
    positions = len({row.position for row in rows})
    return _Base(rows[-1].position, before.folded_count + positions, text_of(state))


def _state_of(subject: Subject, folded: str) -> StreamState:
    """Raises ValueError for what cannot be read, and for what is another stream's."""
    stream_id = subject.id if subject.kind == "stream" else None
    state = read(STREAM, folded) if folded else StreamState(stream_id)
    if state.stream_id != stream_id:
        raise ValueError("what was folded is another stream's")
    return state


def _whole(rows: Sequence[LogRow]) -> Sequence[LogRow]:
    """Without the last position, of which not all copies may have been read, where there may be more."""
    if len(rows) < FOLDED_AT_ONCE:
        return rows
    return [row for row in rows if row.position != rows[-1].position] or rows
