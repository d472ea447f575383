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
    """A story that can be told; its teller's docstring is the summary, `gist` the same in a few words."""

    tell: Teller
    gist: str
    record: bool = True


CATALOGUE: Mapping[str, Entry] = {
    "healthy": Entry(stories_recording.healthy, "recorded, ready 5 min after its end"),
    "no-recording": Entry(stories_recording.no_recording, "a stream that does not record", record=False),
    "lost-idle": Entry(stories_recording.lost_idle, "the media is gone, no stream.idle came"),
    "recording-not-queued": Entry(stories_recording.recording_not_queued, "it ended, nothing of the recording came"),
    "recording-overdue": Entry(stories_recording.recording_overdue, "processing begins and never ends"),
    "recording-failed": Entry(stories_recording.recording_failed, "processing fails after two retries"),
    "takeover": Entry(stories_delivery.takeover, "another node takes over while live"),
    "reconnect": Entry(stories_delivery.reconnect, "the encoder returns twice, one session"),
    "out-of-order": Entry(stories_delivery.out_of_order, "events arrive in the wrong order"),
    "duplicates": Entry(stories_delivery.duplicates, "everything arrives two to four times"),
    "outage": Entry(stories_delivery.outage, "we are down for an hour"),
    "push-dropped": Entry(stories_publish.push_dropped, "three pushes, each gone in seconds"),
    "publish-rejected": Entry(stories_publish.publish_rejected, "a publish is announced, no start comes"),
    "manifest-empty": Entry(stories_publish.manifest_empty, "live, players get no segments"),
    "playback-403": Entry(stories_publish.playback_403, "live, players are refused"),
    "bad-signature": Entry(stories_delivery.bad_signature, "a proxy writes the bodies anew"),
    "wrong-secret": Entry(stories_delivery.wrong_secret, "the webhook has another secret"),
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
        gist=entry.gist,
        summary=" ".join((entry.tell.__doc__ or "").split()),
        stream_id=studio.stream.id,
        playback_id=studio.stream.playback_id,
        steps=script.steps(),
        expects=expects,
    )
