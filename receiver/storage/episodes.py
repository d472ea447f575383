"""Diagnoses, their transitions, and the outbox that tells of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, RowMapping, bindparam, delete, select, update

from receiver.storage.bulk import Bulk, Rows, chunks
from receiver.storage.one_of import one_of
from receiver.storage.tables import DiagnosisRow, OutboxDueRow, OutboxRow, TransitionRow, table_of

Record: TypeAlias = Mapping[str, Any]
Fingerprint: TypeAlias = tuple[str, str, str]
"""Of a diagnosis: its subject's kind and id, and its condition."""
UNRESOLVED = ("open", "acknowledged")

_diagnoses, _transitions = table_of(DiagnosisRow), table_of(TransitionRow)
_outbox, _due = table_of(OutboxRow), table_of(OutboxDueRow)

_OF_SUBJECTS = select(_diagnoses).where(
    _diagnoses.c.subject_kind == bindparam("kind"),
    one_of(_diagnoses.c.subject_id, "ids"),
    _diagnoses.c.status.in_(UNRESOLVED),
)
_LATEST = (
    select(_diagnoses)
    .where(*(_diagnoses.c[name] == bindparam(name) for name in ("subject_kind", "subject_id", "condition")))
    .order_by(_diagnoses.c.seq.desc())
    .limit(1)
)
_DIAGNOSES = Rows(_diagnoses)
_UPDATE_DIAGNOSIS = Bulk(
    update(_diagnoses)
    .where(_diagnoses.c.id == bindparam("_id"))
    .values({c.name: bindparam(c.name) for c in _diagnoses.c if c.name not in {"id", "seq"}})
)
_TRANSITIONS = Rows(_transitions)
_NOTICES, _NOTICES_DUE = Rows(_outbox), Rows(_due)
_DUE = (
    select(_outbox)
    .join(_due, _due.c.seq == _outbox.c.seq)
    .where(_due.c.outlet == bindparam("outlet"))
    .order_by(_due.c.seq)
    .limit(bindparam("most"))
)
_CLAIMED_DUE = _DUE.with_for_update(of=_due, skip_locked=True)
_TOLD = delete(_due).where(_due.c.outlet == bindparam("outlet"), one_of(_due.c.seq, "seqs"))


def unresolved(connection: Connection, subjects: Iterable[tuple[str, str]]) -> dict[Fingerprint, Record]:
    """The diagnoses of these subjects (kind, id) that are not resolved."""
    ids: dict[str, set[str]] = defaultdict(set)
    for kind, subject_id in subjects:
        ids[kind].add(subject_id)
    found: dict[Fingerprint, Record] = {}
    for kind in sorted(ids):
        for chunk in chunks(sorted(ids[kind])):
            for row in connection.execute(_OF_SUBJECTS, {"kind": kind, "ids": chunk}).mappings():
                found[row["subject_kind"], row["subject_id"], row["condition"]] = dict(row)
    return found


def latest(connection: Connection, fingerprint: Fingerprint) -> Record | None:
    """The newest diagnosis of a fingerprint."""
    asked = dict(zip(("subject_kind", "subject_id", "condition"), fingerprint, strict=True))
    return _record(connection.execute(_LATEST, asked).mappings().first())


def by_id(connection: Connection, diagnosis_id: str) -> Record | None:
    """The diagnosis with that public id."""
    return _record(connection.execute(select(_diagnoses).where(_diagnoses.c.id == diagnosis_id)).mappings().first())


def save_diagnoses(connection: Connection, new: Sequence[Record], known: Sequence[Record]) -> None:
    """Write whole rows: those that are new, and those that are known already (found by `id`)."""
    _DIAGNOSES.insert_records(connection, new)
    _UPDATE_DIAGNOSIS.run(connection, [{**row, "_id": row["id"]} for row in known])


def save_transitions(connection: Connection, rows: Sequence[Record]) -> None:
    """Append to the histories."""
    _TRANSITIONS.insert_records(connection, rows)


def put_notices(connection: Connection, rows: Sequence[Record], outlets: Sequence[str]) -> None:
    """Write what must be told, and to whom, with the conclusion that it tells of (P7)."""
    _NOTICES.insert_records(connection, rows)
    _NOTICES_DUE.insert(connection, [(outlet, row["seq"]) for outlet in outlets for row in rows])


def due_notices(connection: Connection, outlet: str, most: int) -> list[Record]:
    """What that outlet has yet to tell, oldest first."""
    return [dict(row) for row in connection.execute(_DUE, {"outlet": outlet, "most": most}).mappings()]


def claim_notices(connection: Connection, outlet: str, most: int) -> list[Record]:
    """What that outlet has yet to tell, and no other process is telling."""
    return [dict(row) for row in connection.execute(_CLAIMED_DUE, {"outlet": outlet, "most": most}).mappings()]


def told(connection: Connection, outlet: str, seqs: Sequence[int]) -> None:
    """That outlet has told these."""
    for chunk in chunks(seqs):
        connection.execute(_TOLD, {"outlet": outlet, "seqs": chunk})


def _record(row: RowMapping | None) -> Record | None:
    return None if row is None else dict(row)
