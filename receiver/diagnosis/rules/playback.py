"""`hls_manifest_empty` and `playback_forbidden`: what players report, read against what the stream is doing."""

from typing import Final

from receiver.diagnosis.players import gate_reason, manifest_reason
from receiver.diagnosis.state import Mark, Reports, StreamState
from receiver.diagnosis.values import Certainty, Condition, ConditionType, Evidence, PlaybackError
from receiver.diagnosis.verdicts import Surroundings, answer, clock, quoted, seen, true

MANIFEST: Final = "hls_manifest_empty"
FORBIDDEN: Final = "playback_forbidden"
REPORTS_THAT_CONFIRM = 3
"""A single report is suspected (DESIGN 5); that many in a row are no accident of one player."""
_MET: dict[PlaybackError | None, str] = {
    "forbidden": "was refused",
    "empty_manifest": "got no segments",
    "offline": "found the stream offline",
}


def judge_manifest(state: StreamState, publish: Condition, now_ms: int, around: Surroundings) -> Condition:
    """Whether players of a live stream get segments. An idle stream has none, and that is no failure, unless it should
    be live: its push was rejected, as `publish` says."""
    if state.broadcast not in {"live", "lost"}:
        return _rejected(state, publish, now_ms, around) or _not_live(state)
    live_ms, start_ms = state.live_since_ms or 0, _start_ms(state)
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
    if state.manifest is not None:
        return _empty(state, state.manifest, full_ms, now_ms, around)
    if state.played is not None and state.played.at_ms >= live_ms:
        since_ms = max(state.playable_since_ms or 0, live_ms)
        return _played(MANIFEST, "ManifestPlayable", state.played, since_ms, now_ms, around)
    message = f"The stream is live since {clock(live_ms)}. No player has reported and nothing was probed."
    return answer(MANIFEST, "unknown", "NotObserved", message, since_ms=live_ms, evidence=seen(state.started))


def judge_forbidden(state: StreamState, now_ms: int, around: Surroundings) -> Condition:
    """Whether players are refused, and by which rule, where a report tells."""
    if state.forbidden is not None:
        return _refused(state, state.forbidden, now_ms, around)
    if state.played is not None:
        since_ms = state.allowed_since_ms or 0
        return _played(FORBIDDEN, "PlaybackAllowed", state.played, since_ms, now_ms, around)
    return answer(FORBIDDEN, "unknown", "NotObserved", "No player has reported and nothing was probed.")


def _start_ms(state: StreamState) -> int:
    """From when on the first segment is awaited: the start, or a takeover by a node that has none yet, which takes
    nothing back that players met before."""
    live_ms = state.live_since_ms or 0
    started_ms = state.started.at_ms if state.started else 0
    failing = state.manifest is not None and state.manifest.first.at_ms < started_ms
    return live_ms if failing else max(live_ms, started_ms)


def _not_live(state: StreamState) -> Condition:
    if state.since_ms is None:
        evidence = seen(state.manifest.last) if state.manifest else ()
        message = "Neither a start nor an end of this stream has been seen, so it is not known whether it is live."
        return answer(MANIFEST, "unknown", "NotObserved", message, evidence=evidence)
    evidence = seen(state.deleted or state.idled)
    message = f"The stream is {state.broadcast} since {clock(state.since_ms)}; there is no manifest until it is live."
    return answer(MANIFEST, "false", "StreamOffline", message, since_ms=state.since_ms, evidence=evidence)


def _rejected(state: StreamState, publish: Condition, now_ms: int, around: Surroundings) -> Condition | None:
    """Players wait for a stream whose push was rejected; None where it was not, or where no player has reported."""
    reports, since_ms = state.manifest, state.since_ms or 0
    if publish.status != "true" or reports is None or reports.last.at_ms < since_ms:
        return None
    fades_ms = reports.last.at_ms + around.limits.report_ttl_ms
    if now_ms >= fades_ms:
        return _expired(MANIFEST, reports, fades_ms)
    happened = f"The stream should be live, but {_told(reports)} Viewers see nothing or an error."
    return true(
        MANIFEST, "StreamOffline", happened, certainty=_certainty(reports),
        since_ms=max(reports.first.at_ms, publish.since_ms or 0), evidence=_reported(reports), next_check_ms=fades_ms,
    )  # fmt: skip


def _empty(state: StreamState, reports: Reports, full_ms: int, now_ms: int, around: Surroundings) -> Condition:
    fades_ms = reports.last.at_ms + around.limits.report_ttl_ms
    if now_ms >= fades_ms:
        return _expired(MANIFEST, reports, fades_ms)
    happened = (
        f"The stream is live since {clock(state.live_since_ms or 0)}, but {_told(reports)} Viewers see nothing "
        "or an error."
    )
    return true(
        MANIFEST, _why_empty(state, reports), happened, certainty=_certainty(reports),
        since_ms=max(reports.first.at_ms, full_ms), evidence=_reported(reports) + seen(state.started),
        next_check_ms=fades_ms,
    )  # fmt: skip


def _why_empty(state: StreamState, reports: Reports) -> str:
    report = reports.report
    if state.playback_id is not None and report.identifier not in {None, state.playback_id}:
        return "WrongIdentifier"
    named = manifest_reason(report.http_status, report.message)
    return named or ("StreamOffline" if report.error == "offline" else "NoSegments")


def _refused(state: StreamState, reports: Reports, now_ms: int, around: Surroundings) -> Condition:
    fades_ms = reports.last.at_ms + around.limits.report_ttl_ms
    if now_ms >= fades_ms:
        return _expired(FORBIDDEN, reports, fades_ms)
    gone = state.suspended or state.deleted is not None
    reason = gate_reason(reports.report.message) or ("ContentSuspended" if gone else "Forbidden")
    return true(
        FORBIDDEN, reason, f"{_capital(_told(reports))} Such viewers cannot watch.", certainty=_certainty(reports),
        since_ms=reports.first.at_ms, evidence=_reported(reports), next_check_ms=fades_ms,
    )  # fmt: skip


def _played(
    condition: ConditionType, reason: str, played: Mark, since_ms: int, now_ms: int, around: Surroundings
) -> Condition:
    fades_ms = played.at_ms + around.limits.report_ttl_ms
    message = f"A player reported at {clock(played.at_ms)} that it plays."
    if now_ms >= fades_ms:
        message += " That is too long ago to say anything of now."
        return answer(condition, "unknown", "ReportExpired", message, since_ms=fades_ms, evidence=seen(played))
    return answer(condition, "false", reason, message, since_ms=since_ms, evidence=seen(played), next_check_ms=fades_ms)


def _expired(condition: ConditionType, reports: Reports, fades_ms: int) -> Condition:
    message = (
        f"{_capital(_told(reports))} Nothing has been heard since, and that is too long ago to say anything of now."
    )
    return answer(condition, "unknown", "ReportExpired", message, since_ms=fades_ms, evidence=_reported(reports))


def _certainty(reports: Reports) -> Certainty:
    return "confirmed" if reports.count >= REPORTS_THAT_CONFIRM else "suspected"


def _reported(reports: Reports) -> tuple[Evidence, ...]:
    return seen(reports.last, _capital(_told(reports)))


def _told(reports: Reports) -> str:
    """What players met, as a sentence that begins small."""
    report, met = reports.report, _MET.get(reports.report.error, "failed")
    status = f" (HTTP {report.http_status})" if report.http_status else ""
    said = f", and said {quoted(report.message)}" if report.message else ""
    if reports.count == 1:
        return f"a player {met} at {clock(reports.last.at_ms)}{status}{said}."
    times = f"{reports.count} times since {clock(reports.first.at_ms)}, last at {clock(reports.last.at_ms)}"
    return f"a player {met} {times}{status}{said}."


def _capital(sentence: str) -> str:
    return f"{sentence[0].upper()}{sentence[1:]}"
