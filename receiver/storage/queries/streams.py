"""Streams, their sessions, and the webhooks that tell of them."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Select, exists, or_, select, tuple_

from receiver.diagnosis.values import ConditionType
from receiver.storage.queries import Found
from receiver.storage.tables import FailingRow, PlaceRow, SubjectRow

NEVER = -1
"""Stands for the latest activity of a stream of which no event is known."""

_Asked: TypeAlias = Select[*tuple[Any, ...]]
_STREAM = (
    SubjectRow.id,
    SubjectRow.name,
    SubjectRow.playback_id,
    SubjectRow.state,
    SubjectRow.state_since_ms,
    SubjectRow.last_event_ms,
    SubjectRow.record,
    SubjectRow.conditions,
)
_SESSION = (
    SubjectRow.id,
    SubjectRow.stream_id,
    SubjectRow.state,
    SubjectRow.state_since_ms,
    SubjectRow.record,
    SubjectRow.recording_url,
    SubjectRow.conditions,
)


def stream(conn: Connection, stream_id: str) -> Found | None:
    """One stream, or None."""
    return conn.execute(select(*_STREAM).where(SubjectRow.kind == "stream", SubjectRow.id == stream_id)).first()


def streams(
    conn: Connection, filters: Sequence[ColumnElement[bool]], after: tuple[int, str] | None, limit: int
) -> list[Found]:
    """At most `limit` streams, latest activity first, those without any at the end; `after` is the last one's
    (`last_event_ms` or `NEVER`, id)."""
    asked = select(*_STREAM).where(SubjectRow.kind == "stream", *filters)
    rows: list[Found] = []
    if after is None or after[0] != NEVER:
        rows = list(conn.execute(_active(asked, after).limit(limit)))
    if len(rows) < limit:
        silent_after = after[1] if after and after[0] == NEVER else None
        rows += conn.execute(_silent(asked, silent_after).limit(limit - len(rows)))
    return rows


def _active(asked: _Asked, after: tuple[int, str] | None) -> _Asked:
    asked = asked.where(SubjectRow.last_event_ms.is_not(None))
    if after is not None:
        asked = asked.where(tuple_(SubjectRow.last_event_ms, SubjectRow.id) < after)
    return asked.order_by(SubjectRow.last_event_ms.desc(), SubjectRow.id.desc())


def _silent(asked: _Asked, after_id: str | None) -> _Asked:
    asked = asked.where(SubjectRow.last_event_ms.is_(None))
    if after_id is not None:
        asked = asked.where(SubjectRow.id < after_id)
    return asked.order_by(SubjectRow.id.desc())


def in_state(state: str) -> ColumnElement[bool]:
    """Streams in this state."""
    return SubjectRow.state == state


def failing(condition: ConditionType, webhook_ids: Sequence[str] = ()) -> ColumnElement[bool]:
    """Streams of which a condition is true, or that one of these webhooks has told of."""
    own = exists().where(FailingRow.kind == "stream", FailingRow.id == SubjectRow.id, FailingRow.condition == condition)
    if not webhook_ids:
        return own
    told = exists().where(PlaceRow.stream_id == SubjectRow.id, PlaceRow.webhook_id.in_(webhook_ids))
    return or_(own, told)


def tells_of(conn: Connection, webhook_id: str, stream_id: str) -> bool:
    """Whether a webhook has told of a stream."""
    told = select(PlaceRow.seq).where(PlaceRow.stream_id == stream_id, PlaceRow.webhook_id == webhook_id)
    return conn.execute(told.limit(1)).first() is not None


def sessions_of(conn: Connection, stream_id: str, limit: int) -> Sequence[Found]:
    """A stream's sessions, the newest first, those whose start is not known at the end."""
    newest_first = SubjectRow.started_ms.desc().nulls_last(), SubjectRow.id.desc()
    asked = select(*_SESSION).where(SubjectRow.kind == "session", SubjectRow.stream_id == stream_id)
    return conn.execute(asked.order_by(*newest_first).limit(limit)).all()


def session(conn: Connection, session_id: str) -> Found | None:
    """One session, or None."""
    return conn.execute(select(*_SESSION).where(SubjectRow.kind == "session", SubjectRow.id == session_id)).first()


def callers(conn: Connection) -> Sequence[Found]:
    """Our endpoint and each webhook that has called it: `kind`, `id`, `folded`, `conditions`; there are few."""
    asked = select(SubjectRow.kind, SubjectRow.id, SubjectRow.folded, SubjectRow.conditions)
    return conn.execute(
        asked.where(SubjectRow.kind.in_(("endpoint", "webhook"))).order_by(SubjectRow.kind, SubjectRow.id)
    ).all()
