"""Several diagnosers on one PostgreSQL database, at work at the same time."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, text

from receiver.clock import ManualClock
from receiver.storage.engine import Database
from receiver.storage.tables import Base
from tests.diagnoser.world import World

MOST_ROUNDS = 2000
_KEPT = frozenset({"bookmarks"})


@dataclass
class Fleet:
    """Processes that share a clock and a database. Each has a thread of its own."""

    members: Sequence[World]
    threads: ThreadPoolExecutor

    @property
    def first(self) -> World:
        """Who looks into the store for all of them."""
        return self.members[0]

    def work(self, rounds: int) -> int:
        """Each makes so many passes, all at the same time. Returns how much was handled."""
        done = [self.threads.submit(_passes, member, rounds) for member in self.members]
        return sum(one.result() for one in done)

    def settle(self) -> None:
        """Pass until nothing is due."""
        for _ in range(MOST_ROUNDS):
            if not self.work(1):
                return
        raise AssertionError("the passes never end")


def _passes(member: World, rounds: int) -> int:
    return sum(member.once().handled for _ in range(rounds))


def empty(connection: Connection) -> None:
    """Forget all that the store knows."""
    names = ", ".join(name for name in Base.metadata.tables if name not in _KEPT)
    connection.execute(text(f"TRUNCATE {names}"))


@contextmanager
def fleet(url: str, now_ms: int, count: int) -> Iterator[Fleet]:
    """So many processes on a database that is emptied first, gone when it is left."""
    database = Database.open(url)
    database.write_now(empty)
    database.close_now()
    clock = ManualClock(now_ms)
    members = [World(url, clock, node=node) for node in range(count)]
    with ThreadPoolExecutor(count) as threads:
        try:
            yield Fleet(members, threads)
        finally:
            for member in members:
                member.stop()
