"""This process among those that use the store: the node that its ids are made with, for as long as it says so."""

import secrets
from types import TracebackType
from typing import Final, Self

from sqlalchemy import Connection

from receiver.clock import Clock
from receiver.ids import Ids
from receiver.storage import copy_marks, nodes
from receiver.storage.engine import Database
from receiver.storage.latest import latest_seq

SERVING_MS: Final = 60_000
"""Six heartbeats. Who is not heard of for as long may find that another has its node, and takes another one."""
COMMAND_MS: Final = 3_600_000
"""A command has no heartbeat."""


class Membership:
    """Ids that no other process makes. A context, at whose end the node is free again; a process that is killed has it
    for a while."""

    def __init__(self, database: Database, clock: Clock, for_ms: int = SERVING_MS) -> None:
        """Blocks. Raises StoreUnavailable, also where too many processes use the store, and SettingsError where it is a
        copy that is not complete."""
        self._database, self._clock, self._for_ms = database, clock, for_ms
        self._token = secrets.token_hex(8)
        self._lease, floor = database.write_now(lambda c: (self._take(c), latest_seq(c)))
        self.ids = Ids(clock, self._lease.node, floor)

    def keep(self, connection: Connection) -> None:
        """Go on, in the caller's transaction: with another node, where this one was lost. Raises StoreUnavailable."""
        if not nodes.keep(connection, self._lease, self._until_ms):
            self._lease = self._take(connection)
            self.ids.move(self._lease.node)

    def end(self) -> None:
        """Others may have the node. Blocks. Raises StoreUnavailable."""
        self._database.write_now(lambda c: nodes.give_back(c, self._lease))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def _until_ms(self) -> int:
        return self._clock.now_ms() + self._for_ms

    def _take(self, connection: Connection) -> nodes.Lease:
        copy_marks.settle(connection)
        return nodes.take(connection, self._token, self._clock.now_ms(), self._until_ms)
