"""Stories about publishing and playback: what fails before or beside the webhooks."""

from receiver.simulation.scenes import MINUTE, SECOND, go_live, tell
from receiver.simulation.script import Expectation, Script
from receiver.simulation.sender import Studio

_PUSH = "rtmp_push_rejected"
_NOT_ALLOWED = "Shutting down since this session is not allowed to view this stream"


def push_dropped(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """The encoder connects three times within three minutes, and each time it is gone before any media came."""
    for at_ms, lasted_ms in ((0, 4_000), (MINUTE, 6_000), (2 * MINUTE, 5_000)):
        tell(script, [studio.started(at_ms)])
        studio.vanished(at_ms)
        tell(script, [studio.idle(at_ms + lasted_ms)])
    script.wait_until(5 * MINUTE)
    return (Expectation(_PUSH, "PushDropped", 3 * MINUTE),)


def publish_rejected(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """The operator's system is about to publish, and Livepeer never says that the stream started."""
    script.observe(0, "publish_intent", stream_id=studio.stream.id)
    script.wait_until(5 * MINUTE)
    return (Expectation(_PUSH, "PublishNotStarted", 3 * MINUTE),)


def manifest_empty(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """The stream is live, and half a minute later players still get a manifest without segments."""
    tell(script, go_live(studio))
    for at_ms in (35 * SECOND, 50 * SECOND):
        script.observe(at_ms, "playback_error", playback_id=studio.stream.playback_id, error="empty_manifest")
    script.wait_until(3 * MINUTE)
    return (Expectation("hls_manifest_empty", "NoSegments", 2 * MINUTE),)


def playback_403(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """The stream is live, and players are refused: one tells a status, another the text of a manifest that came with
    200."""
    tell(script, go_live(studio))
    script.observe(MINUTE, "playback_error", playback_id=studio.stream.playback_id, http_status=403)
    script.observe(
        MINUTE + 5 * SECOND, "playback_error", stream_id=studio.stream.id, http_status=200, message=_NOT_ALLOWED
    )
    script.wait_until(4 * MINUTE)
    return (Expectation("playback_forbidden", "Forbidden", 2 * MINUTE),)
