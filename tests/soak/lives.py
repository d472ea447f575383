"""The lives of many streams at once, each with what must be diagnosed of it: a story told at the sender's own times,
and when each of its errands is first tried.

A life takes `SPAN_MS` at its source and is over when it is told: its errands go out in their order, faster or slower
than they happened, so that a soak of seconds has whole lives as one of minutes has.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from pydantic import JsonValue

from receiver.simulation.scenes import SECOND, finish_recording, go_live, progress, queue_recording
from receiver.simulation.sender import Event, Studio
from receiver.times import rfc3339

SPAN_MS = 26 * SECOND
"""No event and no report of a life is later than that after its beginning."""
IDLE_MS = 20 * SECOND
ACTED_ON = "StreamKeyMismatch"
"""The operator's callers act on diagnoses of this reason: it rests on a single report, and nothing comes after it."""

Cause: TypeAlias = tuple[str, str, str]
"""A condition, its reason, and how severe it is: a push that dropped three times is worse than one that did twice."""
Key: TypeAlias = tuple[str, str]
"""Of an errand: the id of the webhook that brings it (empty for a report), and its own."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be taken in: an event for one webhook, or a report under its key. `at_ms` is when it is first tried,
    counted from the soak's beginning."""

    id: str
    webhook_id: str
    at_ms: int
    event: Event | None = None
    report: Mapping[str, JsonValue] = field(default_factory=dict)
    observed_ms: int = 0
    """When a report was made, absolute."""

    @property
    def key(self) -> Key:
        """What it is known by."""
        return self.webhook_id, self.id


@dataclass(frozen=True, slots=True)
class Told:
    """What a teller makes of a stream: its events, its reports by their times, the webhooks that bring each event."""

    events: Sequence[Event]
    reports: Sequence[tuple[int, Mapping[str, JsonValue]]] = ()
    webhooks: int = 1


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of life; `causes` is all that may be diagnosed of it at last, and `often` how many of a hundred are."""

    tell: Callable[[Studio], Told]
    often: int
    causes: frozenset[Cause] = frozenset()
    record: bool = True


@dataclass(frozen=True, slots=True)
class Life:
    """A stream with all that is told of it."""

    kind: str
    stream_id: str
    errands: tuple[Errand, ...]
    causes: frozenset[Cause]


def healthy(studio: Studio) -> Told:
    """A broadcast and its recording."""
    return Told(_recorded(studio))


def brought_twice(studio: Studio) -> Told:
    """The same by two webhooks."""
    return Told(_recorded(studio), webhooks=2)


def reconnecting(studio: Studio) -> Told:
    """The encoder drops and returns inside one session."""
    events = [*go_live(studio), studio.idle(16 * SECOND), studio.started(17 * SECOND), studio.idle(IDLE_MS)]
    return Told([*events, *queue_recording(studio, 21 * SECOND, 16 * SECOND), *finish_recording(studio, 24 * SECOND)])


def failing(studio: Studio) -> Told:
    """The recording fails."""
    said = {"errorMessage": "no video track found"}
    events = [*_ended(studio), *progress(studio, 24 * SECOND, 0.5)]
    events.append(studio.task_changed("task.failed", 25 * SECOND, "failed", **said))
    return Told([*events, studio.asset_changed("asset.failed", 25 * SECOND + 44, "failed", **said)])


def deleted(studio: Studio) -> Told:
    """The recording is made, and deleted."""
    return Told([*_recorded(studio), studio.asset_changed("asset.deleted", 25 * SECOND, "ready")])


def dropping(studio: Studio) -> Told:
    """The encoder is gone within seconds, three times."""
    return Told(_drops(studio, 0, 8, 16))


def dropping_twice(studio: Studio) -> Told:
    """The same twice, brought by two webhooks: counted once for each, it would be four times."""
    return Told(_drops(studio, 0, 12), webhooks=2)


def idle_lost(studio: Studio) -> Told:
    """The media is gone, no `stream.idle` comes, and then a new session begins."""
    events = go_live(studio)
    studio.vanished(16 * SECOND)
    return Told([*events, studio.started(18 * SECOND, region="lon"), studio.recording_started(19 * SECOND)])


def waiting_lost(studio: Studio) -> Told:
    """The recording is made, and no `recording.waiting` came."""
    return Told([event for event in _recorded(studio) if event.name != "recording.waiting"])


def not_queued(studio: Studio) -> Told:
    """It ends, and nothing of its recording comes."""
    return Told([*go_live(studio), studio.idle(IDLE_MS)])


def overdue(studio: Studio) -> Told:
    """Processing begins, and never ends."""
    return Told(_ended(studio))


def forbidden(studio: Studio) -> Told:
    """Players of a live stream are refused, two of them."""
    report: dict[str, JsonValue] = {"kind": "playback_error", "stream_id": studio.stream.id, "http_status": 403}
    return Told(go_live(studio), [(20 * SECOND, report), (22 * SECOND, report)])


def unanswered(studio: Studio) -> Told:
    """A publish is announced, and no start comes."""
    return Told([], [(0, {"kind": "publish_intent", "stream_id": studio.stream.id})])


def wrong_key(studio: Studio) -> Told:
    """The encoder used another stream's key."""
    report: dict[str, JsonValue] = {
        "kind": "publish_rejected",
        "stream_id": studio.stream.id,
        "stream_key": "zzzz-yyyy-xxxx-wwww",
    }
    return Told([], [(20 * SECOND, report)])


def _ended(studio: Studio) -> list[Event]:
    return [*go_live(studio), studio.idle(IDLE_MS), *queue_recording(studio, 21 * SECOND, IDLE_MS)]


def _recorded(studio: Studio) -> list[Event]:
    return [*_ended(studio), *progress(studio, 22 * SECOND, 0.5), *finish_recording(studio, 23 * SECOND)]


def _drops(studio: Studio, *at_s: int) -> list[Event]:
    events: list[Event] = []
    for at in at_s:
        events.append(studio.started(at * SECOND))
        studio.vanished(at * SECOND)
        events.append(studio.idle((at + 4) * SECOND))
    return events


_RECORDING, _PUSH = "recording_not_available", "rtmp_push_rejected"
KINDS: Mapping[str, Kind] = {
    "healthy": Kind(healthy, 14),
    "brought by two webhooks": Kind(brought_twice, 10),
    "reconnecting": Kind(reconnecting, 8),
    "recording failed": Kind(failing, 8, frozenset({(_RECORDING, "ProcessingFailed", "critical")})),
    "recording deleted": Kind(deleted, 6, frozenset({(_RECORDING, "RecordingDeleted", "info")})),
    "push dropped": Kind(dropping, 6, frozenset({(_PUSH, "PushDropped", "warning")}), record=False),
    "push dropped, two webhooks": Kind(dropping_twice, 6, frozenset({(_PUSH, "PushDropped", "info")}), record=False),
    "idle lost": Kind(idle_lost, 6, frozenset({(_RECORDING, "StreamNotIdle", "warning")})),
    "recording.waiting lost": Kind(waiting_lost, 2, frozenset({("webhook_not_firing", "EventsMissing", "info")})),
    "recording not queued": Kind(not_queued, 6, frozenset({(_RECORDING, "RecordingNotQueued", "warning")})),
    "recording overdue": Kind(overdue, 6, frozenset({(_RECORDING, "ProcessingOverdue", "warning")})),
    "playback forbidden": Kind(forbidden, 6, frozenset({("playback_forbidden", "Forbidden", "warning")})),
    "publish unanswered": Kind(unanswered, 6, frozenset({(_PUSH, "PublishNotStarted", "critical")})),
    "wrong stream key": Kind(wrong_key, 10, frozenset({(_PUSH, ACTED_ON, "critical")})),
}


def lives(count: int, begin_ms: int, lasts_ms: int, random: Random) -> list[Life]:
    """So many lives that are told over the time from `begin_ms` (absolute) on; the first are one of each kind."""
    names = list(KINDS)
    weights = [kind.often for kind in KINDS.values()]
    chosen = [*names, *random.choices(names, weights, k=count)][:count]
    window_ms = min(lasts_ms // 3, SPAN_MS)
    return [_life(name, begin_ms, random.randrange(lasts_ms - window_ms), window_ms, random) for name in chosen]


def errands(told: Sequence[Life]) -> list[Errand]:
    """All errands of these lives, in the order in which they are first tried."""
    return sorted((errand for life in told for errand in life.errands), key=lambda errand: errand.at_ms)


def _life(name: str, begin_ms: int, from_ms: int, window_ms: int, random: Random) -> Life:
    kind = KINDS[name]
    start_ms = begin_ms + from_ms - SPAN_MS
    own = Random(random.getrandbits(64))  # noqa: S311 -- ids of a fiction
    studio = Studio(start_ms, own, name=name, record=kind.record)
    told = kind.tell(studio)

    def tried_ms(offset_ms: int) -> int:
        return from_ms + offset_ms * window_ms // SPAN_MS

    webhooks = [studio.webhook_id, *(studio.another_webhook() for _ in range(told.webhooks - 1))]
    made = [Errand(event.id, hook, tried_ms(event.emitted_ms), event) for event in told.events for hook in webhooks]
    for number, (at_ms, report) in enumerate(told.reports):
        observed_ms = start_ms + at_ms
        made.append(
            Errand(
                f"{studio.stream.id}-{number}",
                "",
                tried_ms(at_ms),
                report={**report, "at": rfc3339(observed_ms)},
                observed_ms=observed_ms,
            )
        )
    return Life(name, studio.stream.id, tuple(sorted(made, key=lambda errand: errand.at_ms)), kind.causes)
