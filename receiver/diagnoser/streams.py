"""The streams and orphaned sessions in one pass: judge what was folded, compare, put down the difference."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from receiver.diagnoser.case import Case
from receiver.diagnoser.outcome import Belongs, Outcome, follow
from receiver.diagnoser.records import Record, text_of
from receiver.diagnoser.senders import Senders, blank_subject
from receiver.diagnoser.spoiled import NOTHING_SAID, is_spoiled, may_have_failed
from receiver.diagnosis.inquiries import Inquiry, inquiries
from receiver.diagnosis.judging import Diagnosable, Judgement, judge
from receiver.diagnosis.rules.recording import SessionVerdict
from receiver.diagnosis.state import Recording, StreamState
from receiver.diagnosis.values import Subject
from receiver.diagnosis.verdicts import Surroundings, answer
from receiver.storage import episodes
from receiver.storage.inquiries import Wanted

RETRY_AFTER_MS = 60_000
"""A stream whose rule failed is tried again after a minute."""


@dataclass(frozen=True, slots=True)
class Concluded:
    """A case with what is to be said of it. `failed` are its subjects of which a condition was true before, or may have
    been; `sessions` those that it answers for; `forgotten` those that it no longer follows; `followed` are the
    conditions that a diagnosis may follow."""

    case: Case
    state: StreamState
    judgement: Judgement
    failed: Sequence[Subject]
    sessions: Sequence[SessionVerdict]
    forgotten: Sequence[Diagnosable]
    followed: Sequence[Diagnosable]
    wanted: Sequence[Inquiry] | None
    """What is to be looked at; None where nobody looks."""


def judge_case(case: Case, around: Surroundings, now_ms: int) -> Concluded | None:
    """What is to be said of the case; None for an orphan that is no recording, such as an uploaded asset's task.
    Raises ValueError where what was said of it before cannot be read."""
    failed = [Subject(row["kind"], row["id"]) for row in _rows_before(case) if may_have_failed(row)]
    state = case.state or StreamState(case.stream_id)
    if case.stream_id is None and not any(session.recorded for session in state.sessions):
        return None
    judgement = judge(state, now_ms, around)
    sessions, forgotten = _sessions(case, judgement), _forgotten(judgement, failed)
    followed = [*_followed(judgement, sessions), *forgotten]
    looks = around.limits.asks_studio or around.limits.probes
    wanted = inquiries(state, judgement, now_ms, around.limits) if looks else None
    return Concluded(case, state, judgement, failed, sessions, forgotten, followed, wanted)


def conclude(
    connection: Connection,
    concluded: Sequence[Concluded],
    senders: Senders,
    outcome: Outcome,
    unresolved: Mapping[episodes.Fingerprint, Record] | None = None,
) -> None:
    """Compare what is said now with what was said before, and write the difference. `unresolved` are their diagnoses,
    where they were read already."""
    if unresolved is None:
        unresolved = unresolved_of(connection, concluded)
    for item in concluded:
        outcome.checkpoints += item.case.checkpoints
        for subject, condition in item.followed:
            if condition.status == "true" or (subject.kind, subject.id, condition.type) in unresolved:
                follow(connection, outcome, subject, condition, _belongs(item, subject), unresolved)
        _put_stream(item, outcome)
        for verdict in item.sessions:
            _put_session(item, verdict, outcome)
        for subject, condition in item.forgotten:
            row = item.case.session_rows[subject.id]
            forgotten = {**row, "conditions": text_of((condition,))}
            outcome.put_failing(row, forgotten, (condition,))
            outcome.put_subject(row, forgotten)
        if item.state.stream_id is not None:
            callers = [caller.webhook_id for caller in item.state.callers]
            senders.note_missing(connection, item.state.stream_id, callers, item.judgement.missing)


def unresolved_of(connection: Connection, concluded: Sequence[Concluded]) -> Mapping[episodes.Fingerprint, Record]:
    """The diagnoses of these that are not resolved."""
    failing = [subject for item in concluded for subject, now in item.followed if now.status == "true"]
    failing += [subject for item in concluded for subject in item.failed]
    return episodes.unresolved(connection, [(subject.kind, subject.id) for subject in failing])


def put_fault(case: Case, fault: str, outcome: Outcome) -> None:
    """A rule failed on this case: mark it, keep what was last said of it where that can be read, and try again from its
    log in a while."""
    row = dict(case.row) if case.row is not None else dict(blank_subject(case.subject))
    row |= {"fault": fault, "folded": None, "position": None, "folded_count": 0}
    row["deadline_ms"] = outcome.now_ms + RETRY_AFTER_MS
    outcome.faulty = True
    outcome.put_subject(case.row, _legible(row))
    if case.stream_id is not None:
        for session in case.session_rows.values():
            outcome.put_subject(session, _legible(session))


def _legible(row: Record) -> Record:
    return {**row, "conditions": NOTHING_SAID} if is_spoiled(row) else row


def put_nothing(case: Case, outcome: Outcome) -> None:
    """There is nothing to say of the case, nor a time at which there will be."""
    if case.row is not None:
        outcome.put_subject(case.row, {**case.row, "fault": None, "deadline_ms": None})


def _followed(judgement: Judgement, sessions: Sequence[SessionVerdict]) -> Iterable[Diagnosable]:
    mine = {verdict.recording.session_id for verdict in sessions}
    return ((s, c) for s, c in judgement.diagnosable if s.kind != "session" or s.id in mine)


def _sessions(case: Case, judgement: Judgement) -> Sequence[SessionVerdict]:
    """The sessions that the case answers for: known to be recorded, and no other stream's."""
    verdicts = judgement.sessions
    return [v for v in verdicts if v.recording.recorded and v.recording.session_id not in case.foreign]


def _forgotten(judgement: Judgement, failed: Sequence[Subject]) -> Sequence[Diagnosable]:
    """Sessions that failed, or may have, when they were last judged, and that the stream has since had too many others
    to remember."""
    known = {verdict.recording.session_id for verdict in judgement.sessions}
    message = "The stream has had so many sessions since that this one is no longer followed."
    return [
        (subject, answer("recording_not_available", "unknown", "FailureExpired", message))
        for subject in failed
        if subject.kind == "session" and subject.id not in known
    ]


def _rows_before(case: Case) -> Iterable[Record]:
    """What is stored of the case's own subject, and of its sessions."""
    own = () if case.row is None or case.stream_id is None else (case.row,)
    return (*own, *case.session_rows.values())


def _belongs(item: Concluded, subject: Subject) -> Belongs:
    return Belongs(
        stream_id=item.state.stream_id,
        session_id=subject.id if subject.kind == "session" else None,
        playback_id=item.state.playback_id,
    )


def _put_stream(item: Concluded, outcome: Outcome) -> None:
    case, state, judgement = item.case, item.state, item.judgement
    if case.stream_id is None:
        return
    row = blank_subject(
        case.subject,
        stream_id=None,
        playback_id=state.playback_id,
        name=state.name,
        state=judgement.state,
        state_since_ms=judgement.since_ms,
        record=state.record,
        started_ms=state.live_since_ms,
        last_event_ms=_last_told_ms(state),
        conditions=text_of(judgement.conditions),
        folded=text_of(state),
        position=case.position,
        folded_count=case.folded_count,
        deadline_ms=judgement.deadline_ms,
    )
    outcome.put_failing(case.row, row, judgement.conditions)
    outcome.put_subject(case.row, row)
    if item.wanted is not None:
        outcome.inquiries[case.stream_id] = _row_of(item.wanted)
    told_by = {caller.webhook_id for caller in state.callers}
    outcome.callers += [(webhook_id, case.stream_id) for webhook_id in sorted(told_by - case.told_by)]
    before = None if case.row is None else case.row["state"]
    if before != judgement.state:
        told = {"stream_id": case.stream_id, "from": before, "to": judgement.state, "since_ms": judgement.since_ms}
        outcome.put_notice("stream.state_changed", told)


def _row_of(wanted: Sequence[Inquiry]) -> Wanted | None:
    if not wanted:
        return None
    urgent_ms = min((inquiry.due_ms for inquiry in wanted if not inquiry.routine), default=None)
    return wanted[0].due_ms, urgent_ms, text_of(wanted)


def _last_told_ms(state: StreamState) -> int | None:
    """When something last happened: that we looked is no activity of the stream."""
    told = (None if state.last_event is None else state.last_event.at_ms, state.reported_ms)
    return max([at_ms for at_ms in told if at_ms is not None], default=None)


def _last_ms(session: Recording) -> int | None:
    marks = (session.started, session.idled, session.queued, session.progress, session.outcome)
    return max([mark.at_ms for mark in marks if mark is not None], default=session.since_ms)


def _put_session(item: Concluded, verdict: SessionVerdict, outcome: Outcome) -> None:
    session = verdict.recording
    subject, before = Subject("session", session.session_id), item.case.session_rows.get(session.session_id)
    orphan = item.case.stream_id is None
    row = blank_subject(
        subject,
        stream_id=item.state.stream_id,
        state=verdict.state,
        state_since_ms=verdict.since_ms,
        record=verdict.state != "off",
        recording_url=session.recording_url,
        started_ms=session.started_ms if session.started_ms is not None else session.since_ms,
        last_event_ms=_last_ms(session),
        conditions=text_of((verdict.condition,)),
        folded=text_of(item.state) if orphan else None,
        position=item.case.position if orphan else None,
        deadline_ms=item.judgement.deadline_ms if orphan else None,
    )
    outcome.put_failing(before, row, (verdict.condition,))
    outcome.put_subject(before, row)
    if before is None or before["state"] != verdict.state:
        told = {
            "stream_id": item.state.stream_id,
            "session_id": session.session_id,
            "from": None if before is None else before["state"],
            "to": verdict.state,
            "since_ms": verdict.since_ms,
        }
        outcome.put_notice("recording.state_changed", told)
