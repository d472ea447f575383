"""The bodies of deliveries and observations, as they came, apart from what is said of them: they are most of what is
stored, written once, and read only to fold or to show a single one."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, delete

from receiver.storage.bulk import Rows, chunks
from receiver.storage.tables import BodyRow, table_of

_bodies = table_of(BodyRow)
_BODIES: Final = Rows(_bodies)
_DROP: Final = delete(_bodies).where(_bodies.c.seq.in_(bindparam("seqs", expanding=True)))


def put(connection: Connection, bodies: Sequence[tuple[int, bytes]]) -> None:
    """Store these, each under the `seq` of the delivery or observation that it is of."""
    _BODIES.insert(connection, bodies)


def drop(connection: Connection, seqs: Sequence[int]) -> None:
    """These only repeat others."""
    for chunk in chunks(seqs):
        connection.execute(_DROP, {"seqs": chunk})
