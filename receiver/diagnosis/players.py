"""What players and encoders say when they fail, and what it means (FACTS 7.2, 7.5, 8).

The status alone misleads: denied HLS is a 200 with an error line. So the text is read first.
"""

from collections.abc import Sequence
from typing import TypeVar

from receiver.diagnosis.values import PlaybackError

T = TypeVar("T")

_ERROR_TEXTS: Sequence[tuple[str, PlaybackError]] = (
    ("not allowed to view this stream", "forbidden"),
    ("request not allowed", "forbidden"),
    ("content is gated", "forbidden"),
    ("unauthorised", "forbidden"),
    ("the public key is disabled or deleted", "forbidden"),
    ("multiple signing keys found", "forbidden"),
    ("unknown playbackpolicy type", "forbidden"),
    ("content not found", "forbidden"),
    ("error authorizing playback request", "forbidden"),
    ("stream open failed", "offline"),
    ("stream is offline", "offline"),
    ("could not retrieve stream", "offline"),
    ("no playback url found", "offline"),
    ("not online or found", "empty_manifest"),
    ("stream is waiting for data", "empty_manifest"),
    ("asset is not ready for playback", "empty_manifest"),
    ("empty manifest", "empty_manifest"),
    ("no segments", "empty_manifest"),
)
_ERROR_STATUSES: dict[int, PlaybackError] = {
    401: "forbidden",
    403: "forbidden",
    404: "offline",
    422: "empty_manifest",
}
_GATE_TEXTS: Sequence[tuple[str, str]] = (
    ("origin not in allowed origins", "OriginNotAllowed"),
    ("requires a public key", "AccessKeyMissing"),
    ("requires an access key", "AccessKeyMissing"),
    ("corresponding public key not found", "JwtKeyUnknown"),
    ("multiple signing keys found", "JwtKeyUnknown"),
    ("the public key is disabled or deleted", "JwtKeyUnknown"),
    ("corresponding webhook not found", "GateWebhookMissing"),
    ("corresponding webhook failed", "GateEndpointFailed"),
    ("error authorizing playback request", "GateEndpointFailed"),
    ("content not found", "ContentSuspended"),
    ("unknown playbackpolicy type", "PolicyUnknown"),
)


def classify(http_status: int | None, message: str | None) -> PlaybackError:
    """What kind of failure a player met, from what it saw."""
    found = _first(message, _ERROR_TEXTS)
    if found is None and (http_status or 0) >= 500:
        return "empty_manifest"
    return found or _ERROR_STATUSES.get(http_status or 0, "other")


def gate_reason(message: str | None) -> str | None:
    """Why the gate refused, where the message is one of the gate's own (FACTS 7.2)."""
    return _first(message, _GATE_TEXTS)


def manifest_reason(http_status: int | None, message: str | None) -> str | None:
    """Why there is no manifest, where status or message name it (FACTS 8)."""
    if "asset is not ready" in (message or "").lower() or http_status == 422:
        return "AssetNotReady"
    if http_status == 502:
        return "NoPlaybackNode"
    if http_status is not None and http_status >= 500:
        return "ManifestUnreachable"
    return None


def _first(message: str | None, texts: Sequence[tuple[str, T]]) -> T | None:
    lowered = (message or "").lower()
    return next((meaning for text, meaning in texts if text in lowered), None)
