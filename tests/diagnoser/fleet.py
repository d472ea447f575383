"""Several diagnosers on one PostgreSQL database, at work at the same time."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, text

from receiver.clock import ManualClock
from receiver.diagnoser.passing import Passed
from receiver.storage.engine import Database
from receiver.storage.tables import Base
from tests.diagnoser.world import World

MOST_ROUNDS = 2000
PATIENCE_S = 10.0
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

    def meanwhile(self, arrive: Callable[[World], object]) -> Passed:
        """The first makes a pass. Before that is committed something arrives at the second, which makes its own, until
        it has to wait. Returns what that came to."""
        first, second = self.members[:2]
        begun: list[Future[Passed]] = []

        def begin() -> None:
            arrive(second)
            begun.append(self.threads.submit(second.once))
            until = time.monotonic() + PATIENCE_S
            while not begun[0].done() and not first.database.read_now(_is_anyone_waiting):
                assert time.monotonic() < until
                time.sleep(0.005)

        first.once(begin)
        return begun[0].result()

    def settle(self) -> None:
        """Pass until nothing is due."""
        for _ in range(MOST_ROUNDS):
            if not self.work(1):
                return
        raise AssertionError("the passes never end")


def _passes(member: World, rounds: int) -> int:
    return sum(member.once().handled for _ in range(rounds))


def _is_anyone_waiting(connection: Connection) -> bool:
    """Whether a transaction waits for a lock."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return bool(connection.execute(text(waits)).scalar_one())


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
