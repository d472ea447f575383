"""What is special about PostgreSQL: many processes write at once, over a network.

Only its wire protocol and SQL that its relatives speak too: see "Scaling" in README.md for what was checked.
"""

from importlib.util import find_spec
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from receiver.errors import SettingsError
from receiver.storage.connections import Connections

CONNECT_WITHIN_S: Final = 5
WAIT_FOR_CONNECTION_S: Final = 5
_NETWORK: Final = {
    "connect_timeout": CONNECT_WITHIN_S,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "application_name": "receiver",
}
"""A server that is gone, or cut off, is noticed within these times (seconds; `tcp_user_timeout` in milliseconds).
libpq's names; what the URL says of them wins."""
_NO_DRIVER: Final = (
    "RECEIVER_DATABASE_URL: PostgreSQL needs a driver that is not installed; install the receiver with its extra"
    " `postgres`, or psycopg: pip install 'psycopg[binary]'"
)
_CONFLICTS: Final = frozenset({"40001", "40P01", "23505"})
"""SQLSTATEs that say that another transaction was first: a serialization failure, a deadlock, a key that is there
already. The same work, done again, finds what the other has written."""


def postgresql_engine(url: URL, connections: Connections, *, writable: bool) -> Engine:
    """An engine on a PostgreSQL server; nothing is connected yet. What only reads has one consistent view in each
    transaction. Raises SettingsError where the driver is not installed."""
    if find_spec("psycopg") is None:
        raise SettingsError(_NO_DRIVER)
    engine = create_engine(
        url,
        connect_args={name: value for name, value in _NETWORK.items() if name not in url.query},
        pool_size=connections.writers if writable else connections.readers,
        max_overflow=0,
        pool_timeout=WAIT_FOR_CONNECTION_S,
        **({} if writable else _READING),
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, record: object) -> None:  # noqa: ANN401, ARG001 -- SQLAlchemy's signature
        try:
            _rule(connection, connections)
        except BaseException:
            connection.close()  # nobody else knows of it yet
            raise

    return engine


def each_statement_alone(engine: Engine) -> Engine:
    """The same connections, of which each statement is a transaction: on disk when it is answered."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


_READING: Final[dict[str, Any]] = {
    "isolation_level": "REPEATABLE READ",
    "execution_options": {"postgresql_readonly": True},
}


def _rule(connection: Any, connections: Connections) -> None:  # noqa: ANN401 -- the driver's
    """Set the times within which a statement is done and a lock is had, or given up. `synchronous_commit` may be
    stronger than `on`, never off: an answer 2xx means that the event is on disk (P1)."""
    statement_ms, lock_ms = round(connections.statement_timeout_s * 1000), round(connections.lock_timeout_s * 1000)
    connection.autocommit = True
    connection.execute(f"SET statement_timeout = {statement_ms}")
    connection.execute(f"SET lock_timeout = {lock_ms}")
    connection.execute(f"SET idle_in_transaction_session_timeout = {statement_ms}")
    if connection.execute("SHOW synchronous_commit").fetchone()[0] == "off":
        connection.execute("SET synchronous_commit = on")
    connection.autocommit = False


def is_conflict(error: DBAPIError) -> bool:
    """Whether the work failed only because another transaction was first, and is to be done again."""
    return getattr(error.orig, "sqlstate", None) in _CONFLICTS
