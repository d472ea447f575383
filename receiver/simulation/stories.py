"""Whole stories of signed deliveries, by name. Each is data: what is sent when, and what must be diagnosed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from receiver.simulation import stories_delivery, stories_publish, stories_recording
from receiver.simulation.script import Expectation, Script, Story
from receiver.simulation.sender import Studio

Teller = Callable[[Studio, Script], tuple[Expectation, ...]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A story that can be told; its teller's docstring is the summary."""

    tell: Teller
    record: bool = True


CATALOGUE: Mapping[str, Entry] = {
    "healthy": Entry(stories_recording.healthy),
    "no-recording": Entry(stories_recording.no_recording, record=False),
    "lost-idle": Entry(stories_recording.lost_idle),
    "recording-not-queued": Entry(stories_recording.recording_not_queued),
    "recording-overdue": Entry(stories_recording.recording_overdue),
    "recording-failed": Entry(stories_recording.recording_failed),
    "takeover": Entry(stories_delivery.takeover),
    "reconnect": Entry(stories_delivery.reconnect),
    "out-of-order": Entry(stories_delivery.out_of_order),
    "duplicates": Entry(stories_delivery.duplicates),
    "outage": Entry(stories_delivery.outage),
    "push-dropped": Entry(stories_publish.push_dropped),
    "publish-rejected": Entry(stories_publish.publish_rejected),
    "manifest-empty": Entry(stories_publish.manifest_empty),
    "playback-403": Entry(stories_publish.playback_403),
    "bad-signature": Entry(stories_delivery.bad_signature),
    "wrong-secret": Entry(stories_delivery.wrong_secret),
}
NAMES: tuple[str, ...] = tuple(CATALOGUE)


def build(name: str, start_ms: int, seed: int) -> Story:
    """The story of that name, starting at that time; another seed makes other ids. Raises `KeyError` for an unknown
    name."""
    entry = CATALOGUE[name]
    studio = Studio(start_ms, Random(f"{name} {seed}"), name=name, record=entry.record)  # noqa: S311 -- ids of a fiction
    script = Script(studio.webhook_id)
    expects = entry.tell(studio, script)
    return Story(
        name=name,
        summary=" ".join((entry.tell.__doc__ or "").split()),
        stream_id=studio.stream.id,
        playback_id=studio.stream.playback_id,
        steps=script.steps(),
        expects=expects,
    )
