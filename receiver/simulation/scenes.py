"""The scenes that stories share: going live, ending, and the making of a recording.

All offsets are milliseconds from the story's start; events come in the order in which the sender publishes them
(FACTS 3).
"""

from receiver.simulation.script import Script
from receiver.simulation.sender import Event, Studio

SECOND = 1_000
MINUTE = 60 * SECOND
WAITING_AFTER_MS = 70_300
"""recording.waiting came 70.3 s after idle (FACTS 12)."""


def go_live(studio: Studio, at_ms: int = 0) -> list[Event]:
    """The stream starts and, if it records, its first session; the first target is connected."""
    events = [studio.started(at_ms)]
    if studio.stream.record:
        events.append(studio.recording_started(at_ms + 1_059))
    return [*events, studio.multistream_connected(at_ms + 15_348)]


def queue_recording(studio: Studio, at_ms: int, first_idle_ms: int) -> list[Event]:
    """The session is over and its processing begins: asset and task come before recording.waiting."""
    return [
        studio.asset_created(at_ms),
        studio.task_spawned(at_ms + 155),
        studio.task_queued(at_ms + 181),
        studio.recording_waiting(at_ms + 200, first_idle_ms),
    ]


def progress(studio: Studio, at_ms: int, share: float, retries: int = 0) -> list[Event]:
    """The task runs, and so much of it is done."""
    return [
        studio.task_changed("task.updated", at_ms, "running", retries=retries, progress=share),
        studio.asset_changed("asset.updated", at_ms + 27, "processing", progress=share),
    ]


def finish_recording(studio: Studio, at_ms: int) -> list[Event]:
    """The recording is ready."""
    return [
        studio.asset_changed("asset.updated", at_ms, "ready"),
        studio.asset_changed("asset.ready", at_ms + 3, "ready"),
        studio.recording_ready(at_ms + 19),
        studio.task_changed("task.updated", at_ms + 38, "completed"),
        studio.task_changed("task.completed", at_ms + 40, "completed"),
    ]


def make_recording(studio: Studio, idle_ms: int, waiting_ms: int | None = None) -> list[Event]:
    """All that follows an idle that ends a session: queued after 70 s, three reports of progress, ready five minutes
    after the idle, as usual."""
    at_ms = idle_ms + WAITING_AFTER_MS if waiting_ms is None else waiting_ms
    events = queue_recording(studio, at_ms, idle_ms)
    for index, share in enumerate((0.25, 0.5, 0.75)):
        events += progress(studio, at_ms + 10 * SECOND + index * MINUTE, share)
    return events + finish_recording(studio, at_ms + 230 * SECOND)


def tell(script: Script, *scenes: list[Event]) -> None:
    """Everything arrives at its first attempt."""
    for events in scenes:
        script.deliver(*events)
