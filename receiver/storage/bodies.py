"""The bodies of deliveries and observations, as they came, apart from what is said of them: they are most of what is
stored, written once, and read only to fold or to show a single one. Old ones are packed, in a table of their own: a
page of which rows grow smaller is no use to others, and one whose rows are gone is.

Who reads a body joins both tables, with `joined`, asks for `COLUMNS`, and has it from `body_of`.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, FromClause, Join, SQLColumnExpression, bindparam, delete, select

from receiver.storage import bases
from receiver.storage.bulk import OfKeys, Rows
from receiver.storage.packing import pack, unpack
from receiver.storage.retention import DONE, Span, Step
from receiver.storage.tables import BodyRow, PackedBodyRow, table_of

_bodies, _packed = table_of(BodyRow), table_of(PackedBodyRow)
COLUMNS: Final = (_bodies.c.body, _packed.c.coding, _packed.c.body.label("packed"))
_BODIES: Final = Rows(_bodies)
_PACKED: Final = Rows(_packed)
_DROP: Final = OfKeys(delete(_bodies), _bodies.c.seq)
_PLAIN: Final = (
    select(_bodies.c.seq, _bodies.c.body)
    .where(_bodies.c.seq > bindparam("after"), _bodies.c.seq < bindparam("before"))
    .order_by(_bodies.c.seq)
    .limit(bindparam("most"))
)


def put(connection: Connection, bodies: Sequence[tuple[int, bytes]]) -> None:
    """Store these, each under the `seq` of the delivery or observation that it is of."""
    _BODIES.insert(connection, bodies)


def drop(connection: Connection, seqs: Sequence[int]) -> None:
    """These only repeat others."""
    _DROP.run(connection, seqs)


def joined(signals: FromClause, seq: SQLColumnExpression[int]) -> Join:
    """These signals with their bodies, however those are stored; `seq` is the signals'."""
    return signals.outerjoin(_bodies, _bodies.c.seq == seq).outerjoin(_packed, _packed.c.seq == seq)


def body_of(row: Any) -> bytes:  # noqa: ANN401 -- a row that has `COLUMNS`
    """The body as it came; of a signal that has lost it, nothing. Raises ValueError where it does not read."""
    if row.body is not None:
        plain: bytes = row.body
        return plain
    return b"" if row.packed is None else unpack(row.coding, row.packed)


def pack_some(connection: Connection, span: Span) -> Step:
    """Pack the next bodies of a span, wherever in it this was left. What came of it counts as removed."""
    after = max(span.after, bases.bookmark(connection, bases.BODIES))
    rows = connection.execute(_PLAIN, span._replace(after=after)._asdict()).all()
    if not rows:
        return DONE
    _PACKED.insert(connection, [(row.seq, *pack(row.body)) for row in rows])
    drop(connection, [row.seq for row in rows])
    bases.move_bookmark(connection, bases.BODIES, rows[-1].seq)
    return Step(len(rows), rows[-1].seq)
