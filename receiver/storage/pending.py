"""What the diagnoser has yet to look at, and the receipts of all that it ever had to."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, func, or_, outerjoin, select

from receiver.storage import bodies
from receiver.storage.bulk import OfKeys
from receiver.storage.cases import LOG_COLUMNS, LogRow
from receiver.storage.one_of import one_of
from receiver.storage.tables import DeliveryRow, PendingRow, PlaceRow, SignalRow, table_of

RECEIPTS_AT_ONCE = 8192
LAST_SEQ = (1 << 63) - 1
_AT_ONCE = 128
"""How many rows with bodies are read before their size is looked at."""

_pending, _deliveries = table_of(PendingRow), table_of(DeliveryRow)
_signals, _places = table_of(SignalRow), table_of(PlaceRow)


_RECEIPT_COLUMNS = (
    _deliveries.c.received_ms,
    _deliveries.c.verdict,
    _deliveries.c.code,
    _deliveries.c.shaped,
    _deliveries.c.webhook_id.label("told_webhook_id"),
    _deliveries.c.event_id,
    _deliveries.c.event,
    _deliveries.c.created_ms,
    _deliveries.c.timestamp_ms,
    _deliveries.c.seq.label("delivery_seq"),
)
"""In the order of the fields of `receiver.diagnosis.senders.Receipt` behind its `id`."""
RECEIPT = slice(3, 3 + len(_RECEIPT_COLUMNS))
"""Which of the columns of what is pending they are."""
_TAKE = (
    select(
        _pending.c.seq.label("pending_seq"),
        _pending.c.changed,
        _places.c.seq.is_not(None).label("placed"),
        *_RECEIPT_COLUMNS,
        *LOG_COLUMNS,
    )
    .select_from(
        bodies.joined(
            outerjoin(_pending, _deliveries, _deliveries.c.seq == _pending.c.seq)
            .outerjoin(_signals, _signals.c.seq == _pending.c.signal_seq)
            .outerjoin(_places, _places.c.seq == _signals.c.seq),
            _signals.c.seq,
        )
    )
    .where(one_of(_pending.c.seq, "seqs"))
    .order_by(_pending.c.seq)
)
_told = or_(_deliveries.c.verdict.in_(("accepted", "duplicate")), _deliveries.c.shaped)
_RECEIPTS = (
    select(*_RECEIPT_COLUMNS)
    .where(_told, _deliveries.c.seq > bindparam("after_seq"), _deliveries.c.seq <= bindparam("until_seq"))
    .order_by(_deliveries.c.seq)
    .limit(RECEIPTS_AT_ONCE)
)
_SEQS = select(_pending.c.seq).order_by(_pending.c.seq).limit(bindparam("most"))
_PENDING_OF = (
    select(_pending.c.seq)
    .join(_places, _places.c.seq == _pending.c.signal_seq)
    .where(or_(one_of(_places.c.stream_id, "ids"), one_of(_places.c.session_id, "ids")))
    .limit(1)
)
_CLAIMED_SEQS = _SEQS.with_for_update(skip_locked=True)
_COUNT_PENDING = select(func.count()).select_from(_pending)
_DROP_PENDING = OfKeys(delete(_pending), _pending.c.seq)


def oldest(connection: Connection, most: int) -> Sequence[int]:
    """The oldest deliveries and observations in the log that were not looked at yet."""
    return connection.execute(_SEQS, {"most": most}).scalars().all()


def claim_oldest(connection: Connection, most: int, most_bytes: int) -> Sequence[LogRow]:
    """Those that no other process looks at, each with its signal where it has one: so many, or as many of the first as
    hold about so many bytes."""
    found: list[LogRow] = []
    seqs = connection.execute(_CLAIMED_SEQS, {"most": most}).scalars().all()
    for start in range(0, len(seqs), _AT_ONCE):
        if most_bytes <= 0:
            break
        for row in connection.execute(_TAKE, {"seqs": seqs[start : start + _AT_ONCE]}):
            found.append(row)
            most_bytes -= len(row.body or b"")
    return found


def is_any_of(connection: Connection, ids: Sequence[str]) -> bool:
    """Whether a signal that was found to belong to one of these streams or sessions is to be looked at (again)."""
    return connection.execute(_PENDING_OF, {"ids": ids}).first() is not None


def count(connection: Connection) -> int:
    """How many deliveries and observations have not been looked at yet."""
    return connection.execute(_COUNT_PENDING).scalar_one()


def drop(connection: Connection, seqs: Sequence[int]) -> None:
    """They have been looked at; goes with what came of it."""
    _DROP_PENDING.run(connection, seqs)


def receipts(connection: Connection, after_seq: int = -1, until_seq: int = LAST_SEQ) -> Sequence[LogRow]:
    """The first deliveries behind one `seq`, as far as another, for a rebuild, in the order in which they were pending:
    those that were verified, and of the others those of Livepeer's shape."""
    return connection.execute(_RECEIPTS, {"after_seq": after_seq, "until_seq": until_seq}).all()
