"""`rtmp_push_rejected`: after a publish attempt that Livepeer did not answer, or a push that dropped at once."""

from typing import Final

from receiver.diagnosis.folding import ATTEMPT_FADES_MS, answered
from receiver.diagnosis.state import Attempt, Drop, StreamState
from receiver.diagnosis.values import Condition
from receiver.diagnosis.verdicts import Surroundings, answer, clock, overdue, seen, span, true

TYPE: Final = "rtmp_push_rejected"
DROP_FADES_MS = 600_000
DROPS_THAT_WARN = 3


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
        message = (
            f"The last attempt to publish was reported at {clock(attempt.last.at_ms)}; nothing has been heard since."
        )
        return answer(TYPE, "unknown", "AttemptExpired", message, since_ms=fades_ms, evidence=tried)
    certain = _certain(state, attempt)
    if certain is not None:
        reason, happened, since_ms = certain
        evidence = tried + (seen(state.deleted) if reason == "StreamDeleted" else ())
        return true(
            TYPE, reason, happened, certainty="confirmed", since_ms=since_ms, evidence=evidence, next_check_ms=fades_ms
        )
    due_ms = around.conclusive_ms(attempt.first.at_ms, around.limits.publish_start_within_ms)
    if now_ms < due_ms:
        message = f"{_tried(attempt)} `stream.started` is awaited; silence means something only after a while."
        return answer(
            TYPE, "unknown", "AwaitingStart", message,
            since_ms=attempt.first.at_ms, evidence=tried, next_check_ms=min(due_ms, fades_ms),
        )  # fmt: skip
    return _silent(state, attempt, due_ms, fades_ms)


def _certain(state: StreamState, attempt: Attempt) -> tuple[str, str, int] | None:
    if state.deleted is not None:
        happened = f"{_tried(attempt)} The stream was deleted, so viewers get nothing."
        return "StreamDeleted", happened, max(attempt.first.at_ms, state.deleted.at_ms)
    if attempt.report.key_is_playback_id:
        happened = (
            f"{_tried(attempt)} The key that was used is a playback id, not a stream key, so viewers get nothing."
        )
        return "StreamKeyMismatch", happened, attempt.first.at_ms
    if attempt.report.key_prefix_matches is False:
        happened = (
            f"{_tried(attempt)} The key that was used belongs to another stream: the first four characters of a "
            "stream's "
            "key are those of its id. Viewers of this stream get nothing."
        )
        return "StreamKeyMismatch", happened, attempt.first.at_ms
    return None


def _silent(state: StreamState, attempt: Attempt, due_ms: int, fades_ms: int) -> Condition:
    missing = f"{_tried(attempt)} `stream.started` was due by {clock(due_ms)} and has not come, so viewers get nothing."
    reason = "PublishNotStarted"
    if state.suspended:
        reason, missing = "StreamSuspended", f"{missing} The stream's last event showed it suspended."
    return true(
        TYPE, reason, missing, certainty="suspected", since_ms=due_ms,
        evidence=seen(attempt.last, _tried(attempt)) + overdue("stream.started", due_ms), next_check_ms=fades_ms,
    )  # fmt: skip


def _tried(attempt: Attempt) -> str:
    what = "The encoder was refused" if attempt.last.kind.endswith("publish_rejected") else "A publish was announced"
    times = "" if attempt.count == 1 else f" ({attempt.count} reports since {clock(attempt.first.at_ms)})"
    message = (attempt.report.message or "").rstrip(".")
    said = f' It said: "{message}".' if message else ""
    return f"{what} at {clock(attempt.last.at_ms)}{times}.{said}"


def _lasts(state: StreamState, now_ms: int, around: Surroundings) -> bool:
    """Whether the stream has started since the last drop, and stayed."""
    if state.broadcast != "live" or state.started is None:
        return False
    return now_ms >= state.started.at_ms + around.limits.push_dropped_within_ms


def _dropped(state: StreamState, drops: tuple[Drop, ...], now_ms: int, around: Surroundings) -> Condition:
    last, fades_ms = drops[-1], drops[-1].idled.at_ms + DROP_FADES_MS
    evidence = seen(last.started) + seen(last.idled)
    if now_ms >= fades_ms:
        message = f"The last push dropped at {clock(last.idled.at_ms)}; nothing has been heard since."
        return answer(TYPE, "unknown", "AttemptExpired", message, since_ms=fades_ms, evidence=evidence)
    settled_ms = fades_ms
    if state.broadcast == "live" and state.started is not None:
        settled_ms = min(fades_ms, state.started.at_ms + around.limits.push_dropped_within_ms)
    lasted = span(last.idled.at_ms - last.started.at_ms)
    often = "" if len(drops) == 1 else f" It is the {_ordinal(len(drops))} time since {clock(drops[0].idled.at_ms)}."
    happened = (
        f"The push started at {clock(last.started.at_ms)} and was gone {lasted} later, before any media was "
        f"seen.{often} "
        "Viewers see a stream that appears and vanishes."
    )
    return true(
        TYPE, "PushDropped", happened, certainty="suspected", since_ms=drops[0].idled.at_ms, evidence=evidence,
        next_check_ms=settled_ms, severity="warning" if len(drops) >= DROPS_THAT_WARN else "info",
    )  # fmt: skip


def _ordinal(count: int) -> str:
    return {2: "second", 3: "third"}.get(count, f"{count}th")


def _accepted(state: StreamState) -> Condition:
    newest = state.sessions[-1].started if state.sessions else None
    proof = state.started or newest
    if proof is None:
        message = "Nobody has reported an attempt to publish, and no start has been seen."
        return answer(TYPE, "unknown", "NoPublishAttempt", message)
    message = f"The last push was accepted: `{proof.kind}` at {clock(proof.at_ms)}."
    return answer(TYPE, "false", "PushAccepted", message, since_ms=proof.at_ms, evidence=seen(proof))
