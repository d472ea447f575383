"""The log: signals, and the verdicts on deliveries."""

from collections.abc import Sequence

from sqlalchemy import Connection, literal_column, select

from receiver.storage.event_keys import keys_of_id
from receiver.storage.queries import Found
from receiver.storage.tables import DeliveryRow, PlaceRow, SignalRow

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


def signals_of_stream(conn: Connection, stream_id: str, after: str | None, limit: int) -> list[list[Found]]:
    """At most `limit` signals of a stream in source order, each as its rows, one for each webhook that brought it;
    `after` is the position of the last one seen."""
    positions = select(PlaceRow.position).where(PlaceRow.stream_id == stream_id)
    if after is not None:
        positions = positions.where(PlaceRow.position > after)
    found = conn.execute(positions.distinct().order_by(PlaceRow.position).limit(limit)).scalars().all()
    if not found:
        return []
    asked = select(*_SIGNAL).join(PlaceRow, PlaceRow.seq == SignalRow.seq)
    asked = asked.where(PlaceRow.stream_id == stream_id, PlaceRow.position.between(found[0], found[-1]))
    grouped: dict[str, list[Found]] = {}
    for row in conn.execute(asked.order_by(PlaceRow.position, PlaceRow.webhook_id)):
        grouped.setdefault(row.position, []).append(row)
    return list(grouped.values())


def signal(conn: Connection, signal_id: str) -> Sequence[Found]:
    """A signal's rows with their bodies, one for each webhook that brought it, the first received first."""
    asked = select(*_SIGNAL, SignalRow.body).where(
        SignalRow.key.between(*keys_of_id(signal_id)), SignalRow.id == signal_id
    )
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
