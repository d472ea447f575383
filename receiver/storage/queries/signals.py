"""The log: signals, and the verdicts on deliveries."""

from collections.abc import Sequence
from operator import attrgetter

from sqlalchemy import Connection, literal_column, select

from receiver.storage import bodies
from receiver.storage.event_keys import keys_of_id
from receiver.storage.queries import Found
from receiver.storage.tables import DeliveryRow, PlaceRow, SignalRow, table_of

_SIGNAL = (
    SignalRow.id,
    SignalRow.webhook_id,
    SignalRow.source,
    SignalRow.kind,
    SignalRow.position,
    SignalRow.created_ms,
    SignalRow.attempted_ms,
    SignalRow.first_received_ms,
    SignalRow.last_received_ms,
    SignalRow.attempts,
    SignalRow.flag,
)


def signals_of_stream(conn: Connection, stream_id: str, after: tuple[int, str] | None, limit: int) -> list[list[Found]]:
    """At most `limit` signals of a stream in source order, each as its rows, one for each webhook that brought it;
    `after` is when the last one seen stands, and its position."""
    (from_ms, position), most = after or (0, ""), limit
    while True:
        times = _times(conn, stream_id, from_ms, most)
        found = _standing(conn, stream_id, from_ms, times[-1], position) if times else []
        if len(found) >= limit or len(times) < most:
            return found[:limit]
        most *= 4  # several webhooks have brought the same


def _times(conn: Connection, stream_id: str, from_ms: int, most: int) -> Sequence[int]:
    """When the stream's first signals stand that do so at `from_ms` or later."""
    asked = select(PlaceRow.at_ms).where(PlaceRow.stream_id == stream_id, PlaceRow.at_ms >= from_ms)
    return conn.execute(asked.order_by(PlaceRow.at_ms).limit(most)).scalars().all()


def _standing(conn: Connection, stream_id: str, from_ms: int, until_ms: int, after: str) -> list[list[Found]]:
    """The stream's signals that stand between these times, and behind a position."""
    asked = select(*_SIGNAL).join(PlaceRow, PlaceRow.seq == SignalRow.seq)
    asked = asked.where(PlaceRow.stream_id == stream_id, PlaceRow.at_ms.between(from_ms, until_ms))
    rows = [row for row in conn.execute(asked) if row.position > after]
    grouped: dict[str, list[Found]] = {}
    for row in sorted(rows, key=attrgetter("position", "webhook_id")):
        grouped.setdefault(row.position, []).append(row)
    return list(grouped.values())


def signal(conn: Connection, signal_id: str) -> Sequence[Found]:
    """A signal's rows with their bodies (`bodies.body_of`), one for each webhook that brought it, the first received
    first."""
    asked = select(*_SIGNAL, *bodies.COLUMNS).select_from(bodies.joined(table_of(SignalRow), SignalRow.seq))
    asked = asked.where(SignalRow.key.between(*keys_of_id(signal_id)), SignalRow.id == signal_id)
    return conn.execute(asked.order_by(SignalRow.first_received_ms, SignalRow.webhook_id)).all()


def deliveries(conn: Connection, verdict: str | None, before: int | None, limit: int) -> Sequence[Found]:
    """At most `limit` deliveries, newest first; `before` is the `seq` of the last one seen."""
    asked = select(
        DeliveryRow.seq,
        DeliveryRow.received_ms,
        DeliveryRow.verdict,
        DeliveryRow.code,
        DeliveryRow.event_id,
        DeliveryRow.webhook_id,
        DeliveryRow.event,
        DeliveryRow.remote,
        DeliveryRow.bytes,
    )
    if verdict is not None:
        asked = asked.where(DeliveryRow.verdict == verdict)
    if verdict not in {None, "accepted"}:
        asked = asked.where(DeliveryRow.verdict != literal_column("'accepted'"))  # names the index, which has no others
    if before is not None:
        asked = asked.where(DeliveryRow.seq < before)
    return conn.execute(asked.order_by(DeliveryRow.seq.desc()).limit(limit)).all()
