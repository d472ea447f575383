"""The log of signals as the diagnoser reads it: the signals of a stream or of an orphaned session in the order in which
they are folded, what is adopted, and the checkpoints of what was folded."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import Column, ColumnElement, Connection, Select, bindparam, delete, null, select, update

from receiver.diagnosis.ordering import standing_ms
from receiver.storage import bodies
from receiver.storage.bulk import Bulk, Rows, chunks
from receiver.storage.cases import LOG_COLUMNS, LogRow, Record
from receiver.storage.one_of import one_of
from receiver.storage.tables import CheckpointRow, PlaceRow, SignalRow, SubjectRow, table_of

BEYOND_HORIZON = "beyond_horizon"
KEPT_OF_ORPHANS = ("folded", "position", "deadline_ms", "fault")
"""What a session's row has only while it belongs to no stream."""

_signals, _places = table_of(SignalRow), table_of(PlaceRow)
_checkpoints, _subjects = table_of(CheckpointRow), table_of(SubjectRow)
_placed = bodies.joined(_places.join(_signals, _signals.c.seq == _places.c.seq), _signals.c.seq)


class Place(NamedTuple):
    """A signal (by `seq`) with the stream that it was found to belong to."""

    seq: int
    stream_id: str | None
    session_id: str | None
    playback_id: str | None
    at_ms: int
    webhook_id: str


class Logged(Struct, frozen=True, gc=False):
    """A signal of the log, with no more of it than what folding asks for: all that ever were are read in a rebuild."""

    signal_seq: int
    id: str
    webhook_id: str
    source: str
    stream_id: str | None
    position: str
    attempted_ms: int
    body: bytes | None
    coding: int | None
    packed: bytes | None


_LOGGED: Sequence[ColumnElement[Any]] = (
    _signals.c.seq,
    _signals.c.id,
    _signals.c.webhook_id,
    _signals.c.source,
    _places.c.stream_id,
    _signals.c.position,
    _signals.c.attempted_ms,
    *bodies.COLUMNS,
)
"""In the order of its fields."""


def _log(*mine: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    asked = select(*_LOGGED).select_from(_placed).where(*mine, _signals.c.flag.is_(None))
    return asked.order_by(_places.c.at_ms, _signals.c.position, _signals.c.webhook_id)


_OF_STREAM = _log(
    _places.c.stream_id == bindparam("id"),
    _places.c.at_ms >= bindparam("after_ms"),
    _signals.c.position > bindparam("after"),
)
_OF_STREAMS = select(*_LOGGED).select_from(_placed).where(one_of(_places.c.stream_id, "ids"), _signals.c.flag.is_(None))
_OF_ORPHAN = _log(
    _places.c.session_id == bindparam("id"),
    _places.c.stream_id.is_(None),
    _places.c.webhook_id != "",
    _signals.c.position > bindparam("after"),
)
_before = _signals.c.position < bindparam("before")
_OF_STREAM_BEFORE, _OF_ORPHAN_BEFORE = (
    asked.where(_before).limit(bindparam("most")) for asked in (_OF_STREAM, _OF_ORPHAN)
)
_PLACES = Rows(_places)
_ASSIGN = Bulk(update(_places).where(_places.c.seq == bindparam("_seq")).values(stream_id=bindparam("_stream_id")))
_FLAG = Bulk(update(_signals).where(_signals.c.seq == bindparam("_seq")).values(flag=bindparam("_flag")))


def _orphaned(mine: Column[Any]) -> Select[*tuple[Any, ...]]:
    """The orphaned signals under each of several keys."""
    asked = select(mine.label("brought_by"), *LOG_COLUMNS).select_from(_placed)
    return asked.where(one_of(mine, "keys"), _places.c.stream_id.is_(None))


_ORPHANED_SESSIONS, _ORPHANED_PLAYBACKS = _orphaned(_places.c.session_id), _orphaned(_places.c.playback_id)
_KNOWN_SESSION = Bulk(
    update(_subjects)
    .where(_subjects.c.kind == bindparam("_kind"), _subjects.c.id == bindparam("_id"))
    .values(stream_id=bindparam("_stream_id"), **dict.fromkeys(KEPT_OF_ORPHANS, null()))
)

_mine = _checkpoints.c.kind == bindparam("_kind"), _checkpoints.c.id == bindparam("_id")
_BEFORE = (
    select(_checkpoints.c.position, _checkpoints.c.folded_count, _checkpoints.c.folded)
    .where(*_mine, _checkpoints.c.position < bindparam("_position"))
    .order_by(_checkpoints.c.position.desc())
    .limit(1)
)
_KEPT = (
    select(_checkpoints.c.position, _checkpoints.c.folded_count, _checkpoints.c.folded)
    .where(*_mine)
    .order_by(_checkpoints.c.position)
)
_OLDEST = (
    select(_checkpoints.c.position, _checkpoints.c.folded_count)
    .where(*_mine)
    .order_by(_checkpoints.c.position)
    .limit(1)
)
_SURPLUS = (
    select(_checkpoints.c.position)
    .where(*_mine)
    .order_by(_checkpoints.c.position.desc())
    .limit(1)
    .offset(bindparam("_most"))
)
_CHECKPOINTS = Rows(_checkpoints)
_DROP_FROM = delete(_checkpoints).where(*_mine, _checkpoints.c.position >= bindparam("_position"))
_DROP_UNTIL = delete(_checkpoints).where(*_mine, _checkpoints.c.position <= bindparam("_position"))


def signals_of_stream(connection: Connection, stream_id: str, after: str) -> Sequence[Logged]:
    """The stream's signals behind a position (empty for all), in the order in which they are folded."""
    after_ms = standing_ms(after) if after else 0
    return _logged(connection, _OF_STREAM, {"id": stream_id, "after_ms": after_ms, "after": after})


def signals_of_streams(connection: Connection, stream_ids: Sequence[str]) -> Mapping[str, Sequence[Logged]]:
    """All signals of each of these streams, in no order: for many short ones, one question costs less than many."""
    found: dict[str | None, list[Logged]] = {stream_id: [] for stream_id in stream_ids}
    for chunk in chunks(stream_ids):
        for one in _logged(connection, _OF_STREAMS, {"ids": chunk}):
            found[one.stream_id].append(one)
    return {stream_id: found[stream_id] for stream_id in stream_ids}


def signals_of_orphan(connection: Connection, session_id: str, after: str) -> Sequence[Logged]:
    """The events of a session whose stream is not known, behind a position, in the order in which they are folded."""
    return _logged(connection, _OF_ORPHAN, {"id": session_id, "after": after})


def signals_between(
    connection: Connection, kind: str, subject_id: str, after: str, before: str, most: int
) -> Sequence[Logged]:
    """The first signals of a stream, or events of an orphaned session, between two positions, as many as `most`."""
    after_ms = standing_ms(after) if after else 0
    asked = {"id": subject_id, "after_ms": after_ms, "after": after, "before": before, "most": most}
    return _logged(connection, _OF_STREAM_BEFORE if kind == "stream" else _OF_ORPHAN_BEFORE, asked)


def _logged(connection: Connection, asked: Select[*tuple[Any, ...]], values: Mapping[str, object]) -> Sequence[Logged]:
    return [Logged(*row) for row in connection.execute(asked, values).all()]


def place(connection: Connection, places: Iterable[Place]) -> None:
    """Write down where these signals, not looked at before, belong. They are written stream by stream: the more there
    are already, the more it costs to go to and fro in the index."""
    by_stream = sorted(places, key=lambda place: place.stream_id or "")
    _PLACES.insert(connection, by_stream)


def assign(connection: Connection, streams: Mapping[int, str]) -> None:
    """Write down which stream these signals (by `seq`), looked at before, were found to belong to."""
    _ASSIGN.run(connection, [{"_seq": seq, "_stream_id": stream_id} for seq, stream_id in streams.items()])


def flag_beyond_horizon(connection: Connection, seqs: Iterable[int]) -> None:
    """They are older than all that is kept of the stream's state: stored, not folded (P5)."""
    _FLAG.run(connection, [{"_seq": seq, "_flag": BEYOND_HORIZON} for seq in seqs])


def is_any_orphaned(connection: Connection, session_ids: Iterable[str], playback_ids: Iterable[str]) -> bool:
    """Whether there are signals of these sessions, or under these playback ids, that have no stream."""
    asked = ((_ORPHANED_SESSIONS, sorted(session_ids)), (_ORPHANED_PLAYBACKS, sorted(playback_ids)))
    return any(
        connection.execute(orphaned, {"keys": chunk}).first() is not None
        for orphaned, keys in asked
        for chunk in chunks(keys)
    )


def orphans_of_sessions(connection: Connection, session_ids: Iterable[str]) -> Mapping[str, Sequence[LogRow]]:
    """The signals of each of these sessions that have no stream, for those that have any."""
    return _orphans(connection, _ORPHANED_SESSIONS, session_ids)


def orphans_of_playbacks(connection: Connection, playback_ids: Iterable[str]) -> Mapping[str, Sequence[LogRow]]:
    """What was observed under each of these playback ids and has no stream, for those under which anything was."""
    return _orphans(connection, _ORPHANED_PLAYBACKS, playback_ids)


def _orphans(
    connection: Connection, asked: Select[*tuple[Any, ...]], keys: Iterable[str]
) -> Mapping[str, Sequence[LogRow]]:
    found: dict[str, list[LogRow]] = defaultdict(list)
    for chunk in chunks(sorted(keys)):
        for row in connection.execute(asked, {"keys": chunk}):
            found[row.brought_by].append(row)
    return found


def give_sessions(connection: Connection, streams: Mapping[str, str]) -> None:
    """These sessions (by id), which are known, belong to these streams from now on."""
    given = [{"_kind": "session", "_id": i, "_stream_id": stream_id} for i, stream_id in sorted(streams.items())]
    _KNOWN_SESSION.run(connection, given)


def checkpoint_before(connection: Connection, kind: str, subject_id: str, position: str) -> LogRow | None:
    """The latest state kept from before a position: (position, folded_count, folded)."""
    return connection.execute(_BEFORE, {"_kind": kind, "_id": subject_id, "_position": position}).first()


def oldest_checkpoint(connection: Connection, kind: str, subject_id: str) -> LogRow | None:
    """The oldest state kept: (position, folded_count)."""
    return connection.execute(_OLDEST, {"_kind": kind, "_id": subject_id}).first()


def checkpoints_of(connection: Connection, kind: str, subject_id: str) -> Sequence[tuple[str, int, str]]:
    """All states kept of a subject, (position, folded_count, folded), the oldest first."""
    rows = connection.execute(_KEPT, {"_kind": kind, "_id": subject_id})
    return [(position, folded_count, folded) for position, folded_count, folded in rows]


def save_checkpoints(connection: Connection, rows: Sequence[Record], most: int) -> None:
    """Keep these, and of each subject's no more than the newest `most`."""
    _CHECKPOINTS.insert_records(connection, rows)
    for kind, subject_id in sorted({(row["kind"], row["id"]) for row in rows}):
        mine = {"_kind": kind, "_id": subject_id}
        newest_surplus = connection.execute(_SURPLUS, {**mine, "_most": most}).scalar()
        if newest_surplus is not None:
            connection.execute(_DROP_UNTIL, {**mine, "_position": newest_surplus})


def drop_checkpoints_until(connection: Connection, kind: str, positions: Mapping[str, str]) -> None:
    """A base stands for what came of each of these subjects (by id) up to its position."""
    if positions:
        mine = [{"_kind": kind, "_id": subject_id, "_position": position} for subject_id, position in positions.items()]
        connection.execute(_DROP_UNTIL, mine)


def drop_checkpoints_from(connection: Connection, positions: Mapping[tuple[str, str], str]) -> None:
    """Signals of these subjects (kind, id) came late: their states from these positions on no longer hold."""
    if positions:
        late = [{"_kind": kind, "_id": i, "_position": position} for (kind, i), position in sorted(positions.items())]
        connection.execute(_DROP_FROM, late)
