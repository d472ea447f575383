import pytest

from receiver.diagnosis.players import classify, gate_reason, manifest_reason
from receiver.diagnosis.values import PlaybackError

DENIED_LIVE = "#EXT-X-ERROR: Shutting down since this session is not allowed to view this stream"


@pytest.mark.parametrize(
    ("http_status", "message", "expected"),
    [
        (200, DENIED_LIVE, "forbidden"),
        (401, '{"error":"unauthorised","error_detail":""}', "forbidden"),
        (403, None, "forbidden"),
        (403, "Request not allowed", "forbidden"),
        (404, "Request not allowed", "forbidden"),
        (500, "error authorizing playback request", "forbidden"),
        (502, "Content is gated and corresponding webhook failed", "forbidden"),
        (403, "The public key is disabled or deleted", "forbidden"),
        (400, "Multiple signing keys found for the same public key.", "forbidden"),
        (400, "unknown playbackPolicy type: X", "forbidden"),
        (404, "Content not found", "forbidden"),
        (200, "#EXT-X-ERROR: Stream open failed", "offline"),
        (404, "Could not retrieve stream: 7c1ek7izba9nzj4b", "offline"),
        (404, '{"error":"not found","error_detail":""}', "offline"),
        (404, '{"errors":["No playback URL found for 7c1ek7izba9nzj4b"]}', "offline"),
        (404, None, "offline"),
        (None, "stream is offline", "offline"),
        (404, "Not online or found", "empty_manifest"),
        (None, "Stream is waiting for data", "empty_manifest"),
        (422, '{"errors":["asset is not ready for playback"]}', "empty_manifest"),
        (502, None, "empty_manifest"),
        (500, None, "empty_manifest"),
        (503, "Service Unavailable", "empty_manifest"),
        (406, None, "other"),
        (200, None, "other"),
        (None, "the network connection was lost", "other"),
        (None, None, "other"),
    ],
)
def test_a_failure_is_told_by_its_text_before_its_status(
    http_status: int | None, message: str | None, expected: PlaybackError
) -> None:
    """What viewers see of a denial, an offline stream or a start is known by FACTS 7.5; the text counts first, for
    denied HLS is HTTP 200."""
    assert expected == classify(http_status, message)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Content is gated and origin not in allowed origins", "OriginNotAllowed"),
        ("Content is gated and requires a public key", "AccessKeyMissing"),
        ("Content is gated and requires an access key", "AccessKeyMissing"),
        ("Content is gated and corresponding public key not found", "JwtKeyUnknown"),
        ("Multiple signing keys found for the same public key.", "JwtKeyUnknown"),
        ("The public key is disabled or deleted", "JwtKeyUnknown"),
        ("Content is gated and corresponding webhook not found", "GateWebhookMissing"),
        ("Content is gated and corresponding webhook failed", "GateEndpointFailed"),
        ("error authorizing playback request", "GateEndpointFailed"),
        ("Content not found", "ContentSuspended"),
        ('{"errors":["CONTENT IS GATED and requires an access key"]}', "AccessKeyMissing"),
        (DENIED_LIVE, None),
        ("unknown playbackPolicy type: X", "PolicyUnknown"),
        (None, None),
    ],
)
def test_the_gates_own_words_name_the_rule(message: str | None, expected: str | None) -> None:
    """Each answer of the gate (FACTS 7.2) that names a rule gives its reason; what viewers see of it names none."""
    assert expected == gate_reason(message)


@pytest.mark.parametrize(
    ("http_status", "message", "expected"),
    [
        (422, None, "AssetNotReady"),
        (None, "asset is not ready for playback", "AssetNotReady"),
        (502, None, "NoPlaybackNode"),
        (500, None, "ManifestUnreachable"),
        (503, "Service Unavailable", "ManifestUnreachable"),
        (404, "Not online or found", None),
        (200, "Stream is waiting for data", None),
        (None, None, None),
    ],
)
def test_a_status_may_name_why_there_is_no_manifest(
    http_status: int | None, message: str | None, expected: str | None
) -> None:
    """An asset in the making, no node at all, and a node's own fault can be told apart (FACTS 8)."""
    assert expected == manifest_reason(http_status, message)
