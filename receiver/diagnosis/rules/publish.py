"""`rtmp_push_rejected`: after a publish attempt that Livepeer did not answer, or a push that dropped at once."""

from typing import Final

from receiver.diagnosis.coverage import OPEN_END_MS
from receiver.diagnosis.folding import ATTEMPT_FADES_MS, DROPS_FADE_MS, answered
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.rules.deliveries import never_delivered
from receiver.diagnosis.rules.looked import fades_ms, finding_of, seen_by_probe, seen_in_studio, snapshot_of
from receiver.diagnosis.rules.pushed import (
    STILL_COUNTED_MS,
    TERMINATED_NEAR_MS,
    judge_shown,
    key_told,
    tried_to_publish,
)
from receiver.diagnosis.rules.refused import is_gated
from receiver.diagnosis.state import Attempt, Drop, StreamState, StudioSeen
from receiver.diagnosis.values import Condition
from receiver.diagnosis.verdicts import Surroundings, answer, clock, overdue, quoted, seen, span, true

TYPE: Final = "rtmp_push_rejected"
DROPS_COUNT_WITHIN_MS = 300_000
DROPS_THAT_WARN = 3
"""Three drops in five minutes are no accident (DESIGN 5)."""


def judge_publish(state: StreamState, now_ms: int, around: Surroundings) -> Condition:
    """What is known of the last attempt to publish."""
    attempt = state.attempt
    if attempt is not None and not answered(state, attempt, around.limits):
        return _unanswered(state, attempt, now_ms, around)
    disabled = _disabled(state, now_ms)
    if disabled is not None:
        return disabled
    if state.drops and not _lasts(state, now_ms, around):
        return _dropped(state, state.drops, now_ms, around)
    return _accepted(state)


def _unanswered(state: StreamState, attempt: Attempt, now_ms: int, around: Surroundings) -> Condition:
    ends_ms = attempt.last.at_ms + ATTEMPT_FADES_MS
    tried = seen(attempt.last, tried_to_publish(attempt))
    if now_ms >= ends_ms:
        message = f"{tried_to_publish(attempt)} That is too long ago to say anything of now."
        return answer(TYPE, "unknown", "AttemptExpired", message, since_ms=ends_ms, evidence=tried)
    certain = _certain(state, attempt)
    if certain is not None:
        reason, happened, since_ms = certain
        evidence = tried + (seen(state.deleted) if reason == "StreamDeleted" else ())
        return true(
            TYPE, reason, happened, certainty="confirmed", since_ms=since_ms, evidence=evidence, next_check_ms=ends_ms
        )
    studio = snapshot_of(state, now_ms, attempt.first.at_ms)
    if studio is not None:
        shown = judge_shown(state, attempt, studio, now_ms)
        if shown is not None:
            return replace(shown, next_check_ms=min(shown.next_check_ms or ends_ms, ends_ms))
    due_ms = around.conclusive_ms(attempt.first.at_ms, around.limits.publish_start_within_ms)
    if now_ms >= due_ms:
        return _silent(state, attempt, due_ms, around, studio)
    check_ms = due_ms if due_ms >= OPEN_END_MS else min(due_ms, ends_ms)
    until = "" if due_ms >= OPEN_END_MS else f" until {clock(check_ms)}"
    return answer(
        TYPE, "unknown", "AwaitingStart", f"{tried_to_publish(attempt)} `stream.started` may still come{until}.",
        since_ms=attempt.first.at_ms, evidence=tried, next_check_ms=check_ms,
    )  # fmt: skip


def _certain(state: StreamState, attempt: Attempt) -> tuple[str, str, int] | None:
    """What explains a rejection by itself: reason, words, and since when."""
    tried, nothing = tried_to_publish(attempt), "Viewers of this stream get nothing."
    if state.deleted is not None:
        since_ms = max(attempt.first.at_ms, state.deleted.at_ms)
        return "StreamDeleted", f"{tried} The stream was deleted, and its key with it. {nothing}", since_ms
    if attempt.report.ingest_path_is_live is False:
        happened = f"{tried} Its URL is not Livepeer's `/live/` and a key, and any other path is refused. {nothing}"
        return "IngestUrlWrong", happened, attempt.first.at_ms
    if attempt.report.key_is_playback_id:
        happened = f"{tried} The key that was used is a playback id, not a stream key. {nothing}"
        return "StreamKeyMismatch", happened, attempt.first.at_ms
    if attempt.report.key_prefix_matches is False:
        happened = (
            f"{tried} The key that was used belongs to another stream: a stream's key begins with the same four "
            f"characters as its id. {nothing}"
        )
        return "StreamKeyMismatch", happened, attempt.first.at_ms
    return None


def _silent(
    state: StreamState, attempt: Attempt, due_ms: int, around: Surroundings, studio: StudioSeen | None
) -> Condition:
    by_ms = attempt.first.at_ms + around.limits.publish_start_within_ms
    tried = tried_to_publish(attempt)
    happened = (
        f"{tried} `stream.started` was due by {clock(by_ms)} and has not come, so viewers get nothing."
        f"{never_delivered(state, 'stream.started')}"
    )
    reason = "PublishNotStarted"
    if studio is not None and studio.last.at_ms >= by_ms:
        reason = "EncoderOrNetwork"
        happened = f"{happened} The Studio API shows nothing amiss: {key_told(attempt, studio.look)}"
    elif state.suspended:
        reason, happened = "StreamSuspended", f"{happened} The stream was last seen suspended."
    return true(
        TYPE, reason, happened, certainty="suspected", since_ms=due_ms,
        evidence=seen(attempt.last, tried) + overdue("stream.started", due_ms) + seen_in_studio(studio),
        next_check_ms=min(attempt.last.at_ms + ATTEMPT_FADES_MS, fades_ms(studio) or OPEN_END_MS),
    )  # fmt: skip


def _lasts(state: StreamState, now_ms: int, around: Surroundings) -> bool:
    """Whether the stream has started since the last drop, and stayed."""
    if state.broadcast != "live" or state.live_since_ms is None:
        return False
    return now_ms >= state.live_since_ms + around.limits.push_dropped_within_ms


def _dropped(state: StreamState, drops: tuple[Drop, ...], now_ms: int, around: Surroundings) -> Condition:
    last, ends_ms = drops[-1], drops[-1].idled.at_ms + DROPS_FADE_MS
    evidence = seen(last.started) + seen(last.idled)
    if now_ms >= ends_ms:
        message = f"The last push dropped at {clock(last.idled.at_ms)}; nothing has been heard since."
        return answer(TYPE, "unknown", "AttemptExpired", message, since_ms=ends_ms, evidence=evidence)
    check_ms = ends_ms
    if state.broadcast == "live" and state.live_since_ms is not None:
        check_ms = min(ends_ms, state.live_since_ms + around.limits.push_dropped_within_ms)
    recent = [drop for drop in drops if last.idled.at_ms - drop.idled.at_ms <= DROPS_COUNT_WITHIN_MS]
    often = (
        "" if len(recent) == 1 else f" It is the {_ordinal(len(recent))} time since {clock(recent[0].started.at_ms)}."
    )
    studio = snapshot_of(state, now_ms, last.started.at_ms)
    terminated = _terminated(last, studio)
    if terminated is not None:
        return replace(terminated, next_check_ms=check_ms)
    unhealthy = studio is not None and (studio.look.is_healthy is False or studio.look.issues is not None)
    issues = studio.look.issues if studio is not None else None
    said = f" Livepeer says of the encoder: {quoted(issues)}." if issues else ""
    happened = (
        f"The push started at {clock(last.started.at_ms)} and was gone "
        f"{span(last.idled.at_ms - last.started.at_ms)} later, before any media was seen.{often}{said} "
        "Viewers see a stream that appears and vanishes."
    )
    return true(
        TYPE, "PushDropped", happened, certainty="confirmed" if unhealthy else "suspected",
        since_ms=drops[0].idled.at_ms, evidence=evidence + seen_in_studio(studio if unhealthy else None),
        next_check_ms=check_ms, severity="warning" if len(recent) >= DROPS_THAT_WARN else "info",
    )  # fmt: skip


def _terminated(last: Drop, studio: StudioSeen | None) -> Condition | None:
    """Somebody ended the push by the API."""
    at_ms = studio.look.last_terminated_ms if studio is not None else None
    if at_ms is None or not last.started.at_ms - TERMINATED_NEAR_MS <= at_ms <= last.idled.at_ms + TERMINATED_NEAR_MS:
        return None
    happened = f"The stream was terminated by the API at {clock(at_ms)}, which cut the push off."
    return true(
        TYPE, "JustTerminated", happened, certainty="confirmed", since_ms=last.idled.at_ms,
        evidence=seen(last.started) + seen(last.idled) + seen_in_studio(studio), next_check_ms=None,
    )  # fmt: skip


def _disabled(state: StreamState, now_ms: int) -> Condition | None:
    """Livepeer takes the media for live and does nothing with it: no segments, and public content refused (FACTS 6,
    10.1). A disabled account shows nowhere else. What was seen before the refusal, or before segments are counted,
    tells nothing of it."""
    if state.broadcast != "live" or state.live_since_ms is None:
        return None
    studio = snapshot_of(state, now_ms, state.live_since_ms)
    probed = finding_of(state, now_ms, state.live_since_ms)
    if studio is None or probed is None or probed.finding.verdict != "denied":
        return None
    if studio.last.at_ms < max(probed.first.at_ms, state.live_since_ms + STILL_COUNTED_MS):
        return None
    look = studio.look
    if look.policy != "public" or is_gated(look) or look.suspended or look.source_segments or look.standing != "found":
        return None
    happened = (
        "The push is accepted, but Livepeer counts no segment of it and refuses to play public content, as it does for "
        "an account that has reached its usage limit. Viewers cannot watch."
    )
    return true(
        TYPE, "UserDisabled", happened, certainty="suspected", since_ms=max(studio.first.at_ms, probed.first.at_ms),
        evidence=seen_in_studio(studio) + seen_by_probe(probed), next_check_ms=fades_ms(studio, probed),
    )  # fmt: skip


def _ordinal(count: int) -> str:
    return {2: "second", 3: "third"}.get(count, f"{count}th")


def _accepted(state: StreamState) -> Condition:
    newest = state.sessions[-1].started if state.sessions else None
    proof = state.started or newest
    if proof is None:
        message = "Nobody has reported an attempt to publish, and no start has been seen."
        return answer(TYPE, "unknown", "NoPublishAttempt", message)
    since_ms = proof.at_ms if state.live_since_ms is None else state.live_since_ms
    message = f"The last push was accepted: `{proof.kind}` at {clock(proof.at_ms)}."
    return answer(TYPE, "false", "PushAccepted", message, since_ms=since_ms, evidence=seen(proof))
