"""The verdict on every delivery, and what the diagnoser has yet to look at."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias, cast

from sqlalchemy import Connection, Table, insert

from receiver.storage.tables import DeliveryRow, PendingRow

Verdict: TypeAlias = Literal["accepted", "duplicate", "quarantined", "refused"]
Row: TypeAlias = Mapping[str, object]

_INSERT_DELIVERY: Final = insert(cast("Table", DeliveryRow.__table__))
_INSERT_PENDING: Final = insert(cast("Table", PendingRow.__table__))


def record(connection: Connection, deliveries: Sequence[Row], pending: Sequence[Row]) -> None:
    """Insert rows of `deliveries` and of `pending`; all rows of one kind have the same keys."""
    if deliveries:
        connection.execute(_INSERT_DELIVERY, deliveries)
    if pending:
        connection.execute(_INSERT_PENDING, pending)
