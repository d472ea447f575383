"""`recording_not_available` of one session: where its recording stands, and what should have come by now."""

from typing import Final

from msgspec import Struct

from receiver.diagnosis.frozen import replace
from receiver.diagnosis.machines import RECORDING_TIMERS
from receiver.diagnosis.rules.deliveries import never_delivered
from receiver.diagnosis.rules.recorded import (
    FAILURE_FADES_MS,
    NOT_FOUND,
    is_not_queued,
    judge_empty,
    judge_lost,
    judge_ready,
    seen_of_session,
)
from receiver.diagnosis.state import Mark, Recording, RecordingState, StreamState
from receiver.diagnosis.values import Condition, Evidence
from receiver.diagnosis.verdicts import Surroundings, answer, clock, overdue, quoted, seen, span, true

TYPE: Final = "recording_not_available"
CONFIRMED_OVERDUE_MS = 3_600_000
"""A recording that neither finishes nor fails within an hour is taken for lost (DESIGN 5)."""


class SessionVerdict(Struct, frozen=True, gc=False):
    """A session as it stands at the moment of judgement: `missing` is reached by time alone."""

    recording: Recording
    state: RecordingState
    since_ms: int | None
    condition: Condition


def judge_session(stream: StreamState, session: Recording, now_ms: int, around: Surroundings) -> SessionVerdict:
    """What is known of the session's recording."""
    if session.state == "ending" and session.idled is not None:
        return _ending(stream, session, session.idled, now_ms, around)
    condition = _faded(stream, session, _standing(stream, session, now_ms, around), now_ms)
    return SessionVerdict(session, session.state, session.since_ms, condition)


def _standing(stream: StreamState, session: Recording, now_ms: int, around: Surroundings) -> Condition:
    if session.state == "off":
        message = "This session does not record."
        return answer(
            TYPE, "false", "RecordingDisabled", message, since_ms=session.since_ms, evidence=seen(session.started)
        )
    if session.state == "ready":
        return judge_ready(stream, session, now_ms) or _ready(session)
    if session.state == "failed":
        return _failed(session)
    if session.state == "deleted":
        return _deleted(session)
    if session.state == "processing":
        return _processing(session, now_ms, around)
    return _recording(stream, session, now_ms, around)


def _ready(session: Recording) -> Condition:
    message = f"The recording is ready since {clock(session.since_ms or 0)}."
    return answer(TYPE, "false", "RecordingReady", message, since_ms=session.since_ms, evidence=seen(session.outcome))


def _failed(session: Recording) -> Condition:
    said = f" Livepeer said: {quoted(session.error_message)}." if session.error_message else ""
    happened = f"Processing the recording failed at {clock(session.since_ms or 0)}.{said} {NOT_FOUND}"
    condition = true(
        TYPE, "ProcessingFailed", happened, certainty="confirmed", since_ms=session.since_ms or 0,
        evidence=seen(session.failed), next_check_ms=(session.since_ms or 0) + FAILURE_FADES_MS,
    )  # fmt: skip
    return replace(condition, message=condition.message.replace("SESSION-ID", session.session_id))


def _deleted(session: Recording) -> Condition:
    since_ms = session.since_ms or 0
    if session.failed is not None:
        message = f"The recording failed at {clock(session.failed.at_ms)} and was deleted at {clock(since_ms)}."
        return answer(TYPE, "unknown", "FailureExpired", message, since_ms=since_ms, evidence=seen(session.outcome))
    happened = f"The recording was deleted at {clock(since_ms)}. {NOT_FOUND}"
    return true(
        TYPE, "RecordingDeleted", happened, certainty="confirmed", since_ms=since_ms,
        evidence=seen(session.outcome), next_check_ms=since_ms + FAILURE_FADES_MS,
    )  # fmt: skip


def _processing(session: Recording, now_ms: int, around: Surroundings) -> Condition:
    within_ms = around.limits.recording_ready_within_ms
    from_ms = max(session.queued_ms or 0, session.progress.at_ms if session.progress else 0)
    due_ms = around.conclusive_ms(from_ms, within_ms)
    evidence = seen(session.queued) + seen(session.progress)
    heard = f"its last sign of progress came at {clock(from_ms)}"
    retried = f" It is being tried again after: {quoted(session.retry_message)}." if session.retry_message else ""
    if now_ms < due_ms:
        return answer(
            TYPE, "unknown", "AwaitingRecording", f"Livepeer is processing the recording; {heard}.{retried}",
            since_ms=session.since_ms, evidence=evidence, next_check_ms=due_ms,
        )  # fmt: skip
    certain_ms = around.conclusive_ms(from_ms, max(CONFIRMED_OVERDUE_MS, within_ms))
    certain = now_ms >= certain_ms
    happened = (
        f"Livepeer began to process the recording, and {heard}; `recording.ready` was due by "
        f"{clock(from_ms + within_ms)} and has not come.{retried} {NOT_FOUND}"
    )
    return true(
        TYPE, "ProcessingOverdue", happened, certainty="confirmed" if certain else "suspected", since_ms=due_ms,
        evidence=evidence + overdue("recording.ready", due_ms),
        next_check_ms=due_ms + FAILURE_FADES_MS if certain else certain_ms,
    )  # fmt: skip


def _recording(stream: StreamState, session: Recording, now_ms: int, around: Surroundings) -> Condition:
    lost = judge_lost(stream, session, now_ms)
    if lost is not None:
        return lost
    if session.successor is not None:
        return _superseded(stream, session, session.successor, now_ms, around)
    if stream.broadcast not in {"live", "lost"}:
        message = f"The stream is {stream.broadcast}, and this session's end has not been told."
        return answer(TYPE, "unknown", "AwaitingRecording", message, since_ms=session.since_ms)
    return _live(stream, session, now_ms, around)


def _superseded(stream: StreamState, session: Recording, newer: Mark, now_ms: int, around: Surroundings) -> Condition:
    due_ms = around.conclusive_ms(newer.at_ms, 0)
    evidence = seen(session.started) + seen(newer, f"A newer session began at {clock(newer.at_ms)}.")
    if now_ms < due_ms:
        message = f"A newer session began at {clock(newer.at_ms)}; the `stream.idle` of this one may still come."
        return answer(
            TYPE, "unknown", "AwaitingRecording", message,
            since_ms=session.since_ms, evidence=evidence, next_check_ms=due_ms,
        )  # fmt: skip
    happened = (
        f"The session began at {clock(_began_ms(session))} and a newer one at {clock(newer.at_ms)}, but no "
        f"`stream.idle` came in between, so no recording is generated. {NOT_FOUND}"
        f"{never_delivered(stream, 'stream.idle')}"
    )
    return true(
        TYPE, "StreamNotIdle", happened, certainty="suspected", since_ms=due_ms,
        evidence=evidence + overdue("stream.idle", due_ms), next_check_ms=due_ms + FAILURE_FADES_MS,
    )  # fmt: skip


def _live(stream: StreamState, session: Recording, now_ms: int, around: Surroundings) -> Condition:
    longest_ms, live_ms = around.limits.max_broadcast_ms, stream.live_since_ms or 0
    due_ms = None if longest_ms is None else around.conclusive_ms(live_ms, longest_ms)
    if due_ms is not None and now_ms >= due_ms:
        happened = (
            f"The stream is live since {clock(live_ms)}, longer than a broadcast should last "
            f"({span(longest_ms or 0)}), and no `stream.idle` has come. If the broadcast is over, no recording "
            "will come either."
        )
        return true(
            TYPE, "StreamNotIdle", happened, certainty="suspected", since_ms=due_ms,
            evidence=seen(stream.started) + overdue("stream.idle", due_ms), next_check_ms=due_ms + FAILURE_FADES_MS,
        )  # fmt: skip
    return still_live(stream, since_ms=session.since_ms, next_check_ms=due_ms)


def still_live(stream: StreamState, *, since_ms: int | None, next_check_ms: int | None = None) -> Condition:
    """No recording is due yet; who asked for it is told what it means if the broadcast is over."""
    live_ms = stream.live_since_ms or 0
    asked = stream.requested if stream.requested is not None and stream.requested.at_ms >= live_ms else None
    message = f"The stream is live since {clock(live_ms)}; its recording is generated when it goes idle."
    studio = stream.studio
    if studio is not None and studio.last.at_ms > live_ms and studio.look.is_active is False:
        message += f" The Studio API showed it inactive at {clock(studio.last.at_ms)}, but no `stream.idle` has come."
    if asked is not None:
        message += (
            f" The recording was asked for at {clock(asked.at_ms)}, but no `stream.idle` has come. If the broadcast "
            "is over, the media was lost without a clean end: terminate the stream in Livepeer Studio, and the "
            "recording is generated."
        )
    return answer(
        TYPE, "unknown", "StreamStillLive", message,
        since_ms=since_ms, evidence=seen(stream.started) + seen(asked), next_check_ms=next_check_ms,
    )  # fmt: skip


def _ending(stream: StreamState, session: Recording, idled: Mark, now_ms: int, around: Surroundings) -> SessionVerdict:
    empty = judge_empty(session)
    if empty is not None:
        return SessionVerdict(session, session.state, session.since_ms, _faded(stream, session, empty, now_ms))
    within_ms = around.limits.recording_queued_within_ms
    due_ms = around.conclusive_ms(idled.at_ms, within_ms)
    came = f"`stream.idle` came {clock(idled.at_ms)}; `recording.waiting`"
    if now_ms < due_ms:
        message = f"{came} follows about 70 s later and is due by {clock(idled.at_ms + within_ms)}."
        condition = answer(
            TYPE, "unknown", "AwaitingRecording", message,
            since_ms=session.since_ms, evidence=seen(idled), next_check_ms=due_ms,
        )  # fmt: skip
        return SessionVerdict(session, session.state, session.since_ms, condition)
    happened = (
        f"{came} was due by {clock(idled.at_ms + within_ms)} and has not come. {NOT_FOUND}"
        f"{never_delivered(stream, 'recording.waiting')}"
    )
    sure = is_not_queued(session, idled.at_ms + within_ms)
    condition = true(
        TYPE, "RecordingNotQueued", happened, certainty="confirmed" if sure else "suspected", since_ms=due_ms,
        evidence=seen(idled) + overdue("recording.waiting", due_ms) + (seen_of_session(session) if sure else ()),
        next_check_ms=due_ms + FAILURE_FADES_MS,
    )  # fmt: skip
    _, missing = RECORDING_TIMERS["ending"]
    return SessionVerdict(session, missing, due_ms, _faded(stream, session, condition, now_ms))


def _faded(stream: StreamState, session: Recording, condition: Condition, now_ms: int) -> Condition:
    """A failure says nothing any more after seven days, or once its stream is deleted (DESIGN 5, Ending)."""
    if condition.status != "true":
        return condition
    ends_ms = (condition.since_ms or 0) + FAILURE_FADES_MS
    if stream.deleted is not None and session.state != "deleted":
        ends_ms = min(ends_ms, max(stream.deleted.at_ms, condition.since_ms or 0))
    if now_ms < ends_ms:
        return replace(condition, next_check_ms=min(condition.next_check_ms or ends_ms, ends_ms))
    return expired(condition.reason, condition.since_ms or 0, ends_ms, condition.evidence)


def expired(reason: str, since_ms: int, ends_ms: int, evidence: tuple[Evidence, ...]) -> Condition:
    """A failure that is past: too old, or its stream is gone."""
    message = f"`{reason}` of {clock(since_ms)} is past: nothing more is expected of this recording."
    return answer(TYPE, "unknown", "FailureExpired", message, since_ms=ends_ms, evidence=evidence)


def _began_ms(session: Recording) -> int:
    if session.started_ms is not None:
        return session.started_ms
    return session.started.at_ms if session.started else session.since_ms or 0
