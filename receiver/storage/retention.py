"""What has been kept long enough, found and removed some rows at a time.

All is found by `seq`, which sorts by time: a batch reads a range of a primary key, wherever in the table that is, and
its cost does not depend on how many rows there are. What must stay is passed over.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Select,
    Table,
    bindparam,
    delete,
    exists,
    func,
    outerjoin,
    select,
)

from receiver.ids import given_at
from receiver.storage.bulk import chunks
from receiver.storage.episodes import UNRESOLVED
from receiver.storage.tables import (
    BodyRow,
    DeliveryRow,
    DiagnosisRow,
    FailingRow,
    IdempotencyRow,
    InboxRow,
    OutboxDueRow,
    OutboxRow,
    PackedBodyRow,
    PendingRow,
    PlaceRow,
    QuarantineRow,
    SignalRow,
    SubjectRow,
    TransitionRow,
    table_of,
)

LogRow: TypeAlias = Any
"""A row of the log: (seq, id, position, flag), whether it was `placed`, and where: (stream_id, session_id, webhook_id,
at_ms)."""


class Span(NamedTuple):
    """What one batch looks at: rows from behind one `seq` to before another, at most so many."""

    after: int
    before: int
    most: int


class Step(NamedTuple):
    """What one batch came to: how many rows it removed, and the last `seq` that it looked at; None where there was
    nothing left to look at."""

    removed: int
    reached: int | None


DONE: Final = Step(0, None)

_deliveries, _quarantine, _outbox = table_of(DeliveryRow), table_of(QuarantineRow), table_of(OutboxRow)
_diagnoses, _transitions, _failing = table_of(DiagnosisRow), table_of(TransitionRow), table_of(FailingRow)
_keys, _due, _pending, _inbox = (
    table_of(IdempotencyRow),
    table_of(OutboxDueRow),
    table_of(PendingRow),
    table_of(InboxRow),
)
_signals, _places, _subjects = table_of(SignalRow), table_of(PlaceRow), table_of(SubjectRow)


def in_span(seq: ColumnElement[int], *columns: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """The rows of a span, by `seq`, with these columns."""
    asked = select(seq, *columns).where(seq > bindparam("after"), seq < bindparam("before"))
    return asked.order_by(seq).limit(bindparam("most"))


def by_key(column: ColumnElement[Any]) -> Delete:
    """Removes rows of the column's table by these `keys` of it."""
    table = column.table
    assert isinstance(table, Table)  # noqa: S101 -- for the type checker
    return delete(table).where(column.in_(bindparam("keys", expanding=True)))


_DELIVERIES: Final = in_span(_deliveries.c.seq)
_QUARANTINE: Final = in_span(_quarantine.c.seq)
_NOTICES: Final = in_span(_outbox.c.seq)
_KEYS: Final = in_span(_keys.c.signal_seq, _keys.c.key)
_STILL_TRUE: Final = exists().where(
    _failing.c.kind == _diagnoses.c.subject_kind,
    _failing.c.id == _diagnoses.c.subject_id,
    _failing.c.condition == _diagnoses.c.condition,
)
_RESOLVED: Final = in_span(
    _diagnoses.c.seq, _diagnoses.c.id, _diagnoses.c.resolved_ms, _STILL_TRUE.label("still_true")
).where(_diagnoses.c.status == "resolved")
_REMOVE_DELIVERIES, _REMOVE_QUARANTINE = by_key(_deliveries.c.seq), by_key(_quarantine.c.seq)
_REMOVE_NOTICES, _REMOVE_KEYS = by_key(_outbox.c.seq), by_key(_keys.c.key)
_REMOVE_DIAGNOSES, _REMOVE_TRANSITIONS = by_key(_diagnoses.c.id), by_key(_transitions.c.diagnosis_id)
_SIGNALS: Final = (
    in_span(
        _signals.c.seq,
        _signals.c.id,
        _signals.c.position,
        _signals.c.flag,
        _signals.c.kind,
        _places.c.seq.is_not(None).label("placed"),
        _places.c.stream_id,
        _places.c.session_id,
        _places.c.webhook_id,
        _places.c.at_ms,
    )
    .select_from(outerjoin(_signals, _places, _places.c.seq == _signals.c.seq))
    .with_for_update(skip_locked=True, of=_signals)
)
_REMOVE_OF_SIGNALS: Final = tuple(by_key(table_of(row).c.seq) for row in (PlaceRow, BodyRow, PackedBodyRow, SignalRow))
_LOCK: Final = (
    select(_subjects.c.id)
    .where(_subjects.c.kind == bindparam("kind"), _subjects.c.id.in_(bindparam("ids", expanding=True)))
    .with_for_update(skip_locked=True)
)
_DIAGNOSED: Final = {
    kind: select(column).where(
        column.in_(bindparam("ids", expanding=True)), _diagnoses.c.status.in_(UNRESOLVED), *kinds
    )
    for kind, column, kinds in (
        ("stream", _diagnoses.c.stream_id, ()),
        ("session", _diagnoses.c.subject_id, (_diagnoses.c.subject_kind == "session",)),
    )
}
_EVIDENCE: Final = select(_diagnoses.c.evidence).where(
    _diagnoses.c.subject_kind.in_(bindparam("kinds", expanding=True)), _diagnoses.c.status.in_(UNRESOLVED)
)


def span_of(connection: Connection, asked: Select[*tuple[Any, ...]], span: Span) -> Sequence[Any]:
    """The rows of a span."""
    return connection.execute(asked, span._asdict()).all()


def remove(connection: Connection, statement: Delete, keys: Sequence[object]) -> None:
    """Remove the rows with these keys; some may be gone already."""
    for chunk in chunks(keys):
        connection.execute(statement, {"keys": chunk})


def oldest_waiting(connection: Connection) -> int | None:
    """The oldest delivery or observation that the diagnoser has not looked at: nothing from there on is old."""
    oldest = [connection.execute(select(func.min(table.c.seq))).scalar() for table in (_inbox, _pending)]
    return min((seq for seq in oldest if seq is not None), default=None)


def oldest_untold(connection: Connection) -> int | None:
    """The oldest notice that an outlet has yet to tell."""
    seq: int | None = connection.execute(select(func.min(_due.c.seq))).scalar()
    return seq


def evidence_of(connection: Connection, *kinds: str) -> Sequence[str]:
    """What the diagnoses of subjects of these kinds rest on that are not resolved, as they are stored."""
    return connection.execute(_EVIDENCE, {"kinds": kinds}).scalars().all()


def signals(connection: Connection, span: Span) -> Sequence[LogRow]:
    """The signals of a span, and where they belong, but for those that another process is writing to."""
    return span_of(connection, _SIGNALS, span)


def remove_signals(connection: Connection, seqs: Sequence[int]) -> None:
    """A base stands for them, or nothing needs to. With them go their bodies, and where they belonged."""
    for statement in _REMOVE_OF_SIGNALS:
        remove(connection, statement, seqs)


def at_rest(connection: Connection, kind: str, ids: Iterable[str]) -> set[str]:
    """Those of these streams or orphaned sessions that no open diagnosis is of, and no other process is at work on;
    none will be before the transaction ends."""
    found: set[str] = set()
    for chunk in chunks(sorted(set(ids))):
        found.update(connection.execute(_LOCK, {"kind": kind, "ids": chunk}).scalars())
        found.difference_update(connection.execute(_DIAGNOSED[kind], {"ids": chunk}).scalars())
    return found


def deliveries(connection: Connection, span: Span) -> Sequence[int]:
    """The deliveries of a span, by `seq`."""
    return [row.seq for row in span_of(connection, _DELIVERIES, span)]


def remove_deliveries(connection: Connection, seqs: Sequence[int]) -> None:
    """Of what they tell of the endpoint and the webhooks, bases have been kept."""
    remove(connection, _REMOVE_DELIVERIES, seqs)


def remove_quarantine(connection: Connection, span: Span) -> Step:
    """Remove what was held in vain. While our endpoint refuses what it should not, nothing: what is held is what the
    right secret will bring back, and it is bounded."""
    if evidence_of(connection, "endpoint"):
        return DONE
    seqs = [row.seq for row in span_of(connection, _QUARANTINE, span)]
    remove(connection, _REMOVE_QUARANTINE, seqs)
    return Step(len(seqs), seqs[-1]) if seqs else DONE


def remove_notices(connection: Connection, span: Span) -> Step:
    """Remove notices; the span ends before the oldest that an outlet has yet to tell."""
    seqs = [row.seq for row in span_of(connection, _NOTICES, span)]
    remove(connection, _REMOVE_NOTICES, seqs)
    return Step(len(seqs), seqs[-1]) if seqs else DONE


def remove_keys(connection: Connection, span: Span) -> Step:
    """Remove idempotency keys, by the observations that they stand for."""
    rows = span_of(connection, _KEYS, span)
    remove(connection, _REMOVE_KEYS, [row.key for row in rows])
    return Step(len(rows), rows[-1].signal_seq) if rows else DONE


def remove_diagnoses(connection: Connection, span: Span) -> Step:
    """Remove what was resolved before the span's end, with all that it went through. One that somebody resolved by hand
    while its condition stayed true stays as long as that: it is why no other is opened."""
    before_ms = given_at(span.before)
    rows = span_of(connection, _RESOLVED, span)
    over = [row.id for row in rows if not row.still_true and (row.resolved_ms or 0) < before_ms]
    remove(connection, _REMOVE_TRANSITIONS, over)
    remove(connection, _REMOVE_DIAGNOSES, over)
    return Step(len(over), rows[-1].seq) if rows else DONE
