"""Diagnoses and what they went through."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, select

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


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which diagnoses; None is any. `changed_from_ms`: opened, changed or resolved then or later."""

    statuses: tuple[str, ...] | None = None
    condition: str | None = None
    reason: str | None = None
    stream_id: str | None = None
    changed_from_ms: int | None = None

    def filters(self) -> list[ColumnElement[bool]]:
        """What the rows must satisfy."""
        asked = [
            None if self.statuses is None else DiagnosisRow.status.in_(self.statuses),
            None if self.condition is None else DiagnosisRow.condition == self.condition,
            None if self.reason is None else DiagnosisRow.reason == self.reason,
            None if self.stream_id is None else DiagnosisRow.stream_id == self.stream_id,
            None if self.changed_from_ms is None else DiagnosisRow.updated_ms >= self.changed_from_ms,
        ]
        return [one for one in asked if one is not None]


def diagnoses(conn: Connection, wanted: Wanted, before: int | None, limit: int) -> Sequence[Found]:
    """At most `limit` diagnoses, newest first; `before` is the `seq` of the last one seen."""
    asked = select(*_DIAGNOSIS).where(*wanted.filters())
    if before is not None:
        asked = asked.where(DiagnosisRow.seq < before)
    return conn.execute(asked.order_by(DiagnosisRow.seq.desc()).limit(limit)).all()


def diagnosis(conn: Connection, diagnosis_id: str) -> Found | None:
    """One diagnosis, or None."""
    return conn.execute(select(*_DIAGNOSIS).where(DiagnosisRow.id == diagnosis_id)).first()


def transitions(conn: Connection, diagnosis_id: str) -> Sequence[Found]:
    """What a diagnosis went through, oldest first."""
    asked = select(
        TransitionRow.at_ms, TransitionRow.status, TransitionRow.reason, TransitionRow.certainty, TransitionRow.cause
    )
    return conn.execute(asked.where(TransitionRow.diagnosis_id == diagnosis_id).order_by(TransitionRow.seq)).all()
