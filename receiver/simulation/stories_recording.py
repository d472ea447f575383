"""Stories about the recording of a broadcast."""

from receiver.simulation.scenes import (
    MINUTE,
    SECOND,
    WAITING_AFTER_MS,
    go_live,
    make_recording,
    progress,
    queue_recording,
    tell,
)
from receiver.simulation.script import Expectation, Script
from receiver.simulation.sender import Event, Studio

_IDLE_MS = 5 * MINUTE
_QUEUED_MS = _IDLE_MS + WAITING_AFTER_MS
_RECORDING = "recording_not_available"
_CAUSE = "error processing file: failed to probe input: no video track found in source"


def healthy(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """A broadcast of five minutes whose recording is ready five minutes after its end."""
    tell(script, go_live(studio), [studio.idle(_IDLE_MS)], make_recording(studio, _IDLE_MS))
    script.wait_until(30 * MINUTE)
    return ()


def no_recording(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """A broadcast of a stream that does not record."""
    tell(script, go_live(studio), [studio.idle(_IDLE_MS)])
    script.wait_until(20 * MINUTE)
    return ()


def lost_idle(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """The media is lost and no stream.idle is sent; the encoder comes back a quarter of an hour later, on another node
    and in a new session."""
    tell(script, go_live(studio))
    studio.vanished(3 * MINUTE)
    back_ms = 15 * MINUTE
    tell(script, [studio.started(back_ms, region="lon"), studio.recording_started(back_ms + 1_059)])
    script.wait_until(back_ms + 5 * MINUTE)
    return (Expectation(_RECORDING, "StreamNotIdle", back_ms + 3 * MINUTE),)


def recording_not_queued(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """The broadcast ends properly, and its recording is never heard of."""
    tell(script, go_live(studio), [studio.idle(_IDLE_MS)])
    script.wait_until(_IDLE_MS + 12 * MINUTE)
    return (Expectation(_RECORDING, "RecordingNotQueued", _IDLE_MS + 9 * MINUTE),)


def recording_overdue(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """The recording is queued and begun, and then never finishes."""
    tell(script, go_live(studio), [studio.idle(_IDLE_MS)], queue_recording(studio, _QUEUED_MS, _IDLE_MS))
    begun_ms = _QUEUED_MS + 10 * SECOND
    tell(script, progress(studio, begun_ms, 0.25))
    script.wait_until(begun_ms + 20 * MINUTE)
    return (Expectation(_RECORDING, "ProcessingOverdue", begun_ms + 17 * MINUTE),)


def recording_failed(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """Processing is retried twice, after 30 s and after 180 s, and then fails."""
    tell(script, go_live(studio), [studio.idle(_IDLE_MS)], queue_recording(studio, _QUEUED_MS, _IDLE_MS))
    begun_ms = _QUEUED_MS + 10 * SECOND
    tell(script, progress(studio, begun_ms, 0.1), [_retried(studio, begun_ms + 5 * SECOND, 1)])
    tell(script, progress(studio, begun_ms + 35 * SECOND, 0.1, 1), [_retried(studio, begun_ms + 40 * SECOND, 2)])
    failed_ms = begun_ms + 225 * SECOND
    tell(script, progress(studio, begun_ms + 220 * SECOND, 0.1, 2), _failed(studio, failed_ms))
    script.wait_until(failed_ms + 10 * MINUTE)
    return (Expectation(_RECORDING, "ProcessingFailed", failed_ms + MINUTE),)


def _retried(studio: Studio, at_ms: int, retries: int) -> Event:
    message = "error downloading input: 503 Service Unavailable"
    return studio.task_changed("task.updated", at_ms, "waiting", retries=retries, errorMessage=message)


def _failed(studio: Studio, at_ms: int) -> list[Event]:
    return [
        studio.task_changed("task.updated", at_ms, "failed", errorMessage=_CAUSE, retries=2),
        studio.task_changed("task.failed", at_ms + 1, "failed", errorMessage=_CAUSE, retries=2),
        studio.asset_changed("asset.updated", at_ms + 40, "failed", errorMessage=_CAUSE),
        studio.asset_changed("asset.failed", at_ms + 44, "failed", errorMessage=_CAUSE),
    ]
