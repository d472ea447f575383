"""What was seen lately, as the rules ask for it: a snapshot or a finding that still says something of now."""

from receiver.diagnosis.looks import (
    FINDING_LASTS_MS,
    SNAPSHOT_LASTS_MS,
    PlaybackFinding,
    SessionLook,
    StreamLook,
)
from receiver.diagnosis.state import Decided, Probed, Recording, StreamState, StudioSeen
from receiver.diagnosis.values import Evidence
from receiver.diagnosis.verdicts import Surroundings, clock, moment, quoted, seen

MEDIA_GONE_MS = 90_000
"""A stream that Livepeer takes for active, and has not seen for so long, is lost (FACTS 4, ACTIVE_TIMEOUT)."""
_MET = {
    "plays": "it plays",
    "degraded": "it plays in the source's rendition alone",
    "empty": "the manifest has no segments",
    "stalled": "the manifest does not move on",
    "denied": "access is refused",
    "offline": "the stream is offline",
    "missing": "Livepeer knows no such playback id",
    "not_ready": "it is not ready yet",
    "unreachable": "nobody serves it",
    "unknown": "nothing that could be understood",
}


def snapshot_of(state: StreamState, now_ms: int, since_ms: int = 0) -> StudioSeen | None:
    """The last snapshot of the stream, unless it is too old, or was taken before `since_ms`."""
    studio = state.studio
    if studio is None or studio.last.at_ms < since_ms or now_ms >= studio.last.at_ms + SNAPSHOT_LASTS_MS:
        return None
    return studio


def finding_of(state: StreamState, now_ms: int, since_ms: int = 0) -> Probed | None:
    """The newest finding, however it was asked for, unless it is too old, or was made before `since_ms`."""
    found = findings_of(state, now_ms, since_ms)
    return max(found, key=lambda probed: (probed.last.at_ms, probed.last.id), default=None)


def findings_of(state: StreamState, now_ms: int, since_ms: int = 0) -> list[Probed]:
    """The newest finding of each way of asking, likewise."""
    return [
        probed
        for probed in state.probed
        if probed.last.at_ms >= since_ms and now_ms < probed.last.at_ms + FINDING_LASTS_MS
    ]


def decisions_of(state: StreamState, now_ms: int, around: Surroundings) -> Decided | None:
    """What gates decided, for as long as a player's report counts."""
    gate = state.gate
    return None if gate is None or now_ms >= gate.last.at_ms + around.limits.report_ttl_ms else gate


def fades_ms(*found: StudioSeen | Probed | None) -> int | None:
    """When the first of these says nothing any more."""
    ends = [
        one.last.at_ms + (SNAPSHOT_LASTS_MS if isinstance(one, StudioSeen) else FINDING_LASTS_MS)
        for one in found
        if one is not None
    ]
    return min(ends, default=None)


def is_gone(look: StreamLook) -> bool:
    """Whether Livepeer says that there is no such content: it is deleted, or suspended, or its owner is (FACTS 8)."""
    if look.standing == "user_suspended" or look.suspended:
        return True
    return look.standing == "missing" and look.playback_status == 404


def media_lost_ms(studio: StudioSeen) -> int | None:
    """Since when the media of a stream is gone that Livepeer still takes for active; None where it is not so."""
    look = studio.look
    if not look.is_active or look.last_seen_ms is None or studio.last.at_ms - look.last_seen_ms <= MEDIA_GONE_MS:
        return None
    return look.last_seen_ms + MEDIA_GONE_MS


def seen_in_studio(studio: StudioSeen | None) -> tuple[Evidence, ...]:
    """The evidence that a snapshot is."""
    if studio is None:
        return ()
    return seen(studio.last, f"The Studio API at {clock(studio.last.at_ms)}: {_shown(studio.look, studio.last.at_ms)}.")


def seen_by_probe(probed: Probed | None) -> tuple[Evidence, ...]:
    """The evidence that a finding is."""
    if probed is None:
        return ()
    return seen(probed.last, f"A probe at {clock(probed.last.at_ms)}{_asked(probed.finding)}: {found(probed.finding)}.")


def seen_at_gate(gate: Decided | None) -> tuple[Evidence, ...]:
    """The evidence that decisions are."""
    if gate is None:
        return ()
    told = gate.tally
    counts = {
        "allowed": told.allowed,
        "denied": told.denied,
        "failed": told.failed,
        "too slow": told.slow,
        "with a wrong signature": told.refused,
        "without a key": told.no_key,
    }
    listed = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return seen(gate.last, f"Gate `{told.gate}` since {clock(told.from_ms)}: {listed}.")


def found(finding: PlaybackFinding) -> str:
    """What a probe found, in words."""
    status = f" (HTTP {finding.http_status})" if finding.http_status is not None else ""
    said = f", and it says {quoted(finding.error_line)}" if finding.error_line else ""
    return f"{_MET[finding.verdict]}{status}{said}"


def _asked(finding: PlaybackFinding) -> str:
    how = {"none": "", "jwt": " with a JWT", "access_key": " with an access key"}[finding.credential]
    return f"{how}{' and an origin' if how and finding.origin else ' with an origin' if finding.origin else ''}"


def _shown(look: StreamLook, at_ms: int) -> str:
    if look.standing == "user_suspended":
        return "the account is suspended"
    if look.standing == "missing":
        more = "" if look.playback_status is None else f", and its playback info answers {look.playback_status}"
        return f"there is no such stream for this key{more}"
    active = {True: "active", False: "not active", None: "of unknown activity"}[look.is_active]
    parts = [active]
    parts += ["suspended"] if look.suspended else []
    parts += [f"last seen at {moment(look.last_seen_ms, at_ms)}"] if look.last_seen_ms else []
    parts += ["not healthy"] if look.is_healthy is False else []
    parts += [f"issues {quoted(look.issues)}"] if look.issues else []
    return ", ".join(parts)


def session_look(session: Recording) -> SessionLook | None:
    """What the last snapshot of the session says, where there was one."""
    return None if session.seen is None else session.seen.look
