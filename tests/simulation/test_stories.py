import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import JsonValue

from receiver.livepeer.redaction import redact_body
from receiver.livepeer.signature import Keyring
from receiver.livepeer.verification import Refused, verify
from receiver.simulation.schedule import RETRY_WAITS_MS
from receiver.simulation.script import Deliver, Down, Observe, Restart, Story, WaitUntil
from receiver.simulation.stories import NAMES, build

FIXTURES = Path(__file__).parents[1] / "fixtures/events"
START_MS = 1_726_153_200_000
SECRET = "s€cret"
KEYRING = Keyring([SECRET])
STORIES = [build(name, START_MS, 1) for name in NAMES]
FAILING = {
    "lost-idle": ("recording_not_available", "StreamNotIdle"),
    "recording-not-queued": ("recording_not_available", "RecordingNotQueued"),
    "recording-overdue": ("recording_not_available", "ProcessingOverdue"),
    "recording-failed": ("recording_not_available", "ProcessingFailed"),
    "push-dropped": ("rtmp_push_rejected", "PushDropped"),
    "publish-rejected": ("rtmp_push_rejected", "PublishNotStarted"),
    "manifest-empty": ("hls_manifest_empty", "NoSegments"),
    "playback-403": ("playback_forbidden", "Forbidden"),
    "bad-signature": ("webhook_not_firing", "BodyAltered"),
    "wrong-secret": ("webhook_not_firing", "SignatureMismatch"),
}
OPTIONAL_IN_STREAM = {"issues", "ingestRate", "outgoingRate"}
"""The sender has them only after a first health report, and after a first flush of statistics."""

every_story = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)


def deliveries(story: Story) -> list[Deliver]:
    """All attempts of a story, the lost ones too."""
    return [step for step in story.steps if isinstance(step, Deliver)]


def bodies(story: Story) -> Iterator[dict[str, JsonValue]]:
    """What travels, as values."""
    for step in deliveries(story):
        yield json.loads(step.attempt(SECRET, START_MS + step.at_ms).body)


def shape(value: JsonValue) -> JsonValue:
    """The keys of a value in their order, at all depths, without what a stream may lack."""
    if isinstance(value, dict):
        return [[key, shape(member)] for key, member in value.items() if key not in OPTIONAL_IN_STREAM]
    return [shape(member) for member in value] if isinstance(value, list) else None


def fixture_shapes(event: str) -> list[JsonValue]:
    """The shapes of all fixtures of an event; an asset that failed is shaped alike in asset.updated."""
    names = [event, "asset.failed"] if event == "asset.updated" else [event]
    paths = [path for name in names for path in FIXTURES.glob(f"{name}.*json")]
    return [shape(json.loads(path.read_bytes())) for path in paths]


def test_all_stories_are_told() -> None:
    """The names that `receiver simulate` knows."""
    healthy = {"healthy", "no-recording", "takeover", "reconnect", "out-of-order", "duplicates", "outage"}
    assert healthy | set(FAILING) == set(NAMES)


@every_story
def test_a_story_expects_what_it_is_named_for(story: Story) -> None:
    """Nothing for those in which all is well."""
    expected = {FAILING[story.name]} if story.name in FAILING else set()
    assert expected == story.expected


@every_story
def test_a_story_is_in_the_order_of_its_times(story: Story) -> None:
    """From its start on; it ends by waiting, and not before its expectations are due."""
    times = [step.at_ms for step in story.steps]
    assert sorted(times) == times
    assert times[0] >= 0
    assert isinstance(story.steps[-1], WaitUntil)
    assert story.ends_ms >= max((expectation.by_ms for expectation in story.expects), default=0)


@every_story
def test_a_story_has_a_summary(story: Story) -> None:
    """One or two sentences on one line."""
    assert story.summary.endswith(".")
    assert "\n" not in story.summary


@every_story
def test_the_same_seed_tells_the_same_story(story: Story) -> None:
    """And another seed the same with other ids, so that it can be told to one service twice."""
    again, other = build(story.name, START_MS, 1), build(story.name, START_MS, 2)
    assert story == again
    assert story.stream_id != other.stream_id
    assert not {step.event.id for step in deliveries(story)} & {step.event.id for step in deliveries(other)}


@every_story
def test_every_body_has_the_shape_of_a_real_one(story: Story) -> None:
    """All keys in the sender's order, at all depths, as in a fixture of the same event."""
    for body in bodies(story):
        event = body["event"]
        assert isinstance(event, str)
        assert shape(body) in fixture_shapes(event), event


@every_story
def test_the_stream_key_is_in_no_body(story: Story) -> None:
    """The sender strips it; nothing at all is there to be redacted."""
    for body in bodies(story):
        assert "streamKey" not in json.dumps(body)
        assert body == redact_body(body)


@every_story
def test_attempts_without_flaw_are_accepted(story: Story) -> None:
    """Each is signed for its own moment."""
    for step in deliveries(story):
        now_ms = START_MS + step.at_ms
        sent = step.attempt(SECRET, now_ms)
        if step.flaw is None:
            verified = verify(sent.body, sent.signature, keyring=KEYRING, now_ms=now_ms, tolerance_ms=0)
            assert verified.envelope is not None
            assert step.event.id == verified.envelope.id


@pytest.mark.parametrize(("name", "altered"), [("bad-signature", True), ("wrong-secret", False)])
def test_attempts_with_a_flaw_are_refused(name: str, *, altered: bool) -> None:
    """As the story's name says, every one of them and at least three."""
    steps = deliveries(build(name, START_MS, 1))
    assert len(steps) >= 3
    for step in steps:
        sent = step.attempt(SECRET, START_MS + step.at_ms)
        with pytest.raises(Refused) as caught:
            verify(sent.body, sent.signature, keyring=KEYRING, now_ms=START_MS + step.at_ms, tolerance_ms=0)
        assert ("signature_mismatch", altered) == (caught.value.code, caught.value.body_altered)


@every_story
def test_attempts_at_one_event_differ_in_their_timestamp_only(story: Story) -> None:
    """What the sender emits is frozen (FACTS 12)."""
    frozen: dict[JsonValue, JsonValue] = {}
    for body in bodies(story):
        body.pop("timestamp")
        body.pop("webhookId")
        assert frozen.setdefault(body["id"], body) == body


@every_story
def test_attempts_follow_the_senders_schedule(story: Story) -> None:
    """Consecutive attempts are as far apart as FACTS 1.3 says; a resend counts as the second."""
    attempts: dict[tuple[str, str], list[Deliver]] = defaultdict(list)
    for step in deliveries(story):
        attempts[step.event.id, step.webhook_id].append(step)
    for steps in attempts.values():
        assert [1, not steps[-1].lost] == [steps[0].number, True]
        for before, after in pairwise(steps):
            if before.lost:
                assert after.number == before.number + 1
                assert RETRY_WAITS_MS[before.number - 1] == after.at_ms - before.at_ms


@every_story
def test_nothing_arrives_before_it_was_emitted(story: Story) -> None:
    """Nor while we are down."""
    downs = [step for step in story.steps if isinstance(step, Down)]
    for step in deliveries(story):
        assert step.at_ms > step.event.emitted_ms >= 0
        assert step.event.created_ms <= START_MS + step.event.emitted_ms
        assert step.lost or not any(down.at_ms <= step.at_ms < down.until_ms for down in downs)


@every_story
def test_ids_hang_together(story: Story) -> None:
    """Playback ids begin like the ids they belong to, sessions belong to the stream, assets to sessions (FACTS 2.3)."""
    assert (16, story.stream_id[:4]) == (len(story.playback_id), story.playback_id[:4])
    sessions = set()
    for step in deliveries(story):
        payload = json.loads(json.dumps(step.event.payload or {}))
        if step.event.stream is not None:
            assert (story.stream_id, story.playback_id) == (step.event.stream["id"], step.event.stream["playbackId"])
        if "session" in payload:
            assert story.stream_id == payload["session"]["parentId"]
            sessions.add(payload["session"]["id"])
        if "asset" in payload:
            asset = payload["asset"]
            assert asset["id"] == asset["snapshot"]["id"] == asset["snapshot"]["source"]["sessionId"]
            assert asset["id"][:4] == asset["snapshot"]["playbackId"][:4]
            assert asset["id"] in sessions or story.name == "out-of-order"


@every_story
def test_reports_name_the_stream(story: Story) -> None:
    """By its id or its playback id, in the form of POST /v1/observations."""
    for step in story.steps:
        if isinstance(step, Observe):
            assert {story.stream_id, story.playback_id} & {step.report.get("stream_id"), step.report.get("playback_id")}
            assert step.report["kind"] in {"publish_intent", "playback_error"}


def story_of(name: str) -> Story:
    """One of the stories."""
    return STORIES[NAMES.index(name)]


def arrivals(name: str) -> list[str]:
    """The events of a story in the order in which they arrive."""
    return [step.event.name for step in deliveries(story_of(name)) if not step.lost]


def test_a_recordings_events_carry_misleading_times() -> None:
    """asset.created that of the session's start, recording.waiting that of the idle 70 s before (FACTS 12)."""
    events = {step.event.name: step.event for step in deliveries(story_of("healthy"))}
    waiting, idle, asset = events["recording.waiting"], events["stream.idle"], events["asset.created"]
    assert 0 <= waiting.created_ms - idle.created_ms < 100
    assert waiting.emitted_ms - idle.emitted_ms > 70_000
    assert asset.created_ms < events["recording.started"].created_ms


def test_a_reconnect_has_one_recording() -> None:
    """Several pairs of started and idle, whose first idle gives recording.waiting its time."""
    names = arrivals("reconnect")
    assert (3, 3, 1, 1) == tuple(
        names.count(name) for name in ("stream.started", "stream.idle", "recording.started", "recording.waiting")
    )
    events = [step.event for step in deliveries(story_of("reconnect"))]
    first_idle = next(event for event in events if event.name == "stream.idle")
    waiting = next(event for event in events if event.name == "recording.waiting")
    assert 0 <= waiting.created_ms - first_idle.created_ms < 100


def test_out_of_order_is_out_of_order() -> None:
    """The start after the idle, the session before the start, an update before its task, ready before its update."""
    names = arrivals("out-of-order")
    assert names.index("recording.started") < names.index("stream.idle") < names.index("stream.started")
    assert names.index("recording.waiting") < names.index("task.updated") < names.index("task.spawned")
    assert "asset.updated" == names[-1]


def test_everything_comes_two_to_four_times() -> None:
    """In the story of duplicates."""
    counts: dict[str, int] = defaultdict(int)
    for step in deliveries(story_of("duplicates")):
        counts[step.event.id] += 1
    assert {2, 3, 4} == set(counts.values())
    assert any(isinstance(step, Restart) for step in story_of("duplicates").steps)


def test_an_outage_lasts_an_hour_and_is_made_up_for() -> None:
    """The idle and all that follows it arrive by later attempts."""
    story = story_of("outage")
    (down,) = [step for step in story.steps if isinstance(step, Down)]
    assert 3_600_000 == down.until_ms - down.at_ms
    assert story.takes_us_down
    late = {step.event.name for step in deliveries(story) if not step.lost and step.at_ms > down.until_ms}
    assert {"stream.idle", "recording.waiting", "recording.ready"} <= late


def test_an_unknown_story_cannot_be_told() -> None:
    """The caller shows the names."""
    with pytest.raises(KeyError):
        build("unknown", START_MS, 1)
