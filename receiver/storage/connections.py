"""Which connections a process uses, and how transactions come by them."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Final, Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import TimeoutError  # noqa: A004 -- what a pool raises

TURN_WITHIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Connections:
    """How many connections it may have that write and that read, and how long (`_s`) one statement may take, and wait
    for a lock, on PostgreSQL. SQLite has one that writes and `readers` that read; the rest does not concern it."""

    writers: int = 4
    readers: int = 4
    statement_timeout_s: float = 30.0
    lock_timeout_s: float = 5.0


USUAL = Connections()


class Transactions(Protocol):
    """Where transactions begin."""

    engine: Engine

    def begin(self) -> AbstractContextManager[Connection]:
        """A transaction, committed at the end, or rolled back where that is an exception."""

    def give_up(self) -> None:
        """The store has failed: begin the next transaction with a new connection where an old one may not find it."""

    def close(self) -> None:
        """Let go of all connections that are not in use."""


class Pooled:
    """Each transaction has a connection of a pool."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def begin(self) -> AbstractContextManager[Connection]:
        """A transaction."""
        return self.engine.begin()

    def give_up(self) -> None:
        """A SQLite connection may go on with a file that is no longer there. Those to a server are known to be broken
        once one is; given up here, those of other threads would be left open."""
        if self.engine.dialect.name == "sqlite":
            self.engine.dispose()

    def close(self) -> None:
        """Those of the pool."""
        self.engine.dispose()


class Held:
    """All transactions have the same connection, one after the other: to fetch it from a pool and to give it back costs
    more than all else that a small one takes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._turn = Lock()
        self._connection: Connection | None = None

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction, once that at hand has ended. Raises SQLAlchemy's TimeoutError where it does not."""
        if not self._turn.acquire(timeout=TURN_WITHIN_S):
            raise TimeoutError("another transaction of this process does not end")
        try:
            self._connection = self._connection or self.engine.connect()
            with self._connection.begin():
                yield self._connection
        except BaseException:
            self._give_back()  # where the commit failed, the transaction has not ended: the pool rolls it back
            raise
        finally:
            self._turn.release()

    def give_up(self) -> None:
        """The connection may go on with a file that is no longer there. Who has its turn finds out by himself."""
        if self._turn.acquire(blocking=False):
            try:
                self._give_back()
                self.engine.dispose()
            finally:
                self._turn.release()

    close = give_up

    def _give_back(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
