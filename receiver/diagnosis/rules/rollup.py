"""`recording_not_available` of a stream: its newest session, any that still fails, and a broadcast for which no
session is known at all."""

from collections.abc import Sequence
from dataclasses import replace

from receiver.diagnosis.rules.deliveries import never_delivered
from receiver.diagnosis.rules.recording import FAILURE_FADES_MS, TYPE, SessionVerdict
from receiver.diagnosis.sessions import ANNOUNCED_WITHIN_MS
from receiver.diagnosis.state import Recording, StreamState
from receiver.diagnosis.values import Condition
from receiver.diagnosis.verdicts import Surroundings, answer, clock, overdue, seen, true


def roll_up(own: Condition | None, sessions: Sequence[SessionVerdict]) -> Condition:
    """What the stream shows: a failure of its own, else the newest failing session, else what is newest."""
    if own is not None and own.status == "true":
        return own
    failing = [verdict for verdict in sessions if verdict.condition.status == "true"]
    if failing:
        worst = failing[-1].condition
        others = f" {len(failing) - 1} older recordings of this stream fail too." if len(failing) > 1 else ""
        return replace(worst, message=f"{worst.message}{others}")
    if own is not None:
        return own
    return sessions[-1].condition


def judge_sessionless(state: StreamState, now_ms: int, around: Surroundings) -> Condition | None:
    """What is known of the recording of a broadcast that no session is known of; None where its session is known."""
    newest = state.sessions[-1] if state.sessions else None
    if newest is not None and _covers(newest, state):
        return None
    if state.record is False:
        message = "Recording is switched off for this stream."
        return answer(
            TYPE, "false", "RecordingDisabled", message, since_ms=state.since_ms, evidence=seen(state.last_event)
        )
    if not state.record or state.started is None:
        return answer(TYPE, "unknown", "NotObserved", "Nothing is known of a recording of this stream.")
    if state.broadcast in {"live", "lost"}:
        message = (
            f"The stream is live since {clock(state.live_since_ms or 0)}; its recording is generated when it goes idle."
        )
        return answer(
            TYPE, "unknown", "StreamStillLive", message, since_ms=state.live_since_ms, evidence=seen(state.started)
        )
    return _unrecorded(state, newest, now_ms, around)


def _covers(session: Recording, state: StreamState) -> bool:
    """Whether the stream's last broadcast is (also) the session's: it began with it, or was not yet made into a
    recording when the encoder came back."""
    started = state.started
    if started is None:
        return True
    began_ms = session.started_ms if session.started_ms is not None else session.since_ms
    if began_ms is not None and began_ms >= started.at_ms - ANNOUNCED_WITHIN_MS:
        return True
    made_ms = session.queued_ms if session.queued_ms is not None else session.ready_ms
    return made_ms is None or made_ms >= started.at_ms


def _unrecorded(state: StreamState, newest: Recording | None, now_ms: int, around: Surroundings) -> Condition:
    idled = state.idled
    dropped = any(drop.idled == idled for drop in state.drops)
    if idled is None or state.started is None or idled.at_ms < state.started.at_ms or dropped or state.deleted:
        return answer(TYPE, "unknown", "NotObserved", "The last push brought no media that could be recorded.")
    within_ms = around.limits.recording_queued_within_ms
    due_ms = around.conclusive_ms(idled.at_ms, within_ms)
    if now_ms < due_ms:
        message = (
            f"`stream.idle` came {clock(idled.at_ms)}; a sign of its recording is due by "
            f"{clock(idled.at_ms + within_ms)}."
        )
        return answer(
            TYPE, "unknown", "AwaitingRecording", message,
            since_ms=idled.at_ms, evidence=seen(idled), next_check_ms=due_ms,
        )  # fmt: skip
    fades_ms = due_ms + FAILURE_FADES_MS
    if now_ms >= fades_ms:
        message = f"No recording came of the broadcast that ended {clock(idled.at_ms)}; nothing more will come of it."
        return answer(TYPE, "unknown", "FailureExpired", message, since_ms=fades_ms, evidence=seen(idled))
    reason, happened = _silence(state, newest, idled.at_ms, idled.at_ms + within_ms)
    return true(
        TYPE, reason, happened, certainty="suspected", since_ms=due_ms,
        evidence=seen(state.started) + seen(idled) + overdue("recording.waiting", due_ms), next_check_ms=fades_ms,
    )  # fmt: skip


def _silence(state: StreamState, newest: Recording | None, idle_ms: int, due_ms: int) -> tuple[str, str]:
    told = any("recording.started" in caller.events for caller in state.callers)
    if newest is not None and told:
        return "SessionResumed", (
            f"The stream was live again until {clock(idle_ms)}, but no new session began: it went on in session "
            f"{newest.session_id}, whose recording had already been made. Viewers will miss this part."
        )
    return "RecordingNotQueued", (
        f"`stream.idle` came {clock(idle_ms)}; `recording.waiting` was due by {clock(due_ms)} and has not come, "
        "nor has any "
        f"other sign of a session. Viewers who ask for the recording will not find "
        f"it.{never_delivered(state, 'recording.started')}"
    )
