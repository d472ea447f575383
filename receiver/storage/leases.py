"""What only one process at a time may do: whose turn it is, and until when."""

from typing import Final

from sqlalchemy import Connection, bindparam, insert, select, update

from receiver.storage.tables import LeaseRow, table_of

_leases = table_of(LeaseRow)
_MINE: Final = _leases.c.name == bindparam("of_name")
_FREE: Final = (_leases.c.node == bindparam("of_node")) | (_leases.c.until_ms < bindparam("now_ms"))
_TAKE: Final = update(_leases).where(_MINE, _FREE).values(node=bindparam("of_node"), until_ms=bindparam("to_ms"))
_KNOWN: Final = select(_leases.c.name).where(_MINE)


def take(connection: Connection, name: str, node: int, now_ms: int, for_ms: int) -> bool:
    """Have the turn for so long, or for longer where this process (its node) has it; false while another has."""
    taken = connection.execute(
        _TAKE, {"of_name": name, "of_node": node, "now_ms": now_ms, "to_ms": now_ms + for_ms}
    ).rowcount
    if taken:
        return True
    if connection.execute(_KNOWN, {"of_name": name}).first() is not None:
        return False
    connection.execute(insert(_leases).values(name=name, node=node, until_ms=now_ms + for_ms))
    return True


def give_back(connection: Connection, name: str, node: int) -> None:
    """Others may have the turn now."""
    mine = update(_leases).where(_MINE, _leases.c.node == bindparam("of_node")).values(until_ms=0)
    connection.execute(mine, {"of_name": name, "of_node": node})
