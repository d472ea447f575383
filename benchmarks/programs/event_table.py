"""The table of those that use SQLAlchemy."""

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """What the tables have in common."""


class Event(Base):
    """An event as it came."""

    __tablename__ = "events"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    created_ms: Mapped[int]
    body: Mapped[bytes]
