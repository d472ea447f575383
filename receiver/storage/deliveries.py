"""The verdict on every delivery, and what the diagnoser has yet to look at."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from sqlalchemy import Connection

from receiver.storage.bulk import Rows, Values
from receiver.storage.tables import DeliveryRow, PendingRow, table_of

Verdict: TypeAlias = Literal["accepted", "duplicate", "quarantined", "refused"]

_DELIVERIES: Final = Rows(table_of(DeliveryRow))
_PENDING: Final = Rows(table_of(PendingRow))


def record(connection: Connection, deliveries: Sequence[Values]) -> None:
    """Insert rows of `deliveries`."""
    _DELIVERIES.insert(connection, deliveries)


def await_look(connection: Connection, pending: Sequence[Values]) -> None:
    """Insert rows of `pending`."""
    _PENDING.insert(connection, pending)
