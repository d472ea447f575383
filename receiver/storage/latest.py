"""Where a process that begins to write goes on numbering."""

from sqlalchemy import Connection, func, select, union_all

from receiver.storage.tables import (
    CoverageRow,
    DeliveryRow,
    DiagnosisRow,
    InboxRow,
    OutboxRow,
    PendingRow,
    QuarantineRow,
    ReconciledRow,
    SignalRow,
    TransitionRow,
)

_NUMBERED = (
    CoverageRow.seq,
    DeliveryRow.seq,
    DiagnosisRow.seq,
    InboxRow.seq,
    OutboxRow.seq,
    PendingRow.seq,
    QuarantineRow.seq,
    ReconciledRow.seq,
    SignalRow.seq,
    TransitionRow.seq,
)
_LATEST = select(func.max(union_all(*(select(func.max(seq).label("seq")) for seq in _NUMBERED)).subquery().c.seq))


def latest_seq(connection: Connection) -> int:
    """The highest `seq` in any table, 0 in an empty database: what an `Ids` must stay above, should the clock have
    stepped back since."""
    return connection.execute(_LATEST).scalar() or 0
