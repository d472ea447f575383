"""`hls_manifest_empty`: what players report and probes find, read against what the stream is doing."""

from typing import Final

from receiver.diagnosis.players import manifest_reason
from receiver.diagnosis.rules.looked import (
    fades_ms,
    finding_of,
    found,
    is_gone,
    media_lost_ms,
    seen_by_probe,
    seen_in_studio,
    snapshot_of,
)
from receiver.diagnosis.rules.players import certainty, expired, played, reported, told
from receiver.diagnosis.state import Probed, Reports, StreamState, StudioSeen
from receiver.diagnosis.values import Certainty, Condition
from receiver.diagnosis.verdicts import Surroundings, answer, clock, moment, quoted, seen, true

TYPE: Final = "hls_manifest_empty"
STARTING_MS = 15_000
"""What a probe finds of a stream that started that lately is its beginning (FACTS 10.2)."""
AGAIN_MS = 15_000
"""Until then after it, it has been probed again."""
CACHED_MS = 120_000
"""For so long playback info may say that there is no such playback id (FACTS 8)."""
COUNTED_MS = 60_000
"""Segments are counted 50 s late (FACTS 4)."""
_BEGINNING: Final = frozenset({"empty", "offline", "not_ready", "degraded"})
_NOTHING: Final = "Viewers see nothing or an error."


def judge_manifest(state: StreamState, publish: Condition, now_ms: int, around: Surroundings) -> Condition:
    """Whether players of a live stream get segments. An idle stream has none, and that is no failure, unless it should
    be live: its push was rejected, as `publish` says."""
    gone = None if state.studio is None else _gone(state, now_ms, around)
    if gone is not None:
        return gone
    if state.broadcast not in {"live", "lost"}:
        return _rejected(state, publish, now_ms, around) or _not_live(state)
    live_ms, start_ms = state.live_since_ms or 0, _start_ms(state)
    probed, full_ms = finding_of(state, now_ms, live_ms), start_ms + around.limits.first_segment_within_ms
    starting = probed is not None and probed.finding.verdict in _BEGINNING and state.manifest is None
    wait_ms = max(full_ms, start_ms + STARTING_MS) if starting else full_ms
    if starting and probed is not None and probed.last.at_ms < wait_ms:
        wait_ms += AGAIN_MS
    if probed is not None and probed.finding.verdict == "missing" and state.manifest is None:
        wait_ms = start_ms + CACHED_MS
    if now_ms < wait_ms and (probed is None or probed.finding.verdict != "plays"):
        message = (
            f"The stream started at {clock(start_ms)}; its first segment needs 5 to 10 seconds. Wait until "
            f"{clock(wait_ms)}."
        )
        return answer(
            TYPE, "unknown", "FirstSegmentPending", message,
            since_ms=live_ms, evidence=seen(state.started) + seen_by_probe(probed), next_check_ms=wait_ms,
        )  # fmt: skip
    studio = snapshot_of(state, now_ms, live_ms)
    return (
        _lost(state, probed, studio)
        or _probed(state, probed, studio, full_ms)
        or _reported(state, full_ms, live_ms, now_ms, around)
    )


def _reported(state: StreamState, full_ms: int, live_ms: int, now_ms: int, around: Surroundings) -> Condition:
    if state.manifest is not None:
        return _empty(state, state.manifest, full_ms, now_ms, around)
    if state.played is not None and state.played.at_ms >= live_ms:
        since_ms = max(state.playable_since_ms or 0, live_ms)
        return played(TYPE, "ManifestPlayable", state.played, since_ms, now_ms, around)
    message = f"The stream is live since {clock(live_ms)}. No player has reported and nothing was probed."
    return answer(TYPE, "unknown", "NotObserved", message, since_ms=live_ms, evidence=seen(state.started))


def _gone(state: StreamState, now_ms: int, around: Surroundings) -> Condition | None:
    """Somebody wants to play what Livepeer says is not there any more."""
    studio, probed, reports = snapshot_of(state, now_ms), finding_of(state, now_ms), state.manifest
    reported_lately = reports is not None and now_ms < reports.last.at_ms + around.limits.report_ttl_ms
    wanted = reported_lately or state.broadcast in {"live", "lost"} or _fails(probed)
    if studio is None or not is_gone(studio.look) or not wanted:
        return None
    happened = f"Livepeer has no such content: the stream, or its account, is suspended or deleted. {_NOTHING}"
    return true(
        TYPE, "ContentSuspended", happened, certainty="confirmed", since_ms=studio.first.at_ms,
        evidence=seen_in_studio(studio) + seen_by_probe(probed), next_check_ms=fades_ms(studio),
    )  # fmt: skip


def _fails(probed: Probed | None) -> bool:
    return probed is not None and probed.finding.verdict not in {"plays", "degraded", "unknown"}


def _lost(state: StreamState, probed: Probed | None, studio: StudioSeen | None) -> Condition | None:
    """The media is gone, and Livepeer has not noticed, or has, and we were not told. A snapshot of the start may be of
    a replica that has not seen it yet (FACTS 9)."""
    offline = probed is not None and probed.finding.verdict in {"offline", "empty", "stalled", "not_ready"}
    if studio is None or (probed is not None and not offline):
        return None
    evidence = seen_in_studio(studio) + seen_by_probe(probed) + seen(state.started)
    lost_ms = media_lost_ms(studio)
    if lost_ms is not None:
        happened = (
            f"Livepeer takes the stream for active, but has seen nothing of it since "
            f"{moment(studio.look.last_seen_ms or 0, studio.last.at_ms)}. {_NOTHING}"
        )
        sure: Certainty = "confirmed" if offline else "suspected"
        return true(
            TYPE, "MediaLost", happened, certainty=sure, since_ms=lost_ms, evidence=evidence,
            next_check_ms=fades_ms(studio, probed),
        )  # fmt: skip
    caught_up = studio.last.at_ms >= _start_ms(state) + STARTING_MS
    if studio.look.is_active is False and offline and caught_up:
        message = (
            f"The stream is over: the Studio API shows it inactive at {clock(studio.last.at_ms)}, though no "
            "`stream.idle` has come. There is no manifest until it is live."
        )
        return answer(
            TYPE, "false", "StreamOffline", message,
            since_ms=studio.first.at_ms, evidence=evidence, next_check_ms=fades_ms(studio, probed),
        )  # fmt: skip
    return None


def _probed(state: StreamState, probed: Probed | None, studio: StudioSeen | None, full_ms: int) -> Condition | None:
    """What a probe found is more than what players report."""
    if probed is None or probed.finding.verdict == "unknown":
        return None
    if probed.finding.verdict == "plays":
        message = f"A probe found at {clock(probed.last.at_ms)} that it plays."
        return answer(
            TYPE, "false", "ManifestPlayable", message,
            since_ms=max(probed.first.at_ms, state.live_since_ms or 0), evidence=seen_by_probe(probed),
            next_check_ms=fades_ms(probed),
        )  # fmt: skip
    if probed.finding.verdict == "denied":
        return _denied(state, probed)
    reason, sure = _why(probed, studio, _start_ms(state))
    if reason is None:
        return None
    health = _health(studio) if reason in {"EncoderUnhealthy", "NoSegments"} else ""
    happened = f"A probe found at {clock(probed.last.at_ms)}: {found(probed.finding)}.{health} {_NOTHING}"
    if reason == "TranscodingStalled":
        happened = (
            f"A probe at {clock(probed.last.at_ms)} found only the source rendition. Viewers on slow connections see "
            "it stall."
        )
    return true(
        TYPE, reason, happened, certainty=sure, since_ms=max(probed.first.at_ms, full_ms),
        evidence=seen_by_probe(probed) + seen_in_studio(studio) + seen(state.started),
        next_check_ms=fades_ms(probed),
    )  # fmt: skip


def _denied(state: StreamState, probed: Probed) -> Condition | None:
    """Access control stands before the manifest: it is refused, not empty. That a probe without a credential is, says
    nothing; where players report an empty manifest, that is why."""
    if state.manifest is None:
        return None
    happened = f"{told(state.manifest)} A probe was refused: access control stands before the manifest. {_NOTHING}"
    return true(
        TYPE, "AccessDenied", happened, certainty="confirmed", since_ms=state.manifest.first.at_ms,
        evidence=reported(state.manifest) + seen_by_probe(probed), next_check_ms=fades_ms(probed),
    )  # fmt: skip


def _why(probed: Probed, studio: StudioSeen | None, start_ms: int) -> tuple[str | None, Certainty]:
    finding, look = probed.finding, None if studio is None else studio.look
    if finding.verdict == "degraded":
        if look is None:
            return "TranscodingStalled", "suspected"
        if look.transcoded_segments:
            return None, "confirmed"
        counted = look.transcoded_segments == 0 and studio is not None and studio.last.at_ms >= start_ms + COUNTED_MS
        return "TranscodingStalled", "confirmed" if counted else "suspected"
    if finding.verdict in {"empty", "stalled"} or finding.reason == "FirstSegmentPending":
        return ("EncoderUnhealthy" if look is not None and look.is_healthy is False else "NoSegments"), "confirmed"
    sure = finding.verdict != "missing" and finding.http_status is not None
    return finding.reason or "ManifestUnreachable", "confirmed" if sure else "suspected"


def _health(studio: StudioSeen | None) -> str:
    issues = None if studio is None else studio.look.issues
    return f" Livepeer says of the encoder: {quoted(issues)}." if issues else ""


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
        return answer(TYPE, "unknown", "NotObserved", message, evidence=evidence)
    evidence = seen(state.deleted or state.idled)
    message = f"The stream is {state.broadcast} since {clock(state.since_ms)}; there is no manifest until it is live."
    return answer(TYPE, "false", "StreamOffline", message, since_ms=state.since_ms, evidence=evidence)


def _rejected(state: StreamState, publish: Condition, now_ms: int, around: Surroundings) -> Condition | None:
    """Players wait for a stream whose push was rejected; None where it was not, or where no player has reported."""
    reports, since_ms = state.manifest, state.since_ms or 0
    if publish.status != "true" or reports is None or reports.last.at_ms < since_ms:
        return None
    ends_ms = reports.last.at_ms + around.limits.report_ttl_ms
    if now_ms >= ends_ms:
        return expired(TYPE, reports, ends_ms)
    happened = f"The stream should be live, but {_small(told(reports))} {_NOTHING}"
    return true(
        TYPE, "StreamOffline", happened, certainty=certainty(reports),
        since_ms=max(reports.first.at_ms, publish.since_ms or 0), evidence=reported(reports), next_check_ms=ends_ms,
    )  # fmt: skip


def _empty(state: StreamState, reports: Reports, full_ms: int, now_ms: int, around: Surroundings) -> Condition:
    ends_ms = reports.last.at_ms + around.limits.report_ttl_ms
    if now_ms >= ends_ms:
        return expired(TYPE, reports, ends_ms)
    happened = f"The stream is live since {clock(state.live_since_ms or 0)}, but {_small(told(reports))} {_NOTHING}"
    return true(
        TYPE, _why_empty(state, reports), happened, certainty=certainty(reports),
        since_ms=max(reports.first.at_ms, full_ms), evidence=reported(reports) + seen(state.started),
        next_check_ms=ends_ms,
    )  # fmt: skip


def _why_empty(state: StreamState, reports: Reports) -> str:
    report = reports.report
    if state.playback_id is not None and report.identifier not in {None, state.playback_id}:
        return "WrongIdentifier"
    named = manifest_reason(report.http_status, report.message)
    return named or ("StreamOffline" if report.error == "offline" else "NoSegments")


def _small(sentence: str) -> str:
    return f"{sentence[0].lower()}{sentence[1:]}"
