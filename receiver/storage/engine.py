"""The database: who writes, who reads, and what becomes of a transaction that fails.

Everything above speaks SQLAlchemy Core and hands in functions of a connection. On SQLite all writes of a process pass
through one thread, one transaction after another; on PostgreSQL several write at once. Reads have connections of their
own that cannot write. What only one of the two needs is in `sqlite` and `postgresql`.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from receiver.errors import StoreUnavailable
from receiver.storage.connections import USUAL, Connections, Held, Pooled, Transactions
from receiver.storage.files import is_damage
from receiver.storage.postgresql import each_statement_alone, is_conflict, postgresql_engine
from receiver.storage.precedence import Precedence
from receiver.storage.sqlite import FileMoved, refuse_if_moved, sqlite_engine, sqlite_version
from receiver.storage.texts import SpoiledText
from receiver.storage.threads import Threads

T = TypeVar("T")

NOT_TAKEN = (DataError, IntegrityError)
"""What is raised for a row that the database does not take, whatever it takes of others."""
TRIES = 8
"""Of a transaction that another one was ahead of, or that met a text that is none."""
_DETAIL = "The store cannot be used at the moment; nothing was taken in. Please try again."


class Passengers(Protocol):
    """What is carried by a transaction of others, as its last. All of it is called by the writer's thread."""

    def board(self, connection: Connection) -> None:
        """The transaction is about to be committed."""

    def arrive(self) -> None:
        """It was committed to disk."""

    def strand(self) -> None:
        """It was not."""


class Database:
    """Transactions on the store. The functions handed in run in a worker thread and must not keep the connection. One
    that another process was ahead of runs again, from its beginning: it must depend on nothing but the connection.

    Whatever says that the store itself cannot be used (locked, full, gone, closed) is raised as `StoreUnavailable`,
    and nothing was committed; or, where the connection broke during the commit itself, all of it. IntegrityError,
    DataError, and what the function itself raises pass unchanged, rolled back.
    """

    def __init__(self, writing: Engine, reading: Engine, writers: int, readers: int) -> None:
        self._dialect = writing.dialect.name
        self._writing: Transactions = Pooled(writing) if self._dialect == "postgresql" else Held(writing)
        self._writing_one = Pooled(each_statement_alone(writing)) if self._dialect == "postgresql" else self._writing
        self._reading = Pooled(reading)
        self._writer = Threads("receiver-writer", writers)
        self._readers = Threads("receiver-reader", readers)
        self._written = 0
        """How many transactions were written that may bear on what others conclude."""
        self._reads = 0
        """How many are at hand."""
        self._passengers: Passengers | None = None
        self.precedence = Precedence()
        """Of deliveries, over those who think between the statements of a transaction."""

    @staticmethod
    def open(url: str, connections: Connections = USUAL) -> "Database":
        """The database at a SQLAlchemy URL. It must have been migrated; nothing is connected yet.

        Raises SettingsError for a SQLite database in memory, and where PostgreSQL's driver is not installed."""
        writers = 1 if make_url(url).get_backend_name() == "sqlite" else connections.writers
        return Database(
            connect(url, writable=True, connections=connections),
            connect(url, writable=False, connections=connections),
            writers,
            connections.readers,
        )

    async def write(self, work: Callable[[Connection], T], *, bears: bool = True) -> T:
        """What `work` returns, after its transaction is committed to disk. A transaction that has begun goes on when
        the caller is cancelled. Without `bears`, nothing of it changes what anybody concludes: `version` stays. Raises
        StoreUnavailable."""
        return await _in_thread(self._writer, partial(self._write_carrying, bears=bears), work)

    def carry(self, passengers: Passengers | None) -> None:
        """From now on they may board whatever is handed to `write`; only where there `has_one_writer`."""
        self._passengers = passengers

    def _write_carrying(self, work: Callable[[Connection], T], *, bears: bool) -> T:
        passengers = self._passengers
        if passengers is None:
            return self.write_now(work, bears=bears)

        def both(connection: Connection) -> T:
            result = work(connection)
            passengers.board(connection)
            refuse_if_moved(connection)  # it may have taken long, and who boarded came last
            return result

        try:
            result = self.write_now(both, bears=bears)
        except BaseException:
            passengers.strand()
            raise
        passengers.arrive()
        return result

    async def write_one(self, work: Callable[[Connection], T]) -> T:
        """As `write` without `bears`, for work that is one statement on PostgreSQL: it is a transaction by itself, and
        the server need not be told where that begins and ends."""
        return await _in_thread(self._writer, self.write_one_now, work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, of one consistent view of the database. Raises StoreUnavailable."""
        with self.reading():
            return await _in_thread(self._readers, self.read_now, work)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Meanwhile something is read, here or, on our behalf, by a process of its own."""
        self._reads += 1
        try:
            yield
        finally:
            self._reads -= 1

    async def read_alone(self, work: Callable[[Connection], T]) -> T | None:
        """As `read`, between two transactions of the one writer. None, without a try, while something else is read."""
        return await _in_thread(self._writer, self._read_now_alone, work)

    def _read_now_alone(self, work: Callable[[Connection], T]) -> T | None:
        return None if self._reads else self.read_now(work)

    def write_now(self, work: Callable[[Connection], T], *, bears: bool = True) -> T:
        """As `write`, in the calling thread: for the command line and tests."""
        try:
            return _transact(self._writing, work)
        finally:
            self._written += bears

    def write_one_now(self, work: Callable[[Connection], T]) -> T:
        """As `write_one`, in the calling thread."""
        return _transact(self._writing_one, work)

    def read_now(self, work: Callable[[Connection], T]) -> T:
        """As `read`, in the calling thread."""
        return _transact(self._reading, work)

    @property
    def has_one_writer(self) -> bool:
        """Whether this process writes one transaction after another, on one connection."""
        return self._dialect == "sqlite"

    def version(self, connection: Connection) -> Hashable:
        """Of what is stored, in a transaction that writes, where there `has_one_writer`: another one than in an earlier
        transaction if anything was committed in between, by whatever process, that may bear on what is concluded."""
        return self._written, sqlite_version(connection)

    async def close(self) -> None:
        """Finish the transactions handed in, then let go of the database. Later calls raise StoreUnavailable."""
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """As `close`, in the calling thread."""
        self._writer.close()
        self._readers.close()
        self._reading.close()
        self._writing.close()


async def _in_thread(
    threads: Threads, transact: Callable[[Callable[[Connection], T]], T], work: Callable[[Connection], T]
) -> T:
    try:
        done = threads.hand(partial(transact, work))
    except RuntimeError as error:  # they are closed
        raise StoreUnavailable(_DETAIL) from error
    return await done


def _transact(transactions: Transactions, work: Callable[[Connection], T]) -> T:
    """After a fault of the store the connections are given up, so that the next transaction begins with a new one:
    a file that was replaced or was read-only for a while is found again, and so is a server that was restarted."""
    left = TRIES
    while True:
        left -= 1
        try:
            with transactions.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if left and (is_conflict(error) or isinstance(error, SpoiledText)):
                continue
            if isinstance(error, NOT_TAKEN):
                raise
            transactions.give_up()
            raise StoreUnavailable(_DETAIL, damaged=is_damage(error)) from error
        except (NoConnectionLeft, FileMoved) as error:
            transactions.give_up()
            raise StoreUnavailable(_DETAIL) from error


def connect(url: str, *, writable: bool, connections: Connections = USUAL, create: bool = False) -> Engine:
    """An engine whose transactions follow the rules of its kind of database. With `create`, a missing SQLite file is
    made. Raises SettingsError, as `Database.open`."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return sqlite_engine(
            parsed, writable=writable, connections=1 if writable else connections.readers, create=create
        )
    return postgresql_engine(parsed, connections, writable=writable)
