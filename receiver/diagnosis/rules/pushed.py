"""What the Studio API shows of a stream that was tried to be published (FACTS 6, 9, 10.1): why the push is rejected, or
that it is not."""

from typing import Final

from receiver.diagnosis.looks import StreamLook
from receiver.diagnosis.rules.looked import fades_ms, finding_of, seen_by_probe, seen_in_studio
from receiver.diagnosis.state import Attempt, StreamState, StudioSeen
from receiver.diagnosis.values import Certainty, Condition
from receiver.diagnosis.verdicts import answer, clock, quoted, seen, true

TYPE: Final = "rtmp_push_rejected"
TERMINATED_NEAR_MS = 60_000
"""How near to a push the termination stands that cut it off."""
STILL_COUNTED_MS = 60_000
"""For so long after its end Livepeer may count what it has seen of a push (FACTS 4: every 50 s)."""
LAGS_MS = 10_000
_NOTHING: Final = "Viewers of this stream get nothing."
Cause = tuple[str, str, Certainty]


def judge_shown(state: StreamState, attempt: Attempt, studio: StudioSeen, now_ms: int) -> Condition | None:
    """What a snapshot that was taken after the attempt says of it; None where it shows nothing amiss."""
    cause = _cause(state, attempt, studio, now_ms)
    if cause is None:
        return _accepted(state, attempt, studio)
    reason, happened, sure = cause
    probed = finding_of(state, now_ms, attempt.first.at_ms) if reason == "ConnectedNotActive" else None
    return true(
        TYPE, reason, f"{tried_to_publish(attempt)} {happened} {_NOTHING}", certainty=sure,
        since_ms=attempt.first.at_ms,
        evidence=seen(attempt.last, tried_to_publish(attempt)) + seen_in_studio(studio) + seen_by_probe(probed),
        next_check_ms=fades_ms(studio, probed),
    )  # fmt: skip


def _cause(state: StreamState, attempt: Attempt, studio: StudioSeen, now_ms: int) -> Cause | None:
    look = studio.look
    refused = _of_account(look) or _missing(state, studio) or _suspended(look)
    if refused is not None or _came_in(state, attempt, look):
        return refused
    return _other_key(attempt, look) or _plays(state, attempt, look, now_ms) or _terminated(attempt, look)


def _of_account(look: StreamLook) -> Cause | None:
    if look.standing != "user_suspended":
        return None
    return "UserSuspended", "The Livepeer account is suspended: the API refuses every call.", "confirmed"


def _suspended(look: StreamLook) -> Cause | None:
    return (
        ("StreamSuspended", "The stream is suspended, and its key is refused.", "confirmed") if look.suspended else None
    )


def _other_key(attempt: Attempt, look: StreamLook) -> Cause | None:
    if not attempt.report.key_digest or not look.key_digest or attempt.report.key_digest == look.key_digest:
        return None
    return "StreamKeyMismatch", "The key that was used is not this stream's.", "confirmed"


def _plays(state: StreamState, attempt: Attempt, look: StreamLook, now_ms: int) -> Cause | None:
    probed = finding_of(state, now_ms, attempt.first.at_ms)
    if look.is_active is not False or probed is None or probed.finding.verdict != "plays":
        return None
    return "ConnectedNotActive", "It can be played, and yet Livepeer does not take it for active.", "confirmed"


def _terminated(attempt: Attempt, look: StreamLook) -> Cause | None:
    at_ms = look.last_terminated_ms
    if at_ms is None or abs(attempt.first.at_ms - at_ms) > TERMINATED_NEAR_MS:
        return None
    return "JustTerminated", f"The stream was terminated by the API at {clock(at_ms)}.", "confirmed"


def _missing(state: StreamState, studio: StudioSeen) -> Cause | None:
    """A stream of which no event was ever seen may have been made a moment ago, and a replica not know it yet (FACTS
    9): it is looked at twice."""
    look, known = studio.look, state.last_event is not None
    if look.standing != "missing" or (not known and studio.last.at_ms < studio.first.at_ms + LAGS_MS):
        return None
    if look.playback_status == 200:
        happened = "The key of the Studio API finds no such stream, but it can be played: it is another project's."
        return "WrongProject", happened, "confirmed"
    if look.playback_status == 404:
        return "StreamDeleted", "Livepeer has no such stream any more.", "confirmed"
    happened = (
        "The key of the Studio API finds no such stream: it was deleted, its id is mistyped, or it is of another "
        "project than RECEIVER_STUDIO_API_KEY."
    )
    return "StreamDeleted", happened, "suspected"


def _came_in(state: StreamState, attempt: Attempt, look: StreamLook) -> bool:
    """Whether Livepeer has seen media since the attempt: it was not rejected. That it is active may be left of the push
    before, and so may what it saw within a minute after that (FACTS 4, 9)."""
    before_ms = 0 if state.idled is None else state.idled.at_ms + STILL_COUNTED_MS
    return (look.last_seen_ms or 0) > max(attempt.first.at_ms, before_ms)


def _accepted(state: StreamState, attempt: Attempt, studio: StudioSeen) -> Condition | None:
    if not _came_in(state, attempt, studio.look):
        return None
    message = (
        f"The push was accepted, though no `stream.started` has come: the Studio API shows the stream "
        f"{'active' if studio.look.is_active else f'seen at {clock(studio.look.last_seen_ms or 0)}'}."
    )
    return answer(
        TYPE, "false", "PushAccepted", message,
        since_ms=attempt.first.at_ms, evidence=seen_in_studio(studio), next_check_ms=fades_ms(studio),
    )  # fmt: skip


def key_told(attempt: Attempt, look: StreamLook) -> str:
    """Whether the key can be at fault, in words."""
    if attempt.report.key_digest is not None and attempt.report.key_digest == look.key_digest:
        return "the key that was used is this stream's, which is there, and not suspended."
    return "the stream is there, and not suspended. Whether its key was used is not known: report it as `stream_key`."


def tried_to_publish(attempt: Attempt) -> str:
    """What was tried, as a sentence."""
    what = "The encoder was refused" if attempt.last.kind.endswith("publish_rejected") else "A publish was announced"
    times = "" if attempt.count == 1 else f" ({attempt.count} reports since {clock(attempt.first.at_ms)})"
    said = f" It said: {quoted(attempt.report.message)}." if attempt.report.message else ""
    return f"{what} at {clock(attempt.last.at_ms)}{times}.{said}"
