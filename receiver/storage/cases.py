"""What the diagnoser reads and writes of its subjects: pending work, the log of a stream, states and checkpoints."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    outerjoin,
    select,
    update,
)

from receiver.storage.tables import (
    CheckpointRow,
    DeliveryRow,
    FailingRow,
    PendingRow,
    SignalRow,
    SubjectRow,
    table_of,
)

LogRow: TypeAlias = Row[*tuple[Any, ...]]
"""A row whose columns are named where it is read."""
Record: TypeAlias = Mapping[str, Any]
"""One row of `subjects`, by column name."""

SUBJECT_COLUMNS = tuple(column.name for column in table_of(SubjectRow).c)
CHUNK = 500
"""How many keys one statement takes: well below the limits of both engines."""
BEYOND_HORIZON = "beyond_horizon"

_signals, _subjects, _pending, _deliveries = (
    table_of(SignalRow),
    table_of(SubjectRow),
    table_of(PendingRow),
    table_of(DeliveryRow),
)
_failing, _checkpoints = table_of(FailingRow), table_of(CheckpointRow)

_LOG_COLUMNS = (
    _signals.c.seq.label("signal_seq"),
    _signals.c.id,
    _signals.c.webhook_id,
    _signals.c.source,
    _signals.c.stream_id,
    _signals.c.session_id,
    _signals.c.playback_id,
    _signals.c.position,
    _signals.c.attempted_ms,
    _signals.c.flag,
    _signals.c.body,
)
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
    select(_pending.c.seq.label("pending_seq"), _pending.c.changed, *_RECEIPT_COLUMNS, *_LOG_COLUMNS)
    .select_from(
        outerjoin(_pending, _deliveries, _deliveries.c.seq == _pending.c.seq).outerjoin(
            _signals, and_(_signals.c.id == _pending.c.signal_id, _signals.c.webhook_id == _pending.c.webhook_id)
        )
    )
    .order_by(_pending.c.seq)
    .limit(bindparam("most"))
)
_DUE = (
    select(_subjects.c.kind, _subjects.c.id)
    .where(_subjects.c.deadline_ms <= bindparam("now_ms"))
    .order_by(_subjects.c.deadline_ms)
    .limit(bindparam("most"))
)
_UPDATE_SUBJECT = (
    update(_subjects)
    .where(_subjects.c.kind == bindparam("_kind"), _subjects.c.id == bindparam("_id"))
    .values({c.name: bindparam(c.name) for c in _subjects.c if c.name not in {"kind", "id"}})
)
_ASSIGN = update(_signals).where(_signals.c.seq == bindparam("_seq")).values(stream_id=bindparam("_stream_id"))


def take_pending(connection: Connection, most: int) -> Sequence[LogRow]:
    """The oldest deliveries and observations not looked at yet, each with its signal where it has one."""
    return connection.execute(_TAKE, {"most": most}).all()


def count_pending(connection: Connection) -> int:
    """How many deliveries and observations have not been looked at yet."""
    return connection.execute(select(func.count()).select_from(_pending)).scalar_one()


def drop_pending(connection: Connection, seqs: Sequence[int]) -> None:
    """They have been looked at; goes with what came of it."""
    for chunk in _chunks(seqs):
        connection.execute(delete(_pending).where(_pending.c.seq.in_(chunk)))


def receipts(connection: Connection) -> Iterable[LogRow]:
    """Every delivery that was ever pending, in that order, for a rebuild: those that were verified, and of the others
    those of Livepeer's shape."""
    told = or_(_deliveries.c.verdict.in_(("accepted", "duplicate")), _deliveries.c.shaped)
    return connection.execute(select(*_RECEIPT_COLUMNS).where(told).order_by(_deliveries.c.seq))


def load_subjects(connection: Connection, kind: str, ids: Iterable[str]) -> dict[str, Record]:
    """The subjects of that kind that are known among `ids`."""
    found: dict[str, Record] = {}
    for chunk in _chunks(sorted(set(ids))):
        query = select(_subjects).where(_subjects.c.kind == kind, _subjects.c.id.in_(chunk))
        found.update((row["id"], dict(row)) for row in connection.execute(query).mappings())
    return found


def load_sessions(connection: Connection, stream_ids: Iterable[str]) -> dict[str, dict[str, Record]]:
    """The sessions of each of these streams, by id."""
    found: dict[str, dict[str, Record]] = defaultdict(dict)
    for chunk in _chunks(sorted(set(stream_ids))):
        query = select(_subjects).where(_subjects.c.stream_id.in_(chunk), _subjects.c.kind == "session")
        for row in connection.execute(query).mappings():
            found[row["stream_id"]][row["id"]] = dict(row)
    return found


def due_subjects(connection: Connection, now_ms: int, most: int) -> Sequence[tuple[str, str]]:
    """Those whose deadline has passed, (kind, id), the longest overdue first."""
    return [(kind, subject_id) for kind, subject_id in connection.execute(_DUE, {"now_ms": now_ms, "most": most})]


def next_deadline_ms(connection: Connection) -> int | None:
    """When the next subject is due."""
    deadline_ms: int | None = connection.execute(select(func.min(_subjects.c.deadline_ms))).scalar()
    return deadline_ms


def hasten_failing(connection: Connection, now_ms: int) -> None:
    """Make every subject due that a condition is true of: what it is judged in has changed."""
    known = select(_failing.c.id).where(_failing.c.kind == _subjects.c.kind, _failing.c.id == _subjects.c.id)
    judged = or_(_subjects.c.kind == "stream", and_(_subjects.c.kind == "session", _subjects.c.stream_id.is_(None)))
    connection.execute(update(_subjects).where(judged, known.exists()).values(deadline_ms=now_ms))


def hasten_waiting(connection: Connection, now_ms: int) -> None:
    """Make every subject due that waits for time to pass: the time that counts has changed."""
    connection.execute(update(_subjects).where(_subjects.c.deadline_ms.is_not(None)).values(deadline_ms=now_ms))


def conclusions(connection: Connection) -> Iterable[LogRow]:
    """What is folded and concluded of every subject: (kind, id, folded, conditions)."""
    return connection.execute(select(_subjects.c.kind, _subjects.c.id, _subjects.c.folded, _subjects.c.conditions))


def hasten_all(connection: Connection, now_ms: int) -> int:
    """Forget what was folded of every stream and orphaned session, and make it due: a rebuild. Returns how many."""
    connection.execute(delete(_checkpoints))
    judged = or_(_subjects.c.kind == "stream", and_(_subjects.c.kind == "session", _subjects.c.stream_id.is_(None)))
    done = connection.execute(
        update(_subjects).where(judged).values(deadline_ms=now_ms, folded=None, position=None, folded_count=0)
    )
    return done.rowcount


def save_subjects(connection: Connection, new: Sequence[Record], known: Sequence[Record]) -> None:
    """Write whole rows: those that are new, and those that are known already."""
    if new:
        connection.execute(insert(_subjects), [dict(row) for row in new])
    if known:
        rows = [{**row, "_kind": row["kind"], "_id": row["id"]} for row in known]
        connection.execute(_UPDATE_SUBJECT, rows)


def save_failing(connection: Connection, begun: Sequence[Record], ended: Sequence[Record]) -> None:
    """Which conditions (kind, id, condition) have become true, and which are no longer."""
    for row in ended:
        connection.execute(delete(_failing).where(*(_failing.c[name] == value for name, value in row.items())))
    if begun:
        connection.execute(insert(_failing), [dict(row) for row in begun])


def failing_ids(connection: Connection, kind: str) -> Sequence[str]:
    """The subjects of that kind that a condition is true of."""
    return connection.execute(select(_failing.c.id).where(_failing.c.kind == kind).distinct()).scalars().all()


def assign(connection: Connection, streams: Mapping[int, str]) -> None:
    """Write down which stream these signals (by `seq`) were found to belong to."""
    if streams:
        connection.execute(_ASSIGN, [{"_seq": seq, "_stream_id": stream_id} for seq, stream_id in streams.items()])


def adopt_session(connection: Connection, session_id: str, stream_id: str) -> str | None:
    """Give the stream the session, and all its signals that had no stream. Returns the lowest position among them."""
    mine = and_(_subjects.c.kind == "session", _subjects.c.id == session_id)
    connection.execute(
        update(_subjects).where(mine).values(stream_id=stream_id, folded=None, position=None, deadline_ms=None)
    )
    return _adopt(connection, _signals.c.session_id == session_id, stream_id)


def adopt_playback(connection: Connection, playback_id: str, stream_id: str) -> str | None:
    """Give the stream all observations of its playback id that had no stream. Returns the lowest position of them."""
    return _adopt(connection, _signals.c.playback_id == playback_id, stream_id)


def _adopt(connection: Connection, mine: ColumnElement[bool], stream_id: str) -> str | None:
    orphaned = and_(mine, _signals.c.stream_id.is_(None))
    lowest: str | None = connection.execute(select(func.min(_signals.c.position)).where(orphaned)).scalar()
    if lowest is not None:
        connection.execute(update(_signals).where(orphaned).values(stream_id=stream_id))
    return lowest


def signals_of_stream(connection: Connection, stream_id: str, after: str) -> Iterable[LogRow]:
    """The stream's signals behind a position (empty for all), in the order in which they are folded."""
    query = select(*_LOG_COLUMNS).where(_signals.c.stream_id == stream_id, _signals.c.flag.is_(None))
    if after:
        query = query.where(_signals.c.position > after)
    return connection.execute(query.order_by(_signals.c.position, _signals.c.webhook_id))


def signals_of_orphan(connection: Connection, session_id: str) -> Iterable[LogRow]:
    """The signals of a session whose stream is not known, in the order in which they are folded."""
    query = select(*_LOG_COLUMNS).where(
        _signals.c.session_id == session_id, _signals.c.stream_id.is_(None), _signals.c.flag.is_(None)
    )
    return connection.execute(query.order_by(_signals.c.position, _signals.c.webhook_id))


def flag_beyond_horizon(connection: Connection, seqs: Sequence[int]) -> None:
    """They are older than all that is kept of the stream's state: stored, not folded (P5)."""
    for chunk in _chunks(seqs):
        connection.execute(update(_signals).where(_signals.c.seq.in_(chunk)).values(flag=BEYOND_HORIZON))


def checkpoint_before(connection: Connection, kind: str, subject_id: str, position: str) -> LogRow | None:
    """The latest state kept from before a position: (position, folded_count, folded)."""
    query = (
        select(_checkpoints.c.position, _checkpoints.c.folded_count, _checkpoints.c.folded)
        .where(_checkpoints.c.kind == kind, _checkpoints.c.id == subject_id, _checkpoints.c.position < position)
        .order_by(_checkpoints.c.position.desc())
        .limit(1)
    )
    return connection.execute(query).first()


def oldest_checkpoint(connection: Connection, kind: str, subject_id: str) -> LogRow | None:
    """The oldest state kept: (position, folded_count)."""
    query = (
        select(_checkpoints.c.position, _checkpoints.c.folded_count)
        .where(_checkpoints.c.kind == kind, _checkpoints.c.id == subject_id)
        .order_by(_checkpoints.c.position)
        .limit(1)
    )
    return connection.execute(query).first()


def save_checkpoints(connection: Connection, rows: Sequence[Record], most: int) -> None:
    """Keep these, and of each subject's no more than the newest `most`."""
    if not rows:
        return
    connection.execute(insert(_checkpoints), [dict(row) for row in rows])
    for kind, subject_id in sorted({(row["kind"], row["id"]) for row in rows}):
        mine = and_(_checkpoints.c.kind == kind, _checkpoints.c.id == subject_id)
        newest = select(_checkpoints.c.position).where(mine).order_by(_checkpoints.c.position.desc())
        surplus = connection.execute(newest.offset(most)).scalars().all()
        if surplus:
            connection.execute(delete(_checkpoints).where(mine, _checkpoints.c.position.in_(surplus)))


def drop_checkpoints_from(connection: Connection, kind: str, subject_id: str, position: str) -> None:
    """A signal at `position` came late: the states from there on no longer hold."""
    connection.execute(
        delete(_checkpoints).where(
            _checkpoints.c.kind == kind, _checkpoints.c.id == subject_id, _checkpoints.c.position >= position
        )
    )


def streams_playing(connection: Connection, playback_ids: Iterable[str]) -> dict[str, str]:
    """Which stream has which of these playback ids."""
    found: dict[str, str] = {}
    for chunk in _chunks(sorted(set(playback_ids))):
        query = select(_subjects.c.playback_id, _subjects.c.id).where(
            _subjects.c.playback_id.in_(chunk), _subjects.c.kind == "stream"
        )
        found.update((playback_id, stream_id) for playback_id, stream_id in connection.execute(query))
    return found


def _chunks(keys: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))
