"""Diagnoses, their transitions, and the outbox that tells of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update

from receiver.storage.cases import CHUNK
from receiver.storage.tables import DiagnosisRow, OutboxDueRow, OutboxRow, TransitionRow, table_of

Record: TypeAlias = Mapping[str, Any]
UNRESOLVED = ("open", "acknowledged")

_diagnoses, _transitions = table_of(DiagnosisRow), table_of(TransitionRow)
_outbox, _due = table_of(OutboxRow), table_of(OutboxDueRow)

_UPDATE_DIAGNOSIS = (
    update(_diagnoses)
    .where(_diagnoses.c.id == bindparam("_id"))
    .values({c.name: bindparam(c.name) for c in _diagnoses.c if c.name not in {"id", "seq"}})
)


def unresolved(connection: Connection, subject_ids: Iterable[str]) -> list[Record]:
    """The diagnoses of these subjects, of whatever kind, that are not resolved."""
    ids = sorted(set(subject_ids))
    found: list[Record] = []
    for start in range(0, len(ids), CHUNK):
        query = select(_diagnoses).where(
            _diagnoses.c.status.in_(UNRESOLVED), _diagnoses.c.subject_id.in_(ids[start : start + CHUNK])
        )
        found.extend(dict(row) for row in connection.execute(query).mappings())
    return found


def latest(connection: Connection, subject_kind: str, subject_id: str, condition: str) -> Record | None:
    """The newest diagnosis of a fingerprint."""
    query = (
        select(_diagnoses)
        .where(
            _diagnoses.c.subject_kind == subject_kind,
            _diagnoses.c.subject_id == subject_id,
            _diagnoses.c.condition == condition,
        )
        .order_by(_diagnoses.c.seq.desc())
        .limit(1)
    )
    return _record(connection.execute(query).mappings().first())


def by_id(connection: Connection, diagnosis_id: str) -> Record | None:
    """The diagnosis with that public id."""
    return _record(connection.execute(select(_diagnoses).where(_diagnoses.c.id == diagnosis_id)).mappings().first())


def save_diagnoses(connection: Connection, new: Sequence[Record], known: Sequence[Record]) -> None:
    """Write whole rows: those that are new, and those that are known already (found by `id`)."""
    if new:
        connection.execute(insert(_diagnoses), [dict(row) for row in new])
    if known:
        connection.execute(_UPDATE_DIAGNOSIS, [{**row, "_id": row["id"]} for row in known])


def save_transitions(connection: Connection, rows: Sequence[Record]) -> None:
    """Append to the histories."""
    if rows:
        connection.execute(insert(_transitions), [dict(row) for row in rows])


def put_notices(connection: Connection, rows: Sequence[Record], outlets: Sequence[str]) -> None:
    """Write what must be told, and to whom, with the conclusion that it tells of (P7)."""
    if rows:
        connection.execute(insert(_outbox), [dict(row) for row in rows])
        due = [{"outlet": outlet, "seq": row["seq"]} for outlet in outlets for row in rows]
        connection.execute(insert(_due), due)


def due_notices(connection: Connection, outlet: str, most: int) -> list[Record]:
    """What that outlet has yet to tell, oldest first."""
    query = (
        select(_outbox)
        .join(_due, _due.c.seq == _outbox.c.seq)
        .where(_due.c.outlet == outlet)
        .order_by(_due.c.seq)
        .limit(most)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def told(connection: Connection, outlet: str, seqs: Sequence[int]) -> None:
    """That outlet has told these."""
    connection.execute(delete(_due).where(_due.c.outlet == outlet, _due.c.seq.in_(seqs)))


def _record(row: RowMapping | None) -> Record | None:
    return None if row is None else dict(row)
