"""What the diagnoser reads and writes of its subjects: states, conditions, deadlines.

The statements are built once, here: building one for each use costs more than running it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)

from receiver.storage import bodies
from receiver.storage.bulk import Bulk, Rows, chunks
from receiver.storage.one_of import one_of
from receiver.storage.tables import (
    FailingRow,
    PlaceRow,
    SignalRow,
    SubjectRow,
    table_of,
)

LogRow: TypeAlias = Any
"""A row whose columns are named where it is read, or what has them as attributes."""
Record: TypeAlias = Mapping[str, Any]
"""One row of `subjects`, by column name."""

_signals, _subjects = table_of(SignalRow), table_of(SubjectRow)
_failing, _places = table_of(FailingRow), table_of(PlaceRow)
SUBJECT_COLUMNS = tuple(column.name for column in _subjects.c)

LOG_COLUMNS = (
    _signals.c.seq.label("signal_seq"),
    _signals.c.id,
    _signals.c.webhook_id,
    _signals.c.source,
    _signals.c.kind,
    func.coalesce(_places.c.stream_id, _signals.c.stream_id).label("stream_id"),
    _signals.c.session_id,
    _signals.c.playback_id,
    _signals.c.position,
    _signals.c.attempted_ms,
    _signals.c.flag,
    *bodies.COLUMNS,
)


_DUE = (
    select(_subjects.c.kind, _subjects.c.id)
    .where(_subjects.c.deadline_ms <= bindparam("now_ms"))
    .order_by(_subjects.c.deadline_ms)
    .limit(bindparam("most"))
)
_KNOWN = select(_subjects).where(_subjects.c.kind == bindparam("kind"), one_of(_subjects.c.id, "ids"))
_SESSIONS = select(_subjects).where(one_of(_subjects.c.stream_id, "ids"), _subjects.c.kind.concat("") == "session")
"""By their streams: from the kind itself SQLite would go through every session that there is, for more than one."""
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


def count_faults(connection: Connection) -> int:
    """How many subjects could not be judged when they were last looked at; costs as much as there are of them."""
    return connection.execute(_COUNT_FAULTS).scalar_one()


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
