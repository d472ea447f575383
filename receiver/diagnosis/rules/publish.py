"""`rtmp_push_rejected`: after a publish attempt that Livepeer did not answer, or a push that dropped at once."""

from typing import Final

from receiver.diagnosis.coverage import OPEN_END_MS
from receiver.diagnosis.folding import ATTEMPT_FADES_MS, DROPS_FADE_MS, answered
from receiver.diagnosis.rules.deliveries import never_delivered
from receiver.diagnosis.state import Attempt, Drop, StreamState
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
    if state.drops and not _lasts(state, now_ms, around):
        return _dropped(state, state.drops, now_ms, around)
    return _accepted(state)


def _unanswered(state: StreamState, attempt: Attempt, now_ms: int, around: Surroundings) -> Condition:
    fades_ms = attempt.last.at_ms + ATTEMPT_FADES_MS
    tried = seen(attempt.last, _tried(attempt))
    if now_ms >= fades_ms:
        message = f"{_tried(attempt)} Nothing has been heard since, and that is too long ago to say anything of now."
        return answer(TYPE, "unknown", "AttemptExpired", message, since_ms=fades_ms, evidence=tried)
    certain = _certain(state, attempt)
    if certain is not None:
        reason, happened, since_ms = certain
        evidence = tried + (seen(state.deleted) if reason == "StreamDeleted" else ())
        return true(
            TYPE, reason, happened, certainty="confirmed", since_ms=since_ms, evidence=evidence, next_check_ms=fades_ms
        )
    due_ms = around.conclusive_ms(attempt.first.at_ms, around.limits.publish_start_within_ms)
    if now_ms >= due_ms:
        return _silent(state, attempt, due_ms, around)
    check_ms = due_ms if due_ms >= OPEN_END_MS else min(due_ms, fades_ms)
    until = "" if due_ms >= OPEN_END_MS else f" until {clock(check_ms)}"
    return answer(
        TYPE, "unknown", "AwaitingStart", f"{_tried(attempt)} `stream.started` may still come{until}.",
        since_ms=attempt.first.at_ms, evidence=tried, next_check_ms=check_ms,
    )  # fmt: skip


def _certain(state: StreamState, attempt: Attempt) -> tuple[str, str, int] | None:
    """What explains a rejection by itself: reason, words, and since when."""
    tried, nothing = _tried(attempt), "Viewers of this stream get nothing."
    if state.deleted is not None:
        since_ms = max(attempt.first.at_ms, state.deleted.at_ms)
        return "StreamDeleted", f"{tried} The stream was deleted, and its key with it. {nothing}", since_ms
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


def _silent(state: StreamState, attempt: Attempt, due_ms: int, around: Surroundings) -> Condition:
    by_ms = attempt.first.at_ms + around.limits.publish_start_within_ms
    happened = (
        f"{_tried(attempt)} `stream.started` was due by {clock(by_ms)} and has not come, so viewers get nothing."
        f"{never_delivered(state, 'stream.started')}"
    )
    reason = "PublishNotStarted"
    if state.suspended:
        reason, happened = "StreamSuspended", f"{happened} The last event of the stream showed it suspended."
    return true(
        TYPE, reason, happened, certainty="suspected", since_ms=due_ms,
        evidence=seen(attempt.last, _tried(attempt)) + overdue("stream.started", due_ms),
        next_check_ms=attempt.last.at_ms + ATTEMPT_FADES_MS,
    )  # fmt: skip


def _tried(attempt: Attempt) -> str:
    what = "The encoder was refused" if attempt.last.kind.endswith("publish_rejected") else "A publish was announced"
    times = "" if attempt.count == 1 else f" ({attempt.count} reports since {clock(attempt.first.at_ms)})"
    said = f" It said: {quoted(attempt.report.message)}." if attempt.report.message else ""
    return f"{what} at {clock(attempt.last.at_ms)}{times}.{said}"


def _lasts(state: StreamState, now_ms: int, around: Surroundings) -> bool:
    """Whether the stream has started since the last drop, and stayed."""
    if state.broadcast != "live" or state.live_since_ms is None:
        return False
    return now_ms >= state.live_since_ms + around.limits.push_dropped_within_ms


def _dropped(state: StreamState, drops: tuple[Drop, ...], now_ms: int, around: Surroundings) -> Condition:
    last, fades_ms = drops[-1], drops[-1].idled.at_ms + DROPS_FADE_MS
    evidence = seen(last.started) + seen(last.idled)
    if now_ms >= fades_ms:
        message = f"The last push dropped at {clock(last.idled.at_ms)}; nothing has been heard since."
        return answer(TYPE, "unknown", "AttemptExpired", message, since_ms=fades_ms, evidence=evidence)
    check_ms = fades_ms
    if state.broadcast == "live" and state.live_since_ms is not None:
        check_ms = min(fades_ms, state.live_since_ms + around.limits.push_dropped_within_ms)
    recent = [drop for drop in drops if last.idled.at_ms - drop.idled.at_ms <= DROPS_COUNT_WITHIN_MS]
    often = (
        "" if len(recent) == 1 else f" It is the {_ordinal(len(recent))} time since {clock(recent[0].started.at_ms)}."
    )
    happened = (
        f"The push started at {clock(last.started.at_ms)} and was gone "
        f"{span(last.idled.at_ms - last.started.at_ms)} later, before any media was seen.{often} "
        "Viewers see a stream that appears and vanishes."
    )
    return true(
        TYPE, "PushDropped", happened, certainty="suspected", since_ms=drops[0].idled.at_ms, evidence=evidence,
        next_check_ms=check_ms, severity="warning" if len(recent) >= DROPS_THAT_WARN else "info",
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
