"""What was concluded, as far as it must not depend on how the signals came (P4), and how two stores differ in it.

Compared are the state and every condition of each stream and session, which events each webhook is known to miss, and
the diagnoses that are not resolved: subject, reason, status, certainty, severity, `since`, evidence, and what mutes
them. When they were opened, how often they came back and what was told of them on the way is history, which P4 leaves
free. The ids of observations are made by who takes them in: evidence names them by their kind and time instead.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from receiver.diagnoser.records import conditions_of, diagnosis_of
from receiver.diagnosis.catalogue import CATALOGUE
from receiver.diagnosis.life import Diagnosis
from receiver.diagnosis.values import Condition, Evidence
from tests.soak.lives import Cause, Life
from tests.soak.stored import Stored

QUOTED: Final = 160
"""Letters that are shown of a folded state."""
Conclusions: TypeAlias = Mapping[tuple[str, ...], Any]
_OF_SUBJECTS = ("stream_id", "playback_id", "name", "state", "state_since_ms", "record", "recording_url", "fault")


def conclusions(stored: Stored) -> Conclusions:
    """Everything that must come out alike, by what it is about."""
    found: dict[tuple[str, ...], Any] = {}
    for row in stored.subjects:
        conditions = {condition.type: _shown(condition) for condition in conditions_of(row)}
        if row["kind"] in {"stream", "session"}:
            found[row["kind"], row["id"]] = {name: row[name] for name in _OF_SUBJECTS} | conditions
        elif row["kind"] == "webhook":
            found[row["kind"], row["id"]] = {
                name: shown for name, shown in conditions.items() if shown["reason"] == "EventsMissing"
            }
    for row in stored.diagnoses:
        if row["status"] != "resolved":
            diagnosis = diagnosis_of(row)
            found["diagnosis", *_fingerprint(diagnosis)] = _shown_diagnosis(diagnosis)
    return found


def differences(disturbed: Conclusions, calm: Conclusions) -> Iterator[str]:
    """What is said of the same thing in two ways."""
    for about in sorted(disturbed.keys() | calm.keys()):
        here, there = disturbed.get(about, {}), calm.get(about, {})
        for name in sorted(here.keys() | there.keys()):
            if here.get(name) != there.get(name):
                yield f"{about} {name}: {here.get(name)} where a calm run has {there.get(name)}"


def untold(told: list[Life], stored: Stored) -> Iterator[str]:
    """Lives of which something else was diagnosed than what happened in them. What was once taken for missing, and came
    after all, is history: it must be resolved, and rest on absence."""
    found: dict[str, dict[Cause, bool]] = {}
    for row in stored.diagnoses:
        cause = row["condition"], row["reason"], row["severity"]
        found.setdefault(row["stream_id"], {})[cause] = row["status"] == "resolved"
    for life in told:
        mine = found.get(life.stream_id, {})
        for cause in sorted(life.causes - mine.keys()):
            yield f"{life.stream_id} ({life.kind}) was never diagnosed as {cause}, but as {sorted(mine)}"
        for cause in sorted(mine.keys() - life.causes):
            if not (mine[cause] and _rests_on_absence(cause)):
                yield f"{life.stream_id} ({life.kind}) was diagnosed as {cause}"


def premature(told: list[Life], stored: Stored) -> int:
    """How many diagnoses there are of what was taken for missing and came after all."""
    causes = {life.stream_id: life.causes for life in told}
    return sum(
        (row["condition"], row["reason"], row["severity"]) not in causes.get(row["stream_id"], frozenset())
        for row in stored.diagnoses
    )


def refolded(before: Stored, after: Stored) -> Iterator[str]:
    """The subjects whose folded state is another text, from where the two part."""
    known = {(row["kind"], row["id"]): row["folded"] or "" for row in before.subjects}
    for row in after.subjects:
        was, now = known.get((row["kind"], row["id"]), ""), row["folded"] or ""
        if was != now:
            alike = next((i for i, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), min(len(was), len(now)))
            start = max(alike - QUOTED // 2, 0)
            yield f"{row['kind']} {row['id']}: …{was[start : start + QUOTED]}… became …{now[start : start + QUOTED]}…"


def _rests_on_absence(cause: Cause) -> bool:
    condition, reason, _ = cause
    reasons = next(entry.reasons for name, entry in CATALOGUE.items() if name == condition)
    return reasons[reason].absence


def _fingerprint(diagnosis: Diagnosis) -> tuple[str, str, str]:
    return diagnosis.subject.kind, diagnosis.subject.id, diagnosis.condition


def _shown(condition: Condition) -> dict[str, Any]:
    return {
        "status": condition.status,
        "reason": condition.reason,
        "certainty": condition.certainty,
        "severity": condition.severity,
        "since_ms": condition.since_ms,
        "message": condition.message,
        "evidence": [_named(item) for item in condition.evidence],
        "muted_by": condition.muted_by,
    }


def _shown_diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "reason": diagnosis.reason,
        "status": diagnosis.status,
        "certainty": diagnosis.certainty,
        "severity": diagnosis.severity,
        "since_ms": diagnosis.since_ms,
        "message": diagnosis.message,
        "stream_id": diagnosis.stream_id,
        "session_id": diagnosis.session_id,
        "evidence": [_named(item) for item in diagnosis.evidence],
        "muted_by": diagnosis.muted_by,
    }


def _named(item: Evidence) -> tuple[str, str, int]:
    return item.kind, "" if item.kind.startswith("observation.") else item.id, item.at_ms
