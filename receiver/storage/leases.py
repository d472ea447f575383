"""What only one of several processes may do at a time: who does it, and until when."""

from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from receiver.storage.tables import LeaseRow, table_of

_leases = table_of(LeaseRow)
_FREE_OR_MINE: Final = or_(_leases.c.node == bindparam("_node"), _leases.c.until_ms <= bindparam("_now_ms"))
_TAKE: Final = (
    update(_leases)
    .where(_leases.c.name == bindparam("_name"), _FREE_OR_MINE)
    .values(node=bindparam("_node"), until_ms=bindparam("_until_ms"))
)
_KNOWN: Final = select(_leases.c.name).where(_leases.c.name == bindparam("_name"))
_MAKE: Final = insert(_leases)
_GIVE_BACK: Final = delete(_leases).where(_leases.c.name == bindparam("_name"), _leases.c.node == bindparam("_node"))


def take(connection: Connection, name: str, node: int, now_ms: int, for_ms: int) -> bool:
    """Have the lease of that name (32 characters at most) for so long from now: it is free, has expired, or is this
    node's already. False where another node has it. Of several who try at once, one has it when its transaction ends:
    to be called in one that `receiver.storage.engine` does again where another was first."""
    wanted = {"_name": name, "_node": node, "_now_ms": now_ms, "_until_ms": now_ms + for_ms}
    if connection.execute(_TAKE, wanted).rowcount == 1:
        return True
    if connection.execute(_KNOWN, {"_name": name}).first() is not None:
        return False
    connection.execute(_MAKE, {"name": name, "node": node, "until_ms": now_ms + for_ms})
    return True


def give_back(connection: Connection, name: str, node: int) -> None:
    """Have it no longer; does nothing where another node has it."""
    connection.execute(_GIVE_BACK, {"_name": name, "_node": node})
