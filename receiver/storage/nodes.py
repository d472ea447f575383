"""Which process has which node, so that no two make the same id (`receiver.ids`), and what all of them share."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from receiver.errors import StoreUnavailable
from receiver.ids import NODES
from receiver.storage.tables import NodeRow, SharedKeyRow, table_of

_nodes, _shared = table_of(NodeRow), table_of(SharedKeyRow)
_NONE_LEFT: Final = (
    f"{NODES} processes use this database already, which is as many as can. Those that were killed count for a minute."
)


@dataclass(frozen=True, slots=True)
class Lease:
    """A node that a process has; `token` is the process's own."""

    node: int
    token: str


def take(connection: Connection, token: str, now_ms: int, until_ms: int) -> Lease:
    """Have a node until then: a free one, or that of a process which has not been heard of for longest. Raises
    StoreUnavailable where all are in use."""
    taken = {row.node: row for row in connection.execute(select(_nodes))}
    free = next((node for node in range(NODES) if node not in taken), None)
    if free is not None:
        connection.execute(insert(_nodes).values(node=free, token=token, until_ms=until_ms))
        return Lease(free, token)
    for row in sorted(taken.values(), key=lambda row: (row.until_ms, row.node)):
        if row.until_ms < now_ms and _set(connection, Lease(row.node, row.token), token, until_ms):
            return Lease(row.node, token)
    raise StoreUnavailable(_NONE_LEFT)


def keep(connection: Connection, lease: Lease, until_ms: int) -> bool:
    """Have the node for longer. False where another process has it meanwhile."""
    return _set(connection, lease, lease.token, until_ms)


def give_back(connection: Connection, lease: Lease) -> None:
    """Have it no longer."""
    connection.execute(delete(_nodes).where(_nodes.c.node == lease.node, _nodes.c.token == lease.token))


def _set(connection: Connection, of: Lease, token: str, until_ms: int) -> bool:
    mine = update(_nodes).where(_nodes.c.node == of.node, _nodes.c.token == of.token)
    return connection.execute(mine.values(token=token, until_ms=until_ms)).rowcount == 1


def in_use(connection: Connection, now_ms: int) -> bool:
    """Whether a process is sure to have a node now: one works on the database, or was killed a moment ago."""
    return connection.execute(select(_nodes.c.node).where(_nodes.c.until_ms >= now_ms)).first() is not None


def shared_key(connection: Connection, name: str, proposed: str) -> str:
    """The key of that name that all processes share: what the first of them proposed."""
    known: str | None = connection.execute(select(_shared.c.value).where(_shared.c.name == name)).scalar()
    if known is None:
        connection.execute(insert(_shared).values(name=name, value=proposed))
    return known or proposed
