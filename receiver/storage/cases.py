"""What the diagnoser reads and writes of its subjects: pending work, states, deadlines.

The statements are built once, here: building one for each use costs more than running it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import (
    BindParameter,
    Connection,
    bindparam,
    delete,
    func,
    or_,
    outerjoin,
    select,
    tuple_,
    update,
)

from receiver.storage import bodies
from receiver.storage.bulk import Bulk, Rows, chunks
from receiver.storage.tables import (
    CheckpointRow,
    DeliveryRow,
    FailingRow,
    PendingRow,
    PlaceRow,
    SignalRow,
    SubjectRow,
    table_of,
)

LogRow: TypeAlias = Any
"""A row whose columns are named where it is read, or what has them as attributes."""
Record: TypeAlias = Mapping[str, Any]
"""One row of `subjects`, by column name."""

RECEIPTS_AT_ONCE = 8192
LAST_SEQ = (1 << 63) - 1
_AT_ONCE = 128
"""How many rows with bodies are read before their size is looked at."""

_signals, _subjects, _pending, _deliveries = (
    table_of(SignalRow),
    table_of(SubjectRow),
    table_of(PendingRow),
    table_of(DeliveryRow),
)
_failing, _checkpoints, _places = table_of(FailingRow), table_of(CheckpointRow), table_of(PlaceRow)
SUBJECT_COLUMNS = tuple(column.name for column in _subjects.c)

LOG_COLUMNS = (
    _signals.c.seq.label("signal_seq"),
    _signals.c.id,
    _signals.c.webhook_id,
    _signals.c.source,
    func.coalesce(_places.c.stream_id, _signals.c.stream_id).label("stream_id"),
    _signals.c.session_id,
    _signals.c.playback_id,
    _signals.c.position,
    _signals.c.attempted_ms,
    _signals.c.flag,
    *bodies.COLUMNS,
)


def _several(name: str) -> BindParameter[Any]:
    return bindparam(name, expanding=True)


_RECEIPT_COLUMNS = (
    _deliveries.c.seq.label("delivery_seq"),
    _deliveries.c.received_ms,
    _deliveries.c.verdict,
    _deliveries.c.code,
    _deliveries.c.shaped,
    _deliveries.c.webhook_id.label("told_webhook_id"),
    _deliveries.c.event_id,
    _deliveries.c.event,
    _deliveries.c.created_ms,
    _deliveries.c.timestamp_ms,
)
_TAKE = (
    select(
        _pending.c.seq.label("pending_seq"),
        _pending.c.changed,
        _places.c.seq.is_not(None).label("placed"),
        *_RECEIPT_COLUMNS,
        *LOG_COLUMNS,
    )
    .select_from(
        bodies.joined(
            outerjoin(_pending, _deliveries, _deliveries.c.seq == _pending.c.seq)
            .outerjoin(_signals, _signals.c.seq == _pending.c.signal_seq)
            .outerjoin(_places, _places.c.seq == _signals.c.seq),
            _signals.c.seq,
        )
    )
    .where(_pending.c.seq.in_(_several("seqs")))
    .order_by(_pending.c.seq)
)
_told = or_(_deliveries.c.verdict.in_(("accepted", "duplicate")), _deliveries.c.shaped)
_RECEIPTS = (
    select(*_RECEIPT_COLUMNS)
    .where(_told, _deliveries.c.seq > bindparam("after_seq"), _deliveries.c.seq <= bindparam("until_seq"))
    .order_by(_deliveries.c.seq)
    .limit(RECEIPTS_AT_ONCE)
)
_SEQS = select(_pending.c.seq).order_by(_pending.c.seq).limit(bindparam("most"))
_PENDING_OF = (
    select(_pending.c.seq)
    .join(_places, _places.c.seq == _pending.c.signal_seq)
    .where(or_(_places.c.stream_id.in_(_several("ids")), _places.c.session_id.in_(_several("ids"))))
    .limit(1)
)
_CLAIMED_SEQS = _SEQS.with_for_update(skip_locked=True)
_DUE = (
    select(_subjects.c.kind, _subjects.c.id)
    .where(_subjects.c.deadline_ms <= bindparam("now_ms"))
    .order_by(_subjects.c.deadline_ms)
    .limit(bindparam("most"))
)
_KNOWN = select(_subjects).where(_subjects.c.kind == bindparam("kind"), _subjects.c.id.in_(_several("ids")))
_SESSIONS = select(_subjects).where(_subjects.c.stream_id.in_(_several("ids")), _subjects.c.kind == "session")
_first = _subjects.c.id > bindparam("after_id")
_STREAMS = (
    select(_subjects.c.id).where(_subjects.c.kind == "stream", _first).order_by(_subjects.c.id).limit(bindparam("most"))
)
_ORPHANS = (
    select(_subjects.c.id)
    .where(_subjects.c.kind == "session", _subjects.c.stream_id.is_(None), _first)
    .order_by(_subjects.c.id)
    .limit(bindparam("most"))
)
_WEBHOOK_IDS = select(_subjects.c.id).where(_subjects.c.kind == "webhook")
_COUNT_SUBJECTS = select(func.count()).select_from(_subjects)
_COUNT_SIGNALS = select(func.count()).select_from(_signals)
_COUNT_FAULTS = select(func.count()).select_from(_subjects).where(_subjects.c.fault.is_not(None))
_SENDERS = select(_subjects).where(_subjects.c.kind.in_(("endpoint", "webhook")))
_NEXT_DEADLINE = select(func.min(_subjects.c.deadline_ms))
_COUNT_PENDING = select(func.count()).select_from(_pending)
_DROP_PENDING = delete(_pending).where(_pending.c.seq.in_(_several("seqs")))
_SUBJECTS = Rows(_subjects)
_UPDATE_SUBJECT = Bulk(
    update(_subjects)
    .where(_subjects.c.kind == bindparam("_kind"), _subjects.c.id == bindparam("_id"))
    .values({name: bindparam(name) for name in SUBJECT_COLUMNS if name not in {"kind", "id"}})
)
_FAILING = Rows(_failing)
_DELETE_FAILING = delete(_failing).where(
    *(_failing.c[name] == bindparam(f"_{name}") for name in ("kind", "id", "condition"))
)
_MOVE_FAILING = Bulk(
    update(_failing)
    .where(*(_failing.c[name] == bindparam(f"_{name}") for name in ("kind", "id", "condition")))
    .values(state=bindparam("_state"), last_event_ms=bindparam("_last_event_ms"))
)
_FAILING_IDS = select(_failing.c.id).where(_failing.c.kind == bindparam("kind")).distinct()


_is_failing = tuple_(_subjects.c.kind, _subjects.c.id).in_(
    select(_failing.c.kind, _failing.c.id).where(_failing.c.kind.in_(("stream", "session")))
)
"""The streams and sessions that a condition is true of; begins with these, which are few."""
_judged = or_(_subjects.c.kind != "session", _subjects.c.stream_id.is_(None))
"""Apart from the sessions that are judged with their stream."""


def pending_seqs(connection: Connection, most: int) -> Sequence[int]:
    """The oldest deliveries and observations in the log that were not looked at yet."""
    return connection.execute(_SEQS, {"most": most}).scalars().all()


def claim_pending(connection: Connection, most: int, most_bytes: int) -> Sequence[LogRow]:
    """Those that no other process looks at, each with its signal where it has one: so many, or as many of the first as
    hold about so many bytes."""
    found: list[LogRow] = []
    seqs = connection.execute(_CLAIMED_SEQS, {"most": most}).scalars().all()
    for start in range(0, len(seqs), _AT_ONCE):
        if most_bytes <= 0:
            break
        for row in connection.execute(_TAKE, {"seqs": seqs[start : start + _AT_ONCE]}):
            found.append(row)
            most_bytes -= len(row.body or b"")
    return found


def is_any_pending(connection: Connection, ids: Sequence[str]) -> bool:
    """Whether a signal that was found to belong to one of these streams or sessions is to be looked at (again)."""
    return connection.execute(_PENDING_OF, {"ids": ids}).first() is not None


def count_pending(connection: Connection) -> int:
    """How many deliveries and observations have not been looked at yet."""
    return connection.execute(_COUNT_PENDING).scalar_one()


def count_faults(connection: Connection) -> int:
    """How many subjects could not be judged when they were last looked at; costs as much as there are of them."""
    return connection.execute(_COUNT_FAULTS).scalar_one()


def drop_pending(connection: Connection, seqs: Sequence[int]) -> None:
    """They have been looked at; goes with what came of it."""
    for chunk in chunks(seqs):
        connection.execute(_DROP_PENDING, {"seqs": chunk})


def receipts(connection: Connection, after_seq: int = -1, until_seq: int = LAST_SEQ) -> Sequence[LogRow]:
    """The first deliveries behind one `seq`, as far as another, for a rebuild, in the order in which they were pending:
    those that were verified, and of the others those of Livepeer's shape."""
    return connection.execute(_RECEIPTS, {"after_seq": after_seq, "until_seq": until_seq}).all()


def load_subjects(connection: Connection, kind: str, ids: Iterable[str]) -> dict[str, Record]:
    """The subjects of that kind that are known among `ids`."""
    found: dict[str, Record] = {}
    for chunk in chunks(sorted(set(ids))):
        for row in connection.execute(_KNOWN, {"kind": kind, "ids": chunk}):
            found[row.id] = dict(zip(SUBJECT_COLUMNS, row, strict=True))
    return found


def senders(connection: Connection) -> Sequence[Record]:
    """The endpoint, and every webhook."""
    return [dict(zip(SUBJECT_COLUMNS, row, strict=True)) for row in connection.execute(_SENDERS)]


def load_sessions(connection: Connection, stream_ids: Iterable[str]) -> dict[str, dict[str, Record]]:
    """The sessions of each of these streams, by id."""
    found: dict[str, dict[str, Record]] = defaultdict(dict)
    for chunk in chunks(sorted(set(stream_ids))):
        for row in connection.execute(_SESSIONS, {"ids": chunk}):
            found[row.stream_id][row.id] = dict(zip(SUBJECT_COLUMNS, row, strict=True))
    return found


def due_subjects(connection: Connection, now_ms: int, most: int) -> Sequence[tuple[str, str]]:
    """Those whose deadline has passed, (kind, id), the longest overdue first."""
    return [(kind, subject_id) for kind, subject_id in connection.execute(_DUE, {"now_ms": now_ms, "most": most})]


def next_deadline_ms(connection: Connection) -> int | None:
    """When the next subject is due."""
    deadline_ms: int | None = connection.execute(_NEXT_DEADLINE).scalar()
    return deadline_ms


def hasten_failing(connection: Connection, now_ms: int) -> None:
    """Make every subject due that a condition is true of: what it is judged in has changed. Those that others work on
    are theirs to make due."""
    free = select(_subjects.c.kind, _subjects.c.id).where(_is_failing, _judged).with_for_update(skip_locked=True)
    if connection.dialect.name == "sqlite":
        due = update(_subjects).where(_is_failing, _judged)
    else:
        due = update(_subjects).where(tuple_(_subjects.c.kind, _subjects.c.id).in_(free))
    connection.execute(due.values(deadline_ms=now_ms))


def hasten_these(connection: Connection, subjects: Iterable[tuple[str, str]], now_ms: int) -> None:
    """Make those of these (kind, id) due that a condition is true of; the caller has claimed them."""
    mine: dict[str, list[str]] = defaultdict(list)
    for kind, subject_id in subjects:
        mine[kind].append(subject_id)
    for kind, ids in sorted(mine.items()):
        for chunk in chunks(sorted(ids)):
            these = _subjects.c.kind == kind, _subjects.c.id.in_(chunk)
            connection.execute(update(_subjects).where(*these, _is_failing).values(deadline_ms=now_ms))


def hasten_waiting(connection: Connection, now_ms: int) -> None:
    """Make every subject due that waits for time to pass: the time that counts has changed."""
    connection.execute(update(_subjects).where(_subjects.c.deadline_ms > now_ms).values(deadline_ms=now_ms))


def judged_streams(connection: Connection, after_id: str, most: int) -> Sequence[str]:
    """The ids of the first streams behind one."""
    return connection.execute(_STREAMS, {"after_id": after_id, "most": most}).scalars().all()


def judged_orphans(connection: Connection, after_id: str, most: int) -> Sequence[str]:
    """The ids of the first sessions behind one that belong to no stream."""
    return connection.execute(_ORPHANS, {"after_id": after_id, "most": most}).scalars().all()


def webhook_ids(connection: Connection) -> Sequence[str]:
    """Every webhook that is known."""
    return connection.execute(_WEBHOOK_IDS).scalars().all()


def count_subjects(connection: Connection) -> int:
    """How many there are, of whatever kind."""
    return connection.execute(_COUNT_SUBJECTS).scalar_one()


def count_signals(connection: Connection) -> int:
    """How many there are in the log; costs as much as there are."""
    return connection.execute(_COUNT_SIGNALS).scalar_one()


def save_subjects(connection: Connection, new: Sequence[Record], known: Sequence[Record]) -> None:
    """Write whole rows: those that are new, and those that are known already."""
    _SUBJECTS.insert_records(connection, new)
    _UPDATE_SUBJECT.run(connection, [{**row, "_kind": row["kind"], "_id": row["id"]} for row in known])


def save_failing(
    connection: Connection, begun: Sequence[Record], ended: Sequence[Record], moved: Sequence[Record] = ()
) -> None:
    """Which conditions have become true, which are no longer, whatever is known of them, and which of those that are
    true stand elsewhere in lists. All are whole rows."""
    known = [{f"_{name}": row[name] for name in ("kind", "id", "condition")} for row in (*ended, *begun)]
    if known:
        connection.execute(_DELETE_FAILING, known)
    _FAILING.insert_records(connection, begun)
    _MOVE_FAILING.run(connection, [{f"_{name}": value for name, value in row.items()} for row in moved])


def failing_ids(connection: Connection, kind: str) -> Sequence[str]:
    """The subjects of that kind that a condition is true of."""
    return connection.execute(_FAILING_IDS, {"kind": kind}).scalars().all()
