"""Who works on what. On PostgreSQL several processes work at once, and each claims what it takes: it locks rows until
its transaction ends, and leaves to the others what they have locked. SQLite has one writer, who has everything.

Locks are taken in one order, so that nobody waits for somebody who waits for him: what came in, links
(`receiver.storage.links`), streams and sessions, the endpoint, webhooks; among those of a kind by id.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, select

from receiver.diagnosis.values import ENDPOINT
from receiver.storage.bulk import chunks
from receiver.storage.cases import SUBJECT_COLUMNS, Record
from receiver.storage.one_of import one_of
from receiver.storage.tables import SubjectRow, table_of

_subjects = table_of(SubjectRow)
_THESE = _subjects.c.kind == bindparam("kind"), one_of(_subjects.c.id, "ids")
_MINE = select(_subjects).where(*_THESE).order_by(_subjects.c.id).with_for_update(skip_locked=True)
_THERE = select(_subjects.c.id).where(*_THESE)
_LOCK = select(_subjects.c.id).where(*_THESE).order_by(_subjects.c.id).with_for_update()


@dataclass(frozen=True, slots=True)
class Claimed:
    """The subjects of a kind that are ours until the transaction ends, as they are stored, and the ids of those that
    others work on."""

    rows: dict[str, Record] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)


def several_write(connection: Connection) -> bool:
    """Whether other transactions may write while this one is open."""
    return connection.dialect.name != "sqlite"


def claim_subjects(connection: Connection, kind: str, ids: Iterable[str]) -> Claimed:
    """Claim those that are known among `ids`. One that is made meanwhile is a conflict when it is saved."""
    claimed = Claimed()
    for chunk in chunks(sorted(set(ids))):
        for row in connection.execute(_MINE, {"kind": kind, "ids": chunk}):
            claimed.rows[row.id] = dict(zip(SUBJECT_COLUMNS, row, strict=True))
        missing = [subject_id for subject_id in chunk if subject_id not in claimed.rows]
        if missing and several_write(connection):
            claimed.busy.update(connection.execute(_THERE, {"kind": kind, "ids": missing}).scalars())
    return claimed


def lock_senders(connection: Connection, webhook_ids: Iterable[str]) -> None:
    """Have our endpoint and these webhooks to ourselves."""
    lock_subjects(connection, ENDPOINT.kind, [ENDPOINT.id])
    lock_subjects(connection, "webhook", webhook_ids)


def lock_subjects(connection: Connection, kind: str, ids: Iterable[str]) -> None:
    """Have these to ourselves, as soon as others are done with them."""
    if several_write(connection):
        for chunk in chunks(sorted(set(ids))):
            connection.execute(_LOCK, {"kind": kind, "ids": chunk}).all()
