"""`recording_not_available` of a stream: its newest session, any that still fails, and a broadcast for which no
session is known at all."""

from collections.abc import Sequence

from receiver.diagnosis.frozen import replace
from receiver.diagnosis.rules.deliveries import never_delivered
from receiver.diagnosis.rules.looked import seen_in_studio
from receiver.diagnosis.rules.recorded import FAILURE_FADES_MS, NOT_FOUND
from receiver.diagnosis.rules.recording import TYPE, SessionVerdict, expired, still_live
from receiver.diagnosis.sessions import ANNOUNCED_WITHIN_MS
from receiver.diagnosis.state import Mark, Recording, StreamState
from receiver.diagnosis.values import Condition
from receiver.diagnosis.verdicts import Surroundings, answer, clock, overdue, seen, true


def roll_up(own: Condition | None, sessions: Sequence[SessionVerdict]) -> Condition:
    """What the stream shows: a failure of its own, else the newest failing session, else what is newest."""
    failing = [verdict.condition for verdict in sessions if verdict.condition.status == "true"]
    if own is not None and (own.status == "true" or not failing):
        return own
    if not failing:
        return sessions[-1].condition
    others = len(failing) - 1
    more = (
        "" if others == 0 else " One older recording fails too." if others == 1 else f" {others} older ones fail too."
    )
    return replace(failing[-1], message=f"{failing[-1].message}{more}")


def judge_sessionless(state: StreamState, now_ms: int, around: Surroundings) -> Condition | None:
    """What is known of the recording of a broadcast that no session is known of; None where its session is known."""
    newest = state.sessions[-1] if state.sessions else None
    if newest is not None and _covers(newest, state):
        return None
    if state.record is False:
        since_ms = state.since_ms if state.live_since_ms is None else state.live_since_ms
        message = "Recording is switched off for this stream."
        evidence = seen(state.started or state.last_event)
        return answer(TYPE, "false", "RecordingDisabled", message, since_ms=since_ms, evidence=evidence)
    if not state.record or state.started is None:
        return answer(TYPE, "unknown", "NotObserved", "Nothing is known of a recording of this stream.")
    if state.broadcast in {"live", "lost"}:
        return still_live(state, since_ms=state.live_since_ms)
    return _unrecorded(state, state.started, newest, now_ms, around)


def _covers(session: Recording, state: StreamState) -> bool:
    """Whether the stream's last broadcast is (also) the session's: it began with it, ended with it, or was not yet made
    into a recording when the encoder came back."""
    started, idled = state.started, session.idled
    if started is None or session.state == "recording":
        return True
    began_ms = session.started_ms if session.started_ms is not None else session.since_ms
    if began_ms is not None and began_ms >= started.at_ms - ANNOUNCED_WITHIN_MS:
        return True
    made_ms = session.queued_ms if session.queued_ms is not None else session.ready_ms
    ended_ms = idled.at_ms if idled is not None and made_ms is None else made_ms
    return ended_ms is None or ended_ms >= started.at_ms


def _unrecorded(
    state: StreamState, started: Mark, newest: Recording | None, now_ms: int, around: Surroundings
) -> Condition:
    """A broadcast has ended, and there is no sign of its recording."""
    idled = state.idled
    if idled is None or idled.at_ms < started.at_ms or any(drop.idled == idled for drop in state.drops):
        return answer(TYPE, "unknown", "NotObserved", "Nothing is known of a recording of the last push.")
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
    none_made = _no_session(state, started, idled, due_ms)
    if none_made is not None and now_ms < due_ms + FAILURE_FADES_MS:
        return none_made
    reason, happened = _silence(state, newest, idled.at_ms, idled.at_ms + within_ms)
    made = seen(newest.queued or newest.outcome) if newest is not None and reason == "SessionResumed" else ()
    evidence = made + seen(started) + seen(idled) + overdue("recording.waiting", due_ms)
    fades_ms = due_ms + FAILURE_FADES_MS
    if state.deleted is not None:
        fades_ms = min(fades_ms, max(state.deleted.at_ms, due_ms))
    if now_ms >= fades_ms:
        return expired(reason, due_ms, fades_ms, evidence)
    return true(
        TYPE, reason, happened, certainty="suspected", since_ms=due_ms, evidence=evidence, next_check_ms=fades_ms
    )


def _no_session(state: StreamState, started: Mark, idled: Mark, due_ms: int) -> Condition | None:
    """The Studio API lists every session, empty ones too (FACTS 9), and none of the last push, nor one before it that
    went on (FACTS 12)."""
    studio = state.listed
    if studio is None or studio.last.at_ms <= idled.at_ms or studio.look.sessions is None:
        return None
    newest_ms = max(studio.look.newest_session_ms or 0, studio.look.newest_session_seen_ms or 0)
    if newest_ms >= started.at_ms - ANNOUNCED_WITHIN_MS:
        return None
    happened = (
        f"The stream started at {clock(started.at_ms)}, but Livepeer never made a session of it: transcoding did not "
        f"begin. {NOT_FOUND}"
    )
    return true(
        TYPE, "NoSession", happened, certainty="confirmed", since_ms=due_ms,
        evidence=seen(started) + seen(idled) + seen_in_studio(studio), next_check_ms=due_ms + FAILURE_FADES_MS,
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
        f"nor any other sign of a session. {NOT_FOUND}{never_delivered(state, 'recording.started')}"
    )
