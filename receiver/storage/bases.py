"""The states that stand for what was removed (P5), and how far removal has come."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, bindparam, delete, select, update

from receiver.storage.bulk import Row, Rows, chunks
from receiver.storage.one_of import one_of
from receiver.storage.tables import BaseStateRow, BookmarkRow, table_of

BaseRow: TypeAlias = Any
"""A row with (id, position, folded_count, folded)."""
DELIVERIES: Final = "deliveries"
"""The bookmark of the last delivery that the bases of the endpoint and the webhooks stand for."""
BODIES: Final = "bodies"
"""The bookmark of the last signal whose body was looked at to be compressed."""
RECONCILED: Final = "reconciled"
"""The bookmark of when (`_ms`) the sender's own log was last read up to."""
_WORK: Final = "retention"

_bases, _bookmarks = table_of(BaseStateRow), table_of(BookmarkRow)
_OF_KIND: Final = select(_bases.c.id, _bases.c.position, _bases.c.folded_count, _bases.c.folded).where(
    _bases.c.kind == bindparam("kind")
)
_THESE: Final = _OF_KIND.where(one_of(_bases.c.id, "ids"))
_DROP: Final = delete(_bases).where(_bases.c.kind == bindparam("_kind"), _bases.c.id == bindparam("_id"))
_BASES: Final = Rows(_bases)
_BOOKMARK: Final = select(_bookmarks.c.seq).where(_bookmarks.c.name == bindparam("name"))
_MOVE: Final = update(_bookmarks).where(_bookmarks.c.name == bindparam("_name")).values(seq=bindparam("_seq"))


def all_of(connection: Connection, kind: str) -> dict[str, BaseRow]:
    """The bases of a kind of which there are few, by id."""
    return {row.id: row for row in connection.execute(_OF_KIND, {"kind": kind})}


def load(connection: Connection, kind: str, ids: Iterable[str]) -> dict[str, BaseRow]:
    """The bases of those of these subjects that have one, by id."""
    found: dict[str, BaseRow] = {}
    for chunk in chunks(sorted(set(ids))):
        found.update((row.id, row) for row in connection.execute(_THESE, {"kind": kind, "ids": chunk}))
    return found


def save(connection: Connection, rows: Sequence[Row]) -> None:
    """Put whole rows in the place of those that these subjects had."""
    drop(connection, [(row["kind"], row["id"]) for row in rows])
    _BASES.insert_records(connection, rows)


def drop(connection: Connection, subjects: Sequence[tuple[object, object]]) -> None:
    """These subjects (kind, id) have no base any more."""
    if subjects:
        connection.execute(_DROP, [{"_kind": kind, "_id": subject_id} for kind, subject_id in subjects])


def take_turn(connection: Connection) -> bool:
    """Whether the work of removal is ours until the transaction ends; false while another process does it."""
    asked = _BOOKMARK.with_for_update(skip_locked=True)
    return connection.execute(asked, {"name": _WORK}).first() is not None


def last_round_ms(connection: Connection) -> int:
    """When a round of removal last began, 0 for never."""
    return bookmark(connection, _WORK)


def note_round(connection: Connection, now_ms: int) -> None:
    """One begins."""
    move_bookmark(connection, _WORK, now_ms)


def bookmark(connection: Connection, name: str) -> int:
    """How far that work has come."""
    return connection.execute(_BOOKMARK, {"name": name}).scalar() or 0


def move_bookmark(connection: Connection, name: str, seq: int) -> None:
    """It has come so far."""
    connection.execute(_MOVE, {"_name": name, "_seq": seq})
