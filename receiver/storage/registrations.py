"""Snapshots of webhooks in the log: they belong to no stream, and are found by their kind."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, literal_column, select

from receiver.diagnosis.looks import SNAPSHOT_OF_WEBHOOK
from receiver.storage import bodies
from receiver.storage.bulk import chunks
from receiver.storage.cases import LogRow
from receiver.storage.tables import PendingRow, SignalRow, table_of

_signals, _pending = table_of(SignalRow), table_of(PendingRow)
_OURS = _signals.c.kind == literal_column(f"'{SNAPSHOT_OF_WEBHOOK}'")
"""Names the index, which has no others."""
_ASKED = (
    select(_signals.c.id, _signals.c.webhook_id, _signals.c.position, *bodies.COLUMNS)
    .select_from(bodies.joined(_signals.outerjoin(_pending, _pending.c.signal_seq == _signals.c.seq), _signals.c.seq))
    .where(_OURS, _pending.c.seq.is_(None))
    .order_by(_signals.c.webhook_id, _signals.c.position)
)
_THESE = _ASKED.where(_signals.c.seq.in_(bindparam("seqs", expanding=True)))


def looked_at(connection: Connection) -> Sequence[LogRow]:
    """All that the diagnoser has looked at: (id, webhook_id, position, and the body)."""
    return connection.execute(_ASKED).all()


def these(connection: Connection, seqs: Iterable[int]) -> Sequence[LogRow]:
    """Those of them with these `seq`."""
    return [row for chunk in chunks(sorted(seqs)) for row in connection.execute(_THESE, {"seqs": chunk})]
