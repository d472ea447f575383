"""What an answer means for a viewer: by its body first, its status second (FACTS 7.5, 8, 10.2, 10.3). Pure."""

from typing import Final

from msgspec import Struct

from receiver.diagnosis.catalogue import CATALOGUE
from receiver.diagnosis.players import classify, gate_reason, manifest_reason
from receiver.diagnosis.values import ConditionType
from receiver.evidence.probing.playback_info import PlaybackInfo
from receiver.evidence.probing.playlists import Playlist
from receiver.evidence.probing.values import Credential, Verdict

_NOT_YET: Final = "not online or found"
_WAITS: Final = "stream is waiting for data"
_TOO_MANY: Final = 429


class Finding(Struct, frozen=True, gc=False):
    """A verdict and its reason."""

    verdict: Verdict
    reason: str | None = None


class Asked(Struct, frozen=True):
    """How something was asked for: what the playback info said, which credential and origin were sent."""

    info: PlaybackInfo | None = None
    credential: Credential = "none"
    origin: str | None = None

    @property
    def of_live(self) -> bool:
        """Whether it may be a live stream: what is not known may be one."""
        return self.info is None or self.info.type in {None, "live"}


def condition_of(verdict: Verdict, reason: str) -> ConditionType:
    """Which condition's catalogue has the reason of such a verdict."""
    of_gate = verdict == "denied" and reason in CATALOGUE["playback_forbidden"].reasons
    return "playback_forbidden" if of_gate else "hls_manifest_empty"


def of_playback_info(status: int, text: str) -> Finding:
    """An answer of the playback info that is none of a playback id (FACTS 8)."""
    if status == 404:
        return Finding("missing", "WrongIdentifier")
    if status == 422 and manifest_reason(None, text) is not None:
        return Finding("not_ready", "AssetNotReady")
    return Finding("unknown")


def of_error_line(text: str, asked: Asked) -> Finding:
    """A manifest with an error in it, which comes with a 200."""
    return _by_text(None, text, asked) or Finding("unreachable", "ManifestUnreachable")


def of_no_playlist(status: int, text: str, asked: Asked) -> Finding:
    """An answer that is no manifest."""
    found = _by_text(status, text, asked)
    if found is not None:
        return found
    if status in {401, 403}:
        return Finding("denied", "ForbiddenElsewhere" if text.strip() else "Forbidden")
    if status == 404:
        return Finding("offline", "StreamOffline") if asked.of_live else Finding("unreachable", "ManifestUnreachable")
    if status == 422:
        return Finding("not_ready", "AssetNotReady")
    if status == _TOO_MANY:
        return Finding("unknown")
    reason = manifest_reason(status, text)
    empty_bad_gateway = reason == "NoPlaybackNode" and not text.strip()
    return Finding("unreachable", "NoPlaybackNode" if empty_bad_gateway else "ManifestUnreachable")


def of_playlist(playlist: Playlist) -> Finding:
    """A media playlist as it stands, or a master that lists nothing."""
    return Finding("plays") if playlist.segments else Finding("empty", "NoSegments")


def moved(before: Playlist, after: Playlist) -> bool:
    """Whether a live playlist went on: with another newest segment, which a restart brings as well, or to its end."""
    return after.ended or _newest(after) > _newest(before) or after.last != before.last


def _newest(playlist: Playlist) -> int:
    return (playlist.media_sequence or 0) + playlist.segments


def of_webrtc(status: int, text: str, asked: Asked) -> Finding | None:
    """What a refusal by WebRTC adds; None where it tells nothing, as a 406 does: use HLS instead (FACTS 7.5)."""
    return None if status == 406 else _by_text(None, text, asked)


def _by_text(status: int | None, text: str, asked: Asked) -> Finding | None:
    """What Livepeer's own words say; None where these are not such."""
    kind, lowered = classify(None, text), text.lower()
    if kind == "forbidden":
        return Finding("denied", gate_reason(text) or _denied(status, asked))
    if kind == "offline":
        return Finding("offline", "StreamOffline")
    if _NOT_YET in lowered or _WAITS in lowered:
        return Finding("not_ready", "FirstSegmentPending")
    if kind == "empty_manifest":
        return Finding("not_ready", "AssetNotReady") if manifest_reason(None, text) else Finding("empty", "NoSegments")
    return None


def _denied(status: int | None, asked: Asked) -> str:
    """Why, as far as the policy and what was sent tell; the manifest itself names no rule (FACTS 7.2, 7.5)."""
    info = asked.info
    if info is not None and info.origins is not None and asked.origin not in info.origins:
        return "OriginNotAllowed"
    if info is not None and info.policy != "public":
        if asked.credential == "none":
            return "AccessKeyMissing"
        if asked.credential == "both" and info.policy == "jwt":
            return "BothCredentials"
    return "AccessDenied" if status is None else "Forbidden"
