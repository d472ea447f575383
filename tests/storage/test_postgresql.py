"""What is special about PostgreSQL, against a real server."""

import threading
from collections.abc import Iterator
from itertools import count

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from receiver.errors import StoreUnavailable
from receiver.storage.connections import Connections
from receiver.storage.engine import TRIES, Database
from tests.postgres import Postgres, postgres

INSERT = text("INSERT INTO coverage (seq, from_ms, until_ms) VALUES (:seq, 1, 2)")
COUNT = text("SELECT count(*) FROM coverage")
HASTY = Connections(statement_timeout_s=0.2, lock_timeout_s=0.1)


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    """An empty database that is patient."""
    opened = Database.open(postgres_url)
    yield opened
    opened.close_now()


@pytest.fixture
def hasty(postgres_url: str) -> Iterator[Database]:
    """The same database, which gives up soon."""
    opened = Database.open(postgres_url, HASTY)
    yield opened
    opened.close_now()


def shown(connection: Connection, *names: str) -> list[str]:
    """What the server is set to."""
    return [str(connection.exec_driver_sql(f"SHOW {name}").scalar_one()) for name in names]


def test_times_are_set_for_each_connection(hasty: Database) -> None:
    """Those that write and those that read have them; a transaction that is left open is ended as well."""
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_isolation")
    assert ["200ms", "100ms", "200ms", "read committed"] == hasty.write_now(lambda c: shown(c, *names))
    assert ["200ms", "100ms", "200ms", "repeatable read"] == hasty.read_now(lambda c: shown(c, *names))


@pytest.mark.parametrize(("server", "ours"), [("off", "on"), ("on", "on"), ("remote_apply", "remote_apply")])
def test_a_commit_is_on_disk(postgres_server: Postgres, postgres_url: str, server: str, ours: str) -> None:
    """Whatever the server's own setting; a stronger one is left as it is (P1)."""
    name = postgres_url.rpartition("/")[2]
    postgres_server.execute(f"ALTER DATABASE {{}} SET synchronous_commit = {server}", name)
    database = Database.open(postgres_url)
    assert [ours] == database.write_now(lambda c: shown(c, "synchronous_commit"))
    database.close_now()


def test_a_statement_that_takes_too_long_is_given_up(hasty: Database) -> None:
    """The store counts as unavailable, and can be used at once."""
    with pytest.raises(StoreUnavailable):
        hasty.write_now(lambda c: c.exec_driver_sql("SELECT pg_sleep(0.9)"))
    assert 0 == hasty.write_now(lambda c: c.execute(COUNT).scalar_one())


def test_a_lock_that_is_not_had_in_time_is_given_up(database: Database, hasty: Database) -> None:
    """Nothing of the transaction is stored."""

    def both(connection: Connection) -> None:
        connection.execute(INSERT, {"seq": 1})
        connection.exec_driver_sql("LOCK TABLE places")

    def locked(connection: Connection) -> None:
        connection.exec_driver_sql("LOCK TABLE places")
        with pytest.raises(StoreUnavailable):
            hasty.write_now(both)

    database.write_now(locked)
    assert 0 == database.read_now(lambda c: c.execute(COUNT).scalar_one())


def test_work_that_another_was_ahead_of_is_done_again(database: Database) -> None:
    """A key that is there already may be another process's: the next try sees it."""
    tries = count(1)

    def work(connection: Connection) -> int:
        number = next(tries)
        connection.execute(INSERT, {"seq": min(number, 3)})
        if number < 3:
            connection.execute(INSERT, {"seq": number})
        return number

    assert 3 == database.write_now(work)
    assert 1 == database.read_now(lambda c: c.execute(COUNT).scalar_one())


def test_a_key_that_is_always_there_is_told(database: Database) -> None:
    """It is no other process that was ahead."""
    tries = count()

    def work(connection: Connection) -> None:
        next(tries)
        connection.execute(INSERT, {"seq": 1})
        connection.execute(INSERT, {"seq": 1})

    with pytest.raises(IntegrityError):
        database.write_now(work)
    assert TRIES == next(tries)


def test_one_statement_is_a_transaction(database: Database) -> None:
    """It is there for others as soon as it is answered; what follows on the same connection is a transaction again."""

    def work(connection: Connection) -> int:
        connection.execute(INSERT, {"seq": 1})
        return int(database.read_now(lambda c: c.execute(COUNT).scalar_one()))

    assert 1 == database.write_one_now(work)
    with pytest.raises(IntegrityError):
        database.write_now(lambda c: [c.execute(INSERT, {"seq": seq}) for seq in (2, 1)])
    assert 1 == database.read_now(lambda c: c.execute(COUNT).scalar_one())


def test_one_statement_that_another_was_ahead_of_is_done_again(database: Database) -> None:
    """As any work is."""
    tries = count(1)
    database.write_now(lambda c: c.execute(INSERT, {"seq": 1}))
    database.write_one_now(lambda c: c.execute(INSERT, {"seq": max(next(tries) - 1, 1)}))
    assert (4, 2) == (next(tries), database.read_now(lambda c: c.execute(COUNT).scalar_one()))


def test_a_deadlock_ends_with_both_done(database: Database) -> None:
    """Of two transactions that wait for each other one is given up by the server, and done again."""
    database.write_now(lambda c: [c.execute(INSERT, {"seq": seq}) for seq in (1, 2)])
    met = threading.Barrier(2, timeout=10)
    took = text("UPDATE coverage SET until_ms = until_ms + 1 WHERE seq = :seq")

    def take(first: int, second: int) -> None:
        tries = count()

        def work(connection: Connection) -> None:
            connection.execute(text("SET LOCAL deadlock_timeout = '10ms'"))
            connection.execute(took, {"seq": first})
            if next(tries) == 0:
                met.wait()
            connection.execute(took, {"seq": second})

        database.write_now(work)

    threads = [threading.Thread(target=take, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until = database.read_now(lambda c: c.execute(text("SELECT until_ms FROM coverage ORDER BY seq")).scalars().all())
    assert [4, 4] == until


def test_writers_write_at_once(database: Database) -> None:
    """One transaction does not wait for another that is still open."""

    def outer(connection: Connection) -> int:
        connection.execute(INSERT, {"seq": 1})
        database.write_now(lambda c: c.execute(INSERT, {"seq": 2}))
        return int(connection.execute(COUNT).scalar_one())

    assert 2 == database.write_now(outer)


def test_text_is_compared_as_python_does(database: Database) -> None:
    """Byte by byte, in every column, whatever language the server speaks."""
    columns = text(
        "SELECT c.table_name || '.' || c.column_name FROM information_schema.columns c WHERE c.table_schema = 'public'"
        " AND c.data_type IN ('text', 'character varying') AND c.collation_name IS DISTINCT FROM 'C'"
        " AND c.table_name <> 'alembic_version'"
    )
    assert [] == database.read_now(lambda c: c.execute(columns).scalars().all())


def test_a_server_that_comes_back_is_found_again() -> None:
    """What is asked of it while it is away is refused; then all goes on, with nothing lost."""
    with postgres() as server:
        database = Database.open(server.url().replace("postgresql:", "postgresql+psycopg:"))
        database.write_now(lambda c: c.exec_driver_sql("CREATE TABLE kept (n int)"))
        database.write_now(lambda c: c.exec_driver_sql("INSERT INTO kept VALUES (1)"))
        server.stop()
        with pytest.raises(StoreUnavailable):
            database.write_now(lambda c: c.exec_driver_sql("INSERT INTO kept VALUES (2)"))
        server.start()
        database.write_now(lambda c: c.exec_driver_sql("INSERT INTO kept VALUES (3)"))
        kept = database.read_now(lambda c: c.exec_driver_sql("SELECT n FROM kept ORDER BY n").scalars().all())
        database.close_now()
    assert [1, 3] == kept
