"""Diagnoses and what they went through."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, select, union_all

from receiver.storage.queries import Found
from receiver.storage.tables import DiagnosisRow, TransitionRow

NOT_RESOLVED = ("open", "acknowledged")
_DIAGNOSIS = (
    DiagnosisRow.seq,
    DiagnosisRow.id,
    DiagnosisRow.condition,
    DiagnosisRow.reason,
    DiagnosisRow.status,
    DiagnosisRow.certainty,
    DiagnosisRow.severity,
    DiagnosisRow.subject_kind,
    DiagnosisRow.subject_id,
    DiagnosisRow.stream_id,
    DiagnosisRow.session_id,
    DiagnosisRow.playback_id,
    DiagnosisRow.message,
    DiagnosisRow.evidence,
    DiagnosisRow.opened_ms,
    DiagnosisRow.updated_ms,
    DiagnosisRow.resolved_ms,
    DiagnosisRow.resolution,
    DiagnosisRow.regressions,
    DiagnosisRow.muted_by,
)


_ALL = (*NOT_RESOLVED, "resolved")
FEW = 1000
"""Diagnoses that changed since a moment: of so many the newest are picked; of more, some are soon met."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which diagnoses; None is any. `changed_from_ms`: opened, changed or resolved then or later."""

    statuses: tuple[str, ...] | None = None
    condition: str | None = None
    reason: str | None = None
    stream_id: str | None = None
    changed_from_ms: int | None = None

    def filters(self) -> list[ColumnElement[bool]]:
        """What the rows must satisfy, but for their status."""
        asked = [
            None if self.condition is None else DiagnosisRow.condition == self.condition,
            None if self.reason is None else DiagnosisRow.reason == self.reason,
            None if self.stream_id is None else DiagnosisRow.stream_id == self.stream_id,
            None if self.changed_from_ms is None else DiagnosisRow.updated_ms >= self.changed_from_ms,
        ]
        return [one for one in asked if one is not None]

    @property
    def is_of_few(self) -> bool:
        """Whether those that satisfy all else are few anyway, or asked for in the order of the table."""
        return self.stream_id is not None or (self.statuses, self.condition, self.reason) == (None, None, None)


def diagnoses(conn: Connection, wanted: Wanted, before: int | None, limit: int) -> Sequence[Found]:
    """At most `limit` diagnoses, newest first; `before` is the `seq` of the last one seen."""
    changed = None if wanted.changed_from_ms is None else _changed(conn, wanted.changed_from_ms)
    seqs = () if changed == [] else conn.execute(_newest(wanted, changed, before).limit(limit)).scalars().all()
    if not seqs:
        return ()
    return conn.execute(select(*_DIAGNOSIS).where(DiagnosisRow.seq.in_(seqs)).order_by(DiagnosisRow.seq.desc())).all()


def _newest(wanted: Wanted, among: Sequence[int] | None, before: int | None) -> Select[Any] | CompoundSelect[Any]:
    """The `seq` of all of them, newest first. Where the index has the status before the `seq`, all statuses that are
    asked for are merged."""
    mine = select(DiagnosisRow.seq).where(*wanted.filters())
    if before is not None:
        mine = mine.where(DiagnosisRow.seq < before)
    if among is not None or wanted.is_of_few:
        these = [] if among is None else [DiagnosisRow.seq.in_(among)]
        these += [] if wanted.statuses is None else [DiagnosisRow.status.in_(wanted.statuses)]
        return mine.where(*these).order_by(DiagnosisRow.seq.desc())
    merged = union_all(*(mine.where(DiagnosisRow.status == status) for status in wanted.statuses or _ALL))
    return merged.order_by(merged.selected_columns.seq.desc())


def _changed(conn: Connection, from_ms: int) -> Sequence[int] | None:
    """Those that were opened, changed or resolved since then; None where they are more than a few."""
    asked = select(DiagnosisRow.seq).where(DiagnosisRow.updated_ms >= from_ms).limit(FEW + 1)
    seqs = conn.execute(asked).scalars().all()
    return seqs if len(seqs) <= FEW else None


def diagnosis(conn: Connection, diagnosis_id: str) -> Found | None:
    """One diagnosis, or None."""
    return conn.execute(select(*_DIAGNOSIS).where(DiagnosisRow.id == diagnosis_id)).first()


def transitions(conn: Connection, diagnosis_id: str) -> Sequence[Found]:
    """What a diagnosis went through, oldest first."""
    asked = select(
        TransitionRow.at_ms, TransitionRow.status, TransitionRow.reason, TransitionRow.certainty, TransitionRow.cause
    )
    return conn.execute(asked.where(TransitionRow.diagnosis_id == diagnosis_id).order_by(TransitionRow.seq)).all()
