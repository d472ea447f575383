"""`hls_manifest_empty` and `playback_forbidden`: what players report, read against what the stream is doing."""

from typing import Final

from receiver.diagnosis.players import gate_reason, manifest_reason
from receiver.diagnosis.state import Reports, StreamState
from receiver.diagnosis.values import Certainty, Condition, ConditionType
from receiver.diagnosis.verdicts import Surroundings, answer, clock, seen, true

MANIFEST: Final = "hls_manifest_empty"
FORBIDDEN: Final = "playback_forbidden"
REPORTS_THAT_CONFIRM = 3
"""A single report is suspected (DESIGN 5); that many in a row are no accident of one player."""


def judge_manifest(state: StreamState, now_ms: int, around: Surroundings) -> Condition:
    """Whether players of a live stream get segments. An idle stream has none, and that is no failure."""
    if state.broadcast not in {"live", "lost"}:
        return _not_live(state)
    live_ms = state.live_since_ms or 0
    start_ms = max(live_ms, state.started.at_ms if state.started else 0)
    full_ms = start_ms + around.limits.first_segment_within_ms
    if now_ms < full_ms:
        message = (
            f"The stream started at {clock(start_ms)}; its first segment needs 5 to 10 seconds. Wait until "
            f"{clock(full_ms)}."
        )
        return answer(
            MANIFEST, "unknown", "FirstSegmentPending", message,
            since_ms=live_ms, evidence=seen(state.started), next_check_ms=full_ms,
        )  # fmt: skip
    reports = state.manifest
    if reports is not None and reports.last.at_ms >= live_ms:
        return _reported_empty(state, reports, full_ms, now_ms, around)
    if state.played is not None and state.played.at_ms >= live_ms:
        return _played(MANIFEST, "ManifestPlayable", state, now_ms, around)
    message = f"The stream is live since {clock(live_ms)}. No player has reported and nothing was probed."
    return answer(MANIFEST, "unknown", "NotObserved", message, since_ms=live_ms, evidence=seen(state.started))


def judge_forbidden(state: StreamState, now_ms: int, around: Surroundings) -> Condition:
    """Whether players are refused, and by which rule, where a report tells."""
    reports = state.forbidden
    if reports is not None:
        return _reported_forbidden(state, reports, now_ms, around)
    if state.played is not None:
        return _played(FORBIDDEN, "PlaybackAllowed", state, now_ms, around)
    return answer(FORBIDDEN, "unknown", "NotObserved", "No player has reported and nothing was probed.")


def _not_live(state: StreamState) -> Condition:
    if state.since_ms is None:
        evidence = seen(state.manifest.last) if state.manifest else ()
        message = "No event of this stream has come, so it is not known whether it should be live."
        return answer(MANIFEST, "unknown", "NotObserved", message, evidence=evidence)
    evidence = seen(state.deleted or state.idled)
    message = f"The stream is {state.broadcast} since {clock(state.since_ms)}; there is no manifest until it is live."
    return answer(MANIFEST, "false", "StreamOffline", message, since_ms=state.since_ms, evidence=evidence)


def _reported_empty(state: StreamState, reports: Reports, full_ms: int, now_ms: int, around: Surroundings) -> Condition:
    fades_ms = reports.last.at_ms + around.limits.report_ttl_ms
    if now_ms >= fades_ms:
        return _expired(MANIFEST, reports, fades_ms)
    reason = manifest_reason(reports.report.http_status, reports.report.message)
    if reports.report.identifier not in {None, state.playback_id} and state.playback_id is not None:
        reason = "WrongIdentifier"
    if reason is None:
        reason = "StreamOffline" if reports.report.error == "offline" else "NoSegments"
    happened = (
        f"The stream is live since {clock(state.live_since_ms or 0)}, but {_told(reports)} Viewers see nothing "
        "or an error."
    )
    return true(
        MANIFEST, reason, happened, certainty=_certainty(reports), since_ms=max(reports.first.at_ms, full_ms),
        evidence=seen(reports.last, _told(reports)) + seen(state.started), next_check_ms=fades_ms,
    )  # fmt: skip


def _reported_forbidden(state: StreamState, reports: Reports, now_ms: int, around: Surroundings) -> Condition:
    fades_ms = reports.last.at_ms + around.limits.report_ttl_ms
    if now_ms >= fades_ms:
        return _expired(FORBIDDEN, reports, fades_ms)
    reason = gate_reason(reports.report.message) or ("ContentSuspended" if state.suspended else "Forbidden")
    told = _told(reports)
    happened = f"{told[0].upper()}{told[1:]} Such viewers cannot watch."
    return true(
        FORBIDDEN, reason, happened, certainty=_certainty(reports), since_ms=reports.first.at_ms,
        evidence=seen(reports.last, _told(reports)), next_check_ms=fades_ms,
    )  # fmt: skip


def _played(condition: ConditionType, reason: str, state: StreamState, now_ms: int, around: Surroundings) -> Condition:
    played = state.played
    fades_ms = (played.at_ms if played else 0) + around.limits.report_ttl_ms
    if played is None or now_ms >= fades_ms:
        message = "The last player's report is too old to say anything of now."
        return answer(condition, "unknown", "ReportExpired", message, since_ms=fades_ms, evidence=seen(played))
    message = f"A player reported at {clock(played.at_ms)} that it plays."
    return answer(
        condition, "false", reason, message, since_ms=played.at_ms, evidence=seen(played), next_check_ms=fades_ms
    )


def _expired(condition: ConditionType, reports: Reports, fades_ms: int) -> Condition:
    message = f"The last player's report came at {clock(reports.last.at_ms)}; nothing has been heard since."
    return answer(
        condition, "unknown", "ReportExpired", message, since_ms=fades_ms, evidence=seen(reports.last, _told(reports))
    )


def _certainty(reports: Reports) -> Certainty:
    return "confirmed" if reports.count >= REPORTS_THAT_CONFIRM else "suspected"


_WHAT: Final = {"empty_manifest": "an empty manifest", "offline": "an offline stream", "forbidden": "a refusal"}


def _told(reports: Reports) -> str:
    what = _WHAT.get(reports.report.error or "", "an error")
    status = f" (HTTP {reports.report.http_status})" if reports.report.http_status else ""
    message = (reports.report.message or "").rstrip(".")
    said = f': "{message}".' if message else "."
    if reports.count == 1:
        return f"a player reported {what} at {clock(reports.last.at_ms)}{status}{said}"
    since, last = clock(reports.first.at_ms), clock(reports.last.at_ms)
    return f"{reports.count} reports by players of {what} since {since}, the last at {last}{status}{said}"
