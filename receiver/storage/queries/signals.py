"""The log: signals, and the verdicts on deliveries."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from receiver.storage.queries import Found
from receiver.storage.tables import DeliveryRow, SignalRow

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
    positions = select(SignalRow.position).where(SignalRow.stream_id == stream_id)
    if after is not None:
        positions = positions.where(SignalRow.position > after)
    found = conn.execute(positions.distinct().order_by(SignalRow.position).limit(limit)).scalars().all()
    if not found:
        return []
    asked = select(*_SIGNAL).where(SignalRow.stream_id == stream_id, SignalRow.position.between(found[0], found[-1]))
    grouped: dict[str, list[Found]] = {}
    for row in conn.execute(asked.order_by(SignalRow.position, SignalRow.webhook_id)):
        grouped.setdefault(row.position, []).append(row)
    return list(grouped.values())


def signal(conn: Connection, signal_id: str) -> Sequence[Found]:
    """A signal's rows with their bodies, one for each webhook that brought it, the first received first."""
    asked = select(*_SIGNAL, SignalRow.body).where(SignalRow.id == signal_id)
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
    if before is not None:
        asked = asked.where(DeliveryRow.seq < before)
    return conn.execute(asked.order_by(DeliveryRow.seq.desc()).limit(limit)).all()
