"""The mark on a database that another one is copied into: nobody serves it before the copy is whole, and one copies.

It is a row of `shared_keys`. `copying` stands in it while rows are missing; `copied` until the first process works on
the database, for what is written then a further copy would take away.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Table, delete, insert, inspect, select, update

from receiver.errors import SettingsError
from receiver.storage import nodes
from receiver.storage.pages import stored_tables
from receiver.storage.tables import BookmarkRow, SharedKeyRow, table_of

_NAME: Final = "copy"
_COPYING: Final = "copying"
_COPIED: Final = "copied"
_DIGEST_KEY: Final = "digest_key"
_shared = table_of(SharedKeyRow)
_seeded: Final = frozenset({table_of(BookmarkRow).name})
"""Has rows from the beginning."""
_MINE = _shared.c.name == _NAME

_HALF: Final = (
    "This database is a copy that is not complete: it is not used before it is. Run `receiver db copy` again, with the"
    " service that it is copied from stopped."
)
_SERVED: Final = "The target is in use by a service. Copy into an empty database."
_OTHER: Final = (
    "The target holds other data than a copy of this source that nobody has used yet, and was left as it is. Copy into"
    " an empty database."
)
_TAKEN: Final = "Another `receiver db copy` has begun to copy into the target: it goes on, this one has stopped."
SAME: Final = "SOURCE and TARGET are the same database."


@dataclass(frozen=True, slots=True)
class Copying:
    """Who copies into a database: `by` stands for the process."""

    by: str

    @property
    def text(self) -> str:
        """What the mark says."""
        return f"{_COPYING} {self.by}"


def must_be_whole(connection: Connection) -> None:
    """Raises SettingsError for a copy that is not complete."""
    if _mark(connection).startswith(_COPYING):
        raise SettingsError(_HALF)


def is_copy(connection: Connection) -> bool:
    """Whether the database, of whatever version, is marked as a copy."""
    return inspect(connection).has_table(_shared.name) and bool(_mark(connection))


def settle(connection: Connection) -> None:
    """Somebody works on the database from now on: it is no mere copy any more. Raises SettingsError for one that is
    not complete."""
    mark = _mark(connection)
    if mark:
        must_be_whole(connection)
        connection.execute(delete(_shared).where(_MINE))


def begin(connection: Connection, copying: Copying, digest_key: str, now_ms: int) -> str:
    """Mark a database that is empty, or a copy of the same installation, with the same digest key, that nobody has used
    yet. Returns the mark that it had. Raises SettingsError for any other."""
    if nodes.in_use(connection, now_ms):
        raise SettingsError(_SERVED)
    mark = _mark(connection)
    if nodes.shared_key(connection, _DIGEST_KEY, digest_key) != digest_key:
        raise SettingsError(_OTHER)
    if not mark and _holds_anything(connection):
        raise SettingsError(_OTHER)
    connection.execute(delete(_shared).where(_MINE))
    connection.execute(insert(_shared).values(name=_NAME, value=copying.text))
    return mark


def is_held(connection: Connection, copying: Copying) -> bool:
    """Whether this is what is being copied into."""
    return _mark(connection) == copying.text


def undo(connection: Connection, copying: Copying, before: str) -> None:
    """Put the mark that was there `before` back in its place: nothing was copied."""
    hold(connection, copying)
    connection.execute(delete(_shared).where(_MINE))
    if before:
        connection.execute(insert(_shared).values(name=_NAME, value=before))


def hold(connection: Connection, copying: Copying) -> None:
    """The copy is still this process's, until the transaction ends. Raises SettingsError."""
    if connection.execute(select(_shared.c.value).where(_MINE).with_for_update()).scalar() != copying.text:
        raise SettingsError(_TAKEN)


def complete(connection: Connection, copying: Copying, now_ms: int) -> None:
    """The copy is whole. Raises SettingsError where it is no longer this process's."""
    hold(connection, copying)
    if nodes.in_use(connection, now_ms):
        raise SettingsError(_SERVED)
    connection.execute(update(_shared).where(_MINE).values(value=_COPIED))


def digest_key_of(connection: Connection) -> str | None:
    """The digest key that the processes on a server share, once there is one."""
    key: str | None = connection.execute(select(_shared.c.value).where(_shared.c.name == _DIGEST_KEY)).scalar()
    return key


def _mark(connection: Connection) -> str:
    return connection.execute(select(_shared.c.value).where(_MINE)).scalar() or ""


def _holds_anything(connection: Connection) -> bool:
    tables = [table for table in stored_tables() if table.name not in _seeded]
    return any(_has_rows(connection, table) for table in tables)


def _has_rows(connection: Connection, table: Table) -> bool:
    return connection.execute(select(*table.primary_key.columns).limit(1)).first() is not None
