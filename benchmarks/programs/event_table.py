"""The table of those that use SQLAlchemy, and the settings under which SQLite keeps what it has committed."""

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry


class Base(DeclarativeBase):
    """What the tables have in common."""


class Event(Base):
    """An event as it came."""

    __tablename__ = "events"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    created_ms: Mapped[int]
    body: Mapped[bytes]


def make_durable(engine: Engine) -> None:
    """What is committed is on disk, on each connection of this engine."""

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()
