"""What was taken in and is not filed yet: each verified delivery, as it came.

A row here, and the body, are all that is written before a delivery is answered, and they go behind the last rows: no
index, no page but the last. Filing (`receiver.storage.arrivals`) takes many at once; the bodies stay where they are.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, outerjoin, select

from receiver.storage import bodies
from receiver.storage.arrival import Arrival, read_again
from receiver.storage.bulk import OfKeys, Rows, RowsOfAll
from receiver.storage.one_of import one_of
from receiver.storage.tables import BodyRow, InboxRow, table_of

_inbox, _bodies = table_of(InboxRow), table_of(BodyRow)
_AT_ONCE: Final = 128
"""How many bodies are read before their size is looked at."""
_INBOX: Final = Rows(_inbox)
_TAKEN_IN: Final = RowsOfAll(_inbox, _bodies)
_SEQS: Final = select(_inbox.c.seq).order_by(_inbox.c.seq).limit(bindparam("most"))
_CLAIMED_SEQS: Final = _SEQS.with_for_update(skip_locked=True)
_THESE: Final = one_of(_inbox.c.seq, "seqs")
_BODY: Final = func.coalesce(_bodies.c.body, b"").label("body")
"""What has lost its body is filed as not understood."""
_READ: Final = (
    select(_inbox.c.seq, _inbox.c.received_ms, _inbox.c.remote, _inbox.c.secret_id, _BODY)
    .select_from(outerjoin(_inbox, _bodies, _bodies.c.seq == _inbox.c.seq))
    .where(_THESE)
    .order_by(_inbox.c.seq)
)
_DROP: Final = OfKeys(delete(_inbox), _inbox.c.seq)
_COUNT: Final = select(func.count()).select_from(_inbox)


def put(connection: Connection, arrivals: Sequence[Arrival]) -> None:
    """Take these in, if there are any: on PostgreSQL by a single statement."""
    if arrivals:
        rows = [(a.seq, a.received_ms, a.remote, a.secret_id) for a in arrivals]
        _TAKEN_IN.insert(connection, rows, [(a.seq, a.body) for a in arrivals])


def rehearse(connection: Connection, seq: int, size: int) -> None:
    """Store as much as deliveries of so many bytes take, under a `seq` of its own: to be dropped again once it is
    committed. What is stored cannot be compressed. Nobody sees a delivery in it."""
    unrehearse(connection, seq)
    _INBOX.insert(connection, [(seq, 0, "", None)])
    drop(connection, [seq])
    bodies.put(connection, [(seq, hashlib.shake_128(b"rehearsal").digest(size))])


def unrehearse(connection: Connection, seq: int) -> None:
    """Give back what a rehearsal took."""
    bodies.drop(connection, [seq])


def oldest(connection: Connection, most: int) -> Sequence[int]:
    """The `seq` of the first that were taken in, so many."""
    return connection.execute(_SEQS, {"most": most}).scalars().all()


def claim_oldest(connection: Connection, most: int) -> Sequence[int]:
    """Of those that no other process is filing, the `seq` of the first, so many."""
    return connection.execute(_CLAIMED_SEQS, {"most": most}).scalars().all()


def read(connection: Connection, seqs: Sequence[int], most_bytes: int) -> list[Arrival]:
    """These, or as many of the first as hold about so many bytes."""
    found: list[Arrival] = []
    for start in range(0, len(seqs), _AT_ONCE):
        if most_bytes <= 0:
            break
        for row in connection.execute(_READ, {"seqs": seqs[start : start + _AT_ONCE]}):
            found.append(read_again(*row))
            most_bytes -= len(row.body)
    return found


def drop(connection: Connection, seqs: Sequence[int]) -> None:
    """These were filed, in the caller's transaction."""
    _DROP.run(connection, seqs)


def count(connection: Connection) -> int:
    """How many are not filed yet."""
    return connection.execute(_COUNT).scalar_one()
