"""The life of a diagnosis: open, perhaps acknowledged, resolved; the same thing failing again within a day is a
regression of the same diagnosis (DESIGN 5)."""

from typing import Literal, TypeAlias

from msgspec import Struct

from receiver.diagnosis.catalogue import CATALOGUE, reason_entry
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.values import Certainty, Condition, ConditionType, Evidence, Severity, Subject

DiagnosisStatus: TypeAlias = Literal["open", "acknowledged", "resolved"]
Resolution: TypeAlias = Literal["recovered", "late_delivery", "expired", "manual"]
Notice: TypeAlias = Literal["diagnosis.opened", "diagnosis.changed", "diagnosis.resolved"]

REGRESSION_WITHIN_MS = 86_400_000


class Diagnosis(Struct, frozen=True, gc=False):
    """An episode during which `condition` is true of `subject`. `since_ms` is the condition's."""

    id: str
    subject: Subject
    condition: ConditionType
    reason: str
    status: DiagnosisStatus
    certainty: Certainty | None
    severity: Severity
    message: str
    evidence: tuple[Evidence, ...]
    since_ms: int
    opened_ms: int
    updated_ms: int
    stream_id: str | None = None
    session_id: str | None = None
    playback_id: str | None = None
    resolved_ms: int | None = None
    resolution: Resolution | None = None
    regressions: int = 0
    muted_by: str | None = None


class Change(Struct, frozen=True, gc=False):
    """A diagnosis after something happened to it. `notice` and `cause` are None where nobody need be told: the
    same failure, its evidence grown."""

    diagnosis: Diagnosis
    notice: Notice | None
    cause: str | None


def advance(
    current: Diagnosis | None, subject: Subject, condition: Condition, now_ms: int, new_id: str
) -> Change | None:
    """What a condition, as it stands now, makes of the last diagnosis of the same fingerprint; None for no change.
    `new_id` is used where a new one is opened."""
    if condition.status != "true":
        return _resolved(current, condition, now_ms)
    if current is None or current.status == "resolved":
        return _opened(current, subject, condition, now_ms, new_id)
    return _changed(current, condition, now_ms)


def acknowledge(diagnosis: Diagnosis, now_ms: int, caller: str) -> Change | None:
    """Somebody has seen it; None where it is not open."""
    if diagnosis.status != "open":
        return None
    after = replace(diagnosis, status="acknowledged", updated_ms=now_ms)
    return Change(after, "diagnosis.changed", f"Acknowledged by {caller}.")


def resolve(diagnosis: Diagnosis, now_ms: int, caller: str) -> Change | None:
    """Somebody says that it is over; None where it is already."""
    if diagnosis.status == "resolved":
        return None
    after = replace(diagnosis, status="resolved", resolution="manual", resolved_ms=now_ms, updated_ms=now_ms)
    return Change(after, "diagnosis.resolved", f"Resolved by {caller}.")


def _opened(
    before: Diagnosis | None, subject: Subject, condition: Condition, now_ms: int, new_id: str
) -> Change | None:
    since_ms = condition.since_ms or 0
    if before is not None and _said_to_be_over(before, condition):
        return None
    fresh = _with(
        Diagnosis(
            id=new_id, subject=subject, condition=condition.type, reason=condition.reason, status="open",
            certainty=condition.certainty, severity=condition.severity, message="", evidence=(), since_ms=since_ms,
            opened_ms=now_ms, updated_ms=now_ms,
        ),
        condition, now_ms,
    )  # fmt: skip
    if before is None or before.resolved_ms is None or now_ms - before.resolved_ms > REGRESSION_WITHIN_MS:
        return Change(fresh, "diagnosis.opened", condition.message)
    again = replace(fresh, id=before.id, opened_ms=before.opened_ms, regressions=before.regressions + 1)
    return Change(again, "diagnosis.opened", f"Again: {condition.message}")


def _said_to_be_over(before: Diagnosis, condition: Condition) -> bool:
    """Whether somebody resolved this very failure, and nothing new has been heard of it since."""
    same = before.resolution == "manual" and before.since_ms == (condition.since_ms or 0)
    return same and (condition.observed_at_ms or 0) <= (before.resolved_ms or 0)


def _changed(current: Diagnosis, condition: Condition, now_ms: int) -> Change | None:
    after = _with(current, condition, current.updated_ms)
    if after == current:
        return None
    after = replace(after, updated_ms=now_ms)
    told = (current.reason, current.certainty, current.severity, current.muted_by)
    if told == (after.reason, after.certainty, after.severity, after.muted_by):
        return Change(after, None, None)
    return Change(after, "diagnosis.changed", condition.message)


def _with(diagnosis: Diagnosis, condition: Condition, updated_ms: int) -> Diagnosis:
    return replace(
        diagnosis,
        reason=condition.reason,
        certainty=condition.certainty,
        severity=condition.severity,
        message=condition.message,
        evidence=condition.evidence,
        since_ms=condition.since_ms or 0,
        muted_by=condition.muted_by,
        updated_ms=updated_ms,
    )


def _resolved(current: Diagnosis | None, condition: Condition, now_ms: int) -> Change | None:
    if current is None or current.status == "resolved":
        return None
    after = replace(
        current,
        status="resolved",
        resolution=_resolution(current, condition),
        resolved_ms=now_ms,
        updated_ms=now_ms,
        muted_by=None,
    )
    return Change(after, "diagnosis.resolved", condition.message)


def _resolution(current: Diagnosis, condition: Condition) -> Resolution:
    """Silence that is broken by what had happened before we complained of it was a late delivery."""
    if reason_entry(condition.type, condition.reason).kind == "expired":
        return "expired"
    known = CATALOGUE[current.condition].reasons.get(current.reason)
    if known is None or not known.absence:
        return "recovered"
    told_ms = max((item.at_ms for item in condition.evidence), default=condition.since_ms)
    return "late_delivery" if told_ms is not None and told_ms <= current.since_ms else "recovered"
