"""What one pass of the diagnoser wants written, gathered before any of it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, get_args

from pydantic_core import to_json
from sqlalchemy import Connection

from receiver.diagnoser.adoption import Adopted
from receiver.diagnoser.bounds import USUAL, Bounds
from receiver.diagnoser.case import Case
from receiver.diagnoser.records import Record, diagnosis_of, diagnosis_record, failing_of
from receiver.diagnoser.spoiled import NOTHING_SAID
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.life import Change, Diagnosis, advance
from receiver.diagnosis.values import Condition, ConditionType, Subject
from receiver.ids import IdSource, public_id
from receiver.storage import callers, cases, episodes, history, inquiries
from receiver.storage.inquiries import Wanted

OUTLETS = ("log",)
Key = tuple[str, str]
"""A subject's kind and id."""
_KEY = itemgetter("kind", "id")
_LISTED_BY = ("state", "last_event_ms")
_ALL: frozenset[ConditionType] = frozenset(get_args(ConditionType))


@dataclass(frozen=True, slots=True)
class Belongs:
    """Where a diagnosis is shown, besides at its subject."""

    stream_id: str | None = None
    session_id: str | None = None
    playback_id: str | None = None


@dataclass(slots=True)
class Outcome:
    """Rows to write, in the order of the tables that they go to."""

    ids: IdSource
    now_ms: int
    bounds: Bounds = USUAL
    new_subjects: list[Record] = field(default_factory=list)
    known_subjects: list[Record] = field(default_factory=list)
    begun: list[Record] = field(default_factory=list)
    ended: list[Record] = field(default_factory=list)
    moved: list[Record] = field(default_factory=list)
    new_diagnoses: list[Record] = field(default_factory=list)
    known_diagnoses: list[Record] = field(default_factory=list)
    transitions: list[Record] = field(default_factory=list)
    notices: list[Record] = field(default_factory=list)
    checkpoints: list[Record] = field(default_factory=list)
    adopted: Adopted = field(default_factory=Adopted)
    flagged: set[int] = field(default_factory=set)
    """Signals (by `seq`) that are beyond the horizon."""
    holds_until: dict[Key, str] = field(default_factory=dict)
    """From which position on what is kept of a subject's states no longer holds."""
    hasten: bool = False
    """Whether all are due that a condition is true of: what they are judged in has changed."""
    callers: list[tuple[str, str]] = field(default_factory=list)
    """Webhooks (by id) that may not have told of a stream (by id) before."""
    inquiries: dict[str, Wanted | None] = field(default_factory=dict)
    """What is to be looked at of streams (by id)."""
    told: int = 0
    """How many notices were saved."""
    differing: set[Key] = field(default_factory=set)
    """The subjects of which something else was folded or concluded than was stored."""
    faulty: bool = False
    """Whether a rule failed for any."""

    @property
    def changes_nothing(self) -> bool:
        """Whether all that was put is what is stored already. Of the states kept on the way, it does not tell."""
        subjects, failing = self.new_subjects or self.known_subjects, self.begun or self.ended
        diagnoses = self.new_diagnoses or self.known_diagnoses
        return not (subjects or failing or diagnoses or self.transitions or self.notices)

    def put_folded(self, case: Case) -> None:
        """Write what folding the case has shown of its log."""
        self.flagged |= case.flagged
        if case.holds_until is not None:
            self.holds_until[case.subject.kind, case.subject.id] = case.holds_until

    def put_subject(self, before: Record | None, row: Record) -> None:
        """Write the subject if anything of it has changed."""
        if before is None or any(before[name] != row[name] for name in ("folded", "conditions")):
            self.differing.add((row["kind"], row["id"]))
        if before is None:
            self.new_subjects.append(row)
        elif any(before[name] != value for name, value in row.items()):
            self.known_subjects.append(row)

    def put_failing(self, before: Record | None, row: Record, after: Sequence[Condition]) -> None:
        """Note which conditions have become true of the subject, and which that its row named are no longer. Where it
        names none, any may have been. A stream's stand where it does in lists."""
        was, now = failing_of(before), {condition.type for condition in after if condition.status == "true"}
        over = _ALL if before is not None and before["conditions"] == NOTHING_SAID else was
        self.begun += [_failing(row, name) for name in sorted(now - was)]
        self.ended += [_failing(row, name) for name in sorted(over - now)]
        if before is not None and any(before[name] != row[name] for name in _LISTED_BY):
            self.moved += [_failing(row, name) for name in sorted(now & was)]

    def put_change(self, change: Change, before: Record | None) -> None:
        """Write what became of a diagnosis, and whom to tell. `before` is its row, None for a new one."""
        record = diagnosis_record(change.diagnosis)
        if before is None:
            self.new_diagnoses.append({**record, "seq": self.ids.next()})
        else:
            self.known_diagnoses.append(record)
        if change.notice is None:
            return
        diagnosis = change.diagnosis
        self.transitions.append(
            {
                "seq": self.ids.next(),
                "diagnosis_id": diagnosis.id,
                "at_ms": self.now_ms,
                "status": diagnosis.status,
                "reason": diagnosis.reason,
                "certainty": diagnosis.certainty,
                "cause": change.cause or "",
            }
        )
        self.put_notice(change.notice, _told(diagnosis, change.cause))

    def put_notice(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Have the outlets tell of something, once."""
        seq = self.ids.next()
        known = {name: value for name, value in payload.items() if value is not None}
        self.notices.append({"seq": seq, "at_ms": self.now_ms, "kind": kind, "payload": to_json(known).decode()})

    def save(self, connection: Connection) -> None:
        """Write everything that was put since it was saved last, in a stable order."""
        if self.hasten:
            cases.hasten_failing(connection, self.now_ms)
        self.adopted.save(connection)
        history.flag_beyond_horizon(connection, sorted(self.flagged))
        history.drop_checkpoints_from(connection, self.holds_until)
        cases.save_subjects(connection, sorted(self.new_subjects, key=_KEY), sorted(self.known_subjects, key=_KEY))
        cases.save_failing(connection, self.begun, self.ended, self.moved)
        callers.save(connection, self.callers)
        inquiries.save(connection, self.inquiries)
        history.save_checkpoints(connection, self.checkpoints, self.bounds.checkpoints_kept)
        episodes.save_diagnoses(connection, self.new_diagnoses, self.known_diagnoses)
        episodes.save_transitions(connection, self.transitions)
        episodes.put_notices(connection, self.notices, OUTLETS)
        self.told += len(self.notices)
        for written in (self.new_subjects, self.known_subjects, self.begun, self.ended, self.checkpoints):
            written.clear()
        self.hasten = False
        self.flagged.clear()
        self.holds_until.clear()
        self.moved.clear()
        self.callers.clear()
        self.inquiries.clear()
        for written in (self.new_diagnoses, self.known_diagnoses, self.transitions, self.notices):
            written.clear()


def _failing(row: Record, condition: str) -> Record:
    listed = {name: row[name] if row["kind"] == "stream" else None for name in _LISTED_BY}
    return {"kind": row["kind"], "id": row["id"], "condition": condition, **listed}


def follow(
    connection: Connection,
    outcome: Outcome,
    subject: Subject,
    condition: Condition,
    belongs: Belongs,
    unresolved: Mapping[episodes.Fingerprint, Record],
) -> None:
    """Carry the diagnosis of this fingerprint on to what the condition says now."""
    fingerprint = (subject.kind, subject.id, condition.type)
    before = unresolved.get(fingerprint)
    if before is None and condition.status != "true":
        return
    before = before or episodes.latest(connection, fingerprint)
    current = None if before is None else diagnosis_of(before)
    change = advance(current, subject, condition, outcome.now_ms, public_id("dg", outcome.ids.next()))
    if change is None and current is not None and current.status != "resolved":
        change = Change(current, None, None)
    if change is None:
        return
    placed = _placed(change.diagnosis, belongs)
    if placed == current:
        return
    again = before if before is not None and before["id"] == placed.id else None
    outcome.put_change(Change(placed, change.notice, change.cause), again)


def _placed(diagnosis: Diagnosis, belongs: Belongs) -> Diagnosis:
    return replace(
        diagnosis,
        stream_id=belongs.stream_id or diagnosis.stream_id,
        session_id=belongs.session_id or diagnosis.session_id,
        playback_id=belongs.playback_id or diagnosis.playback_id,
    )


def _told(diagnosis: Diagnosis, cause: str | None) -> Mapping[str, Any]:
    """What a notice says of a diagnosis, and what made it change where its message does not say so."""
    return {
        "diagnosis_id": diagnosis.id,
        "condition": diagnosis.condition,
        "reason": diagnosis.reason,
        "status": diagnosis.status,
        "certainty": diagnosis.certainty,
        "severity": diagnosis.severity,
        "subject_kind": diagnosis.subject.kind,
        "subject_id": diagnosis.subject.id,
        "stream_id": diagnosis.stream_id,
        "session_id": diagnosis.session_id,
        "playback_id": diagnosis.playback_id,
        "webhook_id": diagnosis.subject.id if diagnosis.subject.kind == "webhook" else None,
        "message": diagnosis.message,
        "cause": None if cause is None or cause.endswith(diagnosis.message) else cause,
        "since_ms": diagnosis.since_ms,
        "resolution": diagnosis.resolution,
        "regressions": diagnosis.regressions,
        "muted_by": diagnosis.muted_by,
    }
