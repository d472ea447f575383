"""A pass in three transactions, where one connection writes: deliveries are committed between them, and while it is
concluded what came of what was taken.

Conclusions rest on what is stored when they are drawn. If anything was written since then that bears on them, which
deliveries do not, they are dropped. What was taken is pending until they are written.
"""

from collections.abc import Hashable
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from receiver.diagnoser.moment import Moment
from receiver.diagnoser.passing import Conclusions, Passed, Taken, conclude, take, write
from receiver.diagnoser.recent import Recent
from receiver.storage.engine import Database


@dataclass(frozen=True, slots=True)
class TakenApart:
    """What was taken, and the version of what was stored before."""

    taken: Taken
    version: Hashable


@dataclass(frozen=True, slots=True)
class PassApart:
    """Its three parts, each to be run once, in a transaction of its own, one after the other."""

    database: Database
    recent: Recent
    moment: Moment

    def take(self, connection: Connection) -> TakenApart:
        """File what was taken in; this writes."""
        version = self.database.version(connection)
        return TakenApart(take(connection, self.recent, self.moment.bounds, alone=True), version)

    def conclude(self, connection: Connection, apart: TakenApart) -> Conclusions:
        """Judge it; this only reads."""
        moment = self.moment
        return conclude(connection, apart.taken, moment.outcome(), moment.limits, self.database.precedence.give)

    def write(self, connection: Connection, apart: TakenApart, conclusions: Conclusions) -> Passed | None:
        """Write what came of it; None where something else was written meanwhile, and nothing is now."""
        if self.database.version(connection) != apart.version:
            return None
        return write(connection, replace(apart.taken, filed=()), conclusions, self.recent)
