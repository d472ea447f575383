"""Streams, their sessions, and the webhooks that tell of them."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from receiver.storage.bulk import chunks
from receiver.storage.queries import Found
from receiver.storage.queries.listing import Key, Wanted, keys
from receiver.storage.tables import CallerRow, FailingRow, PlaybackStreamRow, SubjectRow

_STREAM = (
    SubjectRow.id,
    SubjectRow.name,
    SubjectRow.playback_id,
    SubjectRow.state,
    SubjectRow.state_since_ms,
    SubjectRow.last_event_ms,
    SubjectRow.record,
    SubjectRow.fault,
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
_THESE = select(*_STREAM).where(SubjectRow.kind == "stream", SubjectRow.id.in_(bindparam("ids", expanding=True)))


def stream(conn: Connection, stream_id: str) -> Found | None:
    """One stream, or None."""
    return conn.execute(select(*_STREAM).where(SubjectRow.kind == "stream", SubjectRow.id == stream_id)).first()


def stream_of_playback(conn: Connection, playback_id: str) -> Found | None:
    """`id` and `folded` of the stream that events name with a playback id, or None."""
    asked = select(SubjectRow.id, SubjectRow.folded).join(
        PlaybackStreamRow, PlaybackStreamRow.stream_id == SubjectRow.id
    )
    return conn.execute(asked.where(PlaybackStreamRow.playback_id == playback_id, SubjectRow.kind == "stream")).first()


def streams_of_playbacks(conn: Connection, playback_ids: Sequence[str]) -> dict[str, str]:
    """The streams that events name with these playback ids."""
    asked = select(PlaybackStreamRow.playback_id, PlaybackStreamRow.stream_id).where(PlaybackStreamRow.stream_id != "")
    found: dict[str, str] = {}
    for chunk in chunks(playback_ids):
        rows = conn.execute(asked.where(PlaybackStreamRow.playback_id.in_(chunk)))
        found.update((row.playback_id, row.stream_id) for row in rows)
    return found


def refused_streams(conn: Connection, limit: int) -> Sequence[str]:
    """The ids of streams whose viewers are refused, those with the latest activity."""
    asked = select(FailingRow.id).where(FailingRow.condition == "playback_forbidden", FailingRow.kind == "stream")
    return conn.execute(asked.order_by(FailingRow.last_event_ms.desc(), FailingRow.id).limit(limit)).scalars().all()


def streams(conn: Connection, wanted: Wanted, after: Key | None, limit: int) -> list[Found]:
    """At most `limit` streams, latest activity first, those without any at the end; `after` is the last one's key."""
    ids = [stream_id for _, stream_id in keys(conn, wanted, after, limit)]
    rows = {row.id: row for row in conn.execute(_THESE, {"ids": ids})} if ids else {}
    return [rows[stream_id] for stream_id in ids if stream_id in rows]


def tells_of(conn: Connection, webhook_id: str, stream_id: str) -> bool:
    """Whether a webhook has told of a stream."""
    told = select(CallerRow.stream_id).where(CallerRow.webhook_id == webhook_id, CallerRow.stream_id == stream_id)
    return conn.execute(told).first() is not None


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
