"""The verdict on every delivery, and what the diagnoser has yet to look at."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias, cast

from sqlalchemy import Connection, Table, insert

from receiver.storage.bulk import Bulk, Row
from receiver.storage.tables import DeliveryRow, PendingRow

Verdict: TypeAlias = Literal["accepted", "duplicate", "quarantined", "refused"]

_INSERT_DELIVERY: Final = Bulk(insert(cast("Table", DeliveryRow.__table__)))
_INSERT_PENDING: Final = Bulk(insert(cast("Table", PendingRow.__table__)))


def record(connection: Connection, deliveries: Sequence[Row], pending: Sequence[Row]) -> None:
    """Insert rows of `deliveries` and of `pending`; all rows of one kind have the same keys."""
    _INSERT_DELIVERY.run(connection, deliveries)
    _INSERT_PENDING.run(connection, pending)
