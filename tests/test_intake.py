"""What the sender's events and the operator's observations are to the state machines."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from receiver.diagnosis.values import Phase, Report, SessionFacts, Signal, StreamFacts, WorkFacts
from receiver.intake import Route, read_event, read_observation, route
from receiver.livepeer.envelope import Envelope, envelope_of, read_envelope

EVENTS = Path(__file__).parent / "fixtures" / "events"
STREAM_ID = "7c1ea8c3-7aeb-4789-9460-a106bfc33508"
PLAYBACK_ID = "7c1ek7izba9nzj4b"
WEBHOOK_ID = "c0ae0056-4649-4aa9-af59-e281a258d649"
SESSION_ID = "cd145c0e-078f-4e39-9e7f-5269fba36974"
FAILED_SESSION_ID = "b663d059-aca2-46cf-b61b-c2853f05f87a"
MANIFEST_URL = "https://vod-cdn.example-storage.net/hls/cd14p3x4fpw41z3m/index.m3u8"
NO_VIDEO = "error processing file: failed to probe input: no video track found in source"
SESSION_BEGAN_MS = 1726153201207


def of_stream(name: str, id_: str, at_ms: int, rank: int, attempted_ms: int, segments: int) -> Signal:
    """An event about the stream of the fixtures, which had so many segments by then."""
    return Signal(
        id=id_,
        kind=name,
        at_ms=at_ms,
        attempted_ms=attempted_ms,
        position=f"00{at_ms}:{rank}:{id_}",
        webhook_id=WEBHOOK_ID,
        stream_id=STREAM_ID,
        created_ms=at_ms,
        stream=StreamFacts("town-hall", PLAYBACK_ID, record=True, suspended=False, source_segments=segments),
    )


def of_recording(
    name: str, id_: str, at_ms: int, rank: int, attempted_ms: int, segments: int, url: str | None = None
) -> Signal:
    """An event about the recording of the fixtures' good session."""
    return Signal(
        id=id_,
        kind=name,
        at_ms=at_ms,
        attempted_ms=attempted_ms,
        position=f"00{at_ms}:{rank}:{id_}",
        webhook_id=WEBHOOK_ID,
        stream_id=STREAM_ID,
        session_id=SESSION_ID,
        created_ms=at_ms,
        stream=StreamFacts("town-hall", PLAYBACK_ID, record=True, suspended=False, source_segments=segments),
        session=SessionFacts(SESSION_ID, SESSION_BEGAN_MS, record=True, recording_url=url),
    )


def of_work(  # noqa: PLR0913 -- what an asset's or a task's event tells
    name: str,
    id_: str,
    at_ms: int,
    rank: int,
    attempted_ms: int,
    phase: Phase,
    *,
    created_ms: int | None = None,
    session_id: str | None = SESSION_ID,
    webhook_id: str = WEBHOOK_ID,
    error: str | None = None,
    progress: float | None = None,
    url: str | None = None,
) -> Signal:
    """An event about an asset or a task; it stands where its status was written, and names no stream."""
    return Signal(
        id=id_,
        kind=name,
        at_ms=at_ms,
        attempted_ms=attempted_ms,
        position=f"00{at_ms}:{rank}:{id_}",
        webhook_id=webhook_id,
        session_id=session_id,
        created_ms=at_ms if created_ms is None else created_ms,
        work=WorkFacts(phase, error, progress, url),
    )


READ = {
    "stream.started": of_stream(
        "stream.started", "fed79a96-899f-4c00-9fdc-ca0ff9ef7c2e", 1726153200184, 10, 1726153200497, 0
    ),
    "stream.idle": of_stream(
        "stream.idle", "0e0ac0f5-877f-43e8-b57f-1a1de14f0509", 1726155006402, 30, 1726155006733, 903
    ),
    "stream.idle.from-cleanup": of_stream(
        "stream.idle", "50496326-4f0d-4228-b0b7-2ca5fe40fbc1", 1726155138213, 30, 1726155138526, 903
    ),
    "stream.detection": of_stream(
        "stream.detection", "448bbf4e-c989-4e2a-aa27-bd8b5adced23", 1726153800410, 45, 1726153800688, 5
    ),
    "multistream.connected": of_stream(
        "multistream.connected", "3c1ca351-25f1-4d5e-9b00-ab0091774051", 1726153215532, 25, 1726153215790, 5
    ),
    "multistream.disconnected": of_stream(
        "multistream.disconnected", "1c071ec1-ffb8-4030-9733-1f23dd9742b1", 1726154702733, 45, 1726154703019, 751
    ),
    "multistream.error": of_stream(
        "multistream.error", "ffebbdf6-9500-4760-a771-c4eae87e059b", 1726153219877, 45, 1726153220102, 5
    ),
    "playback.user.new.hypothetical": of_stream(
        "playback.user.new", "c9b896d4-669c-41f3-a476-9279767308ea", 1726153245000, 45, 1726153245210, 5
    ),
    "recording.started": of_recording(
        "recording.started", "0eaf3ded-c2aa-45a1-84b1-b1967749e66c", 1726153201243, 20, 1726153201561, 0
    ),
    "recording.waiting": of_recording(
        "recording.waiting", "0f40fa86-a2f1-4cfd-9a20-472e8ad671b0", 1726155006465, 40, 1726155076877, 903
    ),
    "recording.ready": of_recording(
        "recording.ready", "12aaaef9-1596-42d4-b2e8-bd143b7f921c", 1726155298161, 63, 1726155298472, 903, MANIFEST_URL
    ),
    "asset.created": of_work(
        "asset.created", "8ee277bc-1e87-491b-b652-736a0d1c1b98", 1726155076790, 50, 1726155077091, "working",
        created_ms=SESSION_BEGAN_MS,
    ),
    "asset.created.url-upload": of_work(
        "asset.created", "66222d2a-2849-424e-b9c8-b9195ccd54fd", 1726153320044, 50, 1726153320391, "working",
        session_id=None,
    ),
    "asset.updated.processing": of_work(
        "asset.updated", "ec50b53a-c713-4542-bd60-38677f14aa42", 1726155085851, 53, 1726155086140, "working",
        created_ms=1726155085861, progress=0.25,
    ),
    "asset.updated.ready": of_work(
        "asset.updated", "2a575b23-c12c-4899-92ab-c592333c719f", 1726155298120, 53, 1726155298421, "ready",
        created_ms=1726155298142, url=MANIFEST_URL,
    ),
    "asset.updated.patched": of_work(
        "asset.updated", "5a25b77c-cfc4-43e3-9ce9-8c721ddfcf9a", 1726160698120, 53, 1726160698364, "ready",
        created_ms=1726160698132, url=MANIFEST_URL,
    ),
    "asset.ready": of_work(
        "asset.ready", "3638d6ee-6f74-498c-8632-926f3dc4fcfa", 1726155298120, 62, 1726155298430, "ready",
        created_ms=1726155298145, url=MANIFEST_URL,
    ),
    "asset.ready.legacy-webhook": of_work(
        "asset.ready", "3638d6ee-6f74-498c-8632-926f3dc4fcfa", 1726155298120, 62, 1726155298438, "ready",
        created_ms=1726155298145, url=MANIFEST_URL, webhook_id="5d23fb25-0650-49cd-94d9-9e7c79e8452a",
    ),
    "asset.failed": of_work(
        "asset.failed", "1eb39d0f-83f6-4ae9-99f4-a0d73d88d891", 1726161013800, 61, 1726161014102, "failed",
        created_ms=1726161013844, session_id=FAILED_SESSION_ID, error=NO_VIDEO,
    ),
    "asset.deleted": of_work(
        "asset.deleted", "c7ef9b92-abbf-4c99-b549-64c3988bb6df", 1726241698151, 70, 1726241698410, "deleted",
        url=MANIFEST_URL,
    ),
    "task.spawned": of_work(
        "task.spawned", "4cd66152-489e-41e9-afb3-6ba5122674c8", 1726155076945, 51, 1726155077288, "working"
    ),
    "task.updated.waiting": of_work(
        "task.updated", "5be16186-6027-44d9-b3e1-287f216825d9", 1726155076971, 52, 1726155077320, "working"
    ),
    "task.updated.running": of_work(
        "task.updated", "24fbe18a-4593-4fd4-891f-cd806bda6455", 1726155085834, 52, 1726155086092, "working",
        progress=0.25,
    ),
    "task.updated.retry": of_work(
        "task.updated", "91d22384-5e66-47fa-adfd-e90796c1f405", 1726160803201, 52, 1726160803466, "working",
        session_id=FAILED_SESSION_ID, error="error downloading input: 503 Service Unavailable",
    ),
    "task.updated.completed": of_work(
        "task.updated", "aba4b2f9-66f9-42e1-9582-5931c2c8ab0c", 1726155298180, 52, 1726155298491, "ready"
    ),
    "task.updated.failed": of_work(
        "task.updated", "5b70e094-bd43-40b8-9fdb-765550b92bd2", 1726161013800, 52, 1726161014066, "failed",
        session_id=FAILED_SESSION_ID, error=NO_VIDEO,
    ),
    "task.completed": of_work(
        "task.completed", "259784eb-d115-4768-88a6-d6dc6cfd97c4", 1726155298180, 64, 1726155298497, "ready"
    ),
    "task.failed": of_work(
        "task.failed", "5a139ff1-82c2-4b63-aa30-73e514da742f", 1726161013800, 60, 1726161014071, "failed",
        session_id=FAILED_SESSION_ID, error=NO_VIDEO,
    ),
}  # fmt: skip


def envelope(name: str) -> Envelope:
    """The envelope of a fixture."""
    return read_envelope((EVENTS / f"{name}.json").read_bytes())


def changed(name: str, *path: str, to: JsonValue) -> Envelope:
    """The envelope of a fixture in which what stands at `path` is another value."""
    value: Any = json.loads((EVENTS / f"{name}.json").read_bytes())
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = to
    return envelope_of(value)


def test_every_fixture_is_expected() -> None:
    """No kind of event is left out below."""
    assert {file.stem for file in EVENTS.glob("*.json")} == set(READ)


@pytest.mark.parametrize("name", READ)
def test_an_event_is_read_to_its_signal(name: str) -> None:
    """What each event of FACTS 3 tells the machines, and where it stands."""
    told = envelope(name)
    assert READ[name] == read_event(told, told.timestamp_ms, None)


@pytest.mark.parametrize("name", READ)
def test_an_event_is_routed_as_it_is_read(name: str) -> None:
    """Where the inbox files an event is where the machines find it."""
    told, signal = envelope(name), READ[name]
    expected = Route(
        kind=signal.kind,
        stream_id=signal.stream_id,
        session_id=signal.session_id,
        playback_id=None,
        position=signal.position,
        at_ms=signal.at_ms,
        created_ms=told.created_ms,
        attempted_ms=told.timestamp_ms,
    )
    assert expected == route(told)


def test_what_was_found_out_beside_the_body_is_added() -> None:
    """The lowest attempt time of all deliveries, and the stream that a recording's asset belongs to."""
    signal = read_event(envelope("asset.created"), 1726155070000, STREAM_ID)
    assert (1726155070000, STREAM_ID) == (signal.attempted_ms, signal.stream_id)


def test_a_deletion_stands_at_its_own_time() -> None:
    """`asset.deleted` shows the asset as it was before: neither its status's time nor its phase are the deletion's."""
    told = envelope("asset.deleted")
    assert (told.created_ms, "deleted") == (
        route(told).at_ms,
        READ["asset.deleted"].work and READ["asset.deleted"].work.phase,
    )


def test_an_asset_without_a_status_stands_where_it_was_emitted() -> None:
    """No time of its own, so the event's has to do; that it exists means that somebody works on it."""
    told = changed("asset.updated.processing", "payload", "asset", "snapshot", "status", to=None)
    signal = read_event(told, told.timestamp_ms, None)
    assert (told.created_ms, WorkFacts("working")) == (signal.at_ms, signal.work)


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("uploading", "working"),
        ("waiting", "working"),
        ("processing", "working"),
        ("ready", "ready"),
        ("failed", "failed"),
        ("deleting", "deleted"),
        ("deleted", "deleted"),
        ("some new phase", "working"),
    ],
)
def test_an_asset_update_tells_its_phase(phase: str, expected: Phase) -> None:
    """Of the asset's phases only their meaning for the recording counts; a new one is work in progress."""
    told = changed("asset.updated.processing", "payload", "asset", "snapshot", "status", "phase", to=phase)
    assert WorkFacts(expected, progress=0.25) == read_event(told, 0, None).work


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("pending", "working"),
        ("waiting", "working"),
        ("running", "working"),
        ("completed", "ready"),
        ("failed", "failed"),
        ("cancelled", "failed"),
    ],
)
def test_a_task_update_tells_its_phase(phase: str, expected: Phase) -> None:
    """A task that was cancelled leaves no recording either."""
    told = changed("task.updated.running", "payload", "task", "snapshot", "status", "phase", to=phase)
    assert WorkFacts(expected, progress=0.25) == read_event(told, 0, None).work


@pytest.mark.parametrize(
    ("name", "family", "phase", "expected"),
    [
        ("asset.ready", "asset", "processing", "ready"),
        ("asset.failed", "asset", "processing", "failed"),
        ("task.completed", "task", "running", "ready"),
        ("task.failed", "task", "running", "failed"),
    ],
)
def test_an_events_name_wins_over_the_phase_in_its_snapshot(
    name: str, family: str, phase: str, expected: Phase
) -> None:
    """What has come to an end has, whatever the snapshot that was read later shows."""
    work = read_event(changed(name, "payload", family, "snapshot", "status", "phase", to=phase), 0, None).work
    assert work is not None
    assert expected == work.phase


def test_a_task_that_completed_without_success_failed() -> None:
    """`success: false` stands first in the payload, and is believed."""
    work = read_event(changed("task.completed", "payload", "success", to=False), 0, None).work
    assert WorkFacts("failed") == work


@pytest.mark.parametrize(
    "source",
    [
        {"type": "clip", "sessionId": SESSION_ID},
        {"type": "recording", "sessionId": "another session"},
        {"type": "url", "url": "https://cdn.example.com/intro.mp4"},
        None,
    ],
)
def test_an_asset_that_is_no_recording_belongs_to_no_session(source: JsonValue) -> None:
    """Only the asset whose id is the session's is its recording (FACTS 2.3): a clip is not."""
    assert route(changed("asset.ready", "payload", "asset", "snapshot", "source", to=source)).session_id is None


def test_a_ready_that_a_clip_emitted_is_not_about_the_session() -> None:
    """Where the session's object names another asset than itself, the recording is not what is ready."""
    told = changed("recording.ready", "payload", "session", "assetId", to="the clip's asset")
    assert (STREAM_ID, None) == (route(told).stream_id, route(told).session_id)


def test_an_idle_of_a_child_stream_is_its_parents_but_does_not_end_it() -> None:
    """A bulk deactivation can tell of one transcoding run (FACTS 2.1): it is the parent's, marked, no facts read."""
    told = changed("stream.idle", "stream", "parentId", to="the parent")
    signal = read_event(told, 0, None)
    assert ("the parent", True, None) == (signal.stream_id, signal.of_child, signal.stream)


def test_a_deleted_stream_is_known_by_its_snapshot() -> None:
    """No event tells of the deletion; the idle that follows has `deleted: true`."""
    facts = read_event(changed("stream.idle", "stream", "deleted", to=True), 0, None).stream
    assert facts is not None
    assert facts.deleted


def test_the_form_of_the_public_documentation_is_read_alike() -> None:
    """An `event_object` in place of stream and payload tells the same, under a made id."""
    value = json.loads((EVENTS / "recording.ready.json").read_bytes())
    documented = {name: value[name] for name in ("webhookId", "createdAt", "timestamp", "event")}
    told = envelope_of({**documented, "event_object": value["payload"]["session"]})
    signal = read_event(told, told.timestamp_ms, None)
    expected = SessionFacts(SESSION_ID, SESSION_BEGAN_MS, record=True, recording_url=MANIFEST_URL)
    assert (STREAM_ID, SESSION_ID, expected) == (signal.stream_id, signal.session_id, signal.session)


@pytest.mark.parametrize("odd", [None, 7, True, [], {}, "", "x" * 201, "line\nbreak", 1e300])
def test_an_id_that_is_none_is_read_as_absent(odd: JsonValue) -> None:
    """A signed body may hold anything where FACTS have an id; the event is kept all the same."""
    assert route(changed("stream.started", "stream", "id", to=odd)).stream_id is None
    assert route(changed("recording.started", "payload", "session", "id", to=odd)).session_id is None
    assert read_event(changed("recording.started", "payload", "session", "id", to=odd), 0, None).session is None


@pytest.mark.parametrize("odd", [None, "soon", True, -1, 10**14, 1.5, 10**400, [], {}])
def test_a_time_that_is_none_is_read_as_absent(odd: JsonValue) -> None:
    """Neither negative times nor those beyond the calendar are times."""
    told = changed("task.spawned", "payload", "task", "snapshot", "status", "updatedAt", to=odd)
    assert told.created_ms == route(told).at_ms
    session = read_event(changed("recording.started", "payload", "session", "createdAt", to=odd), 0, None).session
    assert SessionFacts(SESSION_ID, None, record=True) == session


@pytest.mark.parametrize("part", ["stream", "payload"])
@pytest.mark.parametrize("odd", [{}, {"session": []}, {"asset": 3}, {"task": {"snapshot": "x"}}, {"snapshot": None}])
def test_an_object_that_is_another_is_read_without_harm(part: str, odd: JsonValue) -> None:
    """Whatever a signed body holds, reading it gives a signal."""
    for name in ("stream.started", "recording.ready", "asset.ready", "task.failed"):
        value = json.loads((EVENTS / f"{name}.json").read_bytes())
        told = envelope_of({**value, part: odd})
        assert name == read_event(told, told.timestamp_ms, None).kind


def test_a_text_for_people_is_mended() -> None:
    """A name or an error's text that is too long or not printable is cut and cleaned, not dropped."""
    named = read_event(changed("stream.started", "stream", "name", to="tea\u0000" + "x" * 300), 0, None).stream
    failed = read_event(
        changed("asset.failed", "payload", "asset", "snapshot", "status", "errorMessage", to="a\nb" * 900), 0, None
    ).work
    assert named is not None
    assert failed is not None
    assert ("tea " + "x" * 196, ("a b" * 900)[:1000]) == (named.name, failed.error_message)


def test_an_observation_is_read_to_its_signal() -> None:
    """A player's report with all that it can tell; the error is read from status and text where it is not given."""
    stored = {
        "kind": "playback_error",
        "playback_id": PLAYBACK_ID,
        "session_id": SESSION_ID,
        "at_ms": 1726153300000,
        "http_status": 404,
        "message": "Not online or found",
    }
    expected = Signal(
        id="obs_1",
        kind="observation.playback_error",
        at_ms=1726153300000,
        attempted_ms=1726153300000,
        position="001726153300000:80:obs_1",
        stream_id=STREAM_ID,
        session_id=SESSION_ID,
        playback_id=PLAYBACK_ID,
        created_ms=1726153300000,
        report=Report("empty_manifest", 404, "Not online or found", identifier=PLAYBACK_ID),
    )
    assert expected == read_observation("obs_1", stored, STREAM_ID)


def test_a_given_error_wins_over_what_could_be_read() -> None:
    """The operator's own word counts before the player's status."""
    stored = {"kind": "playback_error", "at_ms": 0, "http_status": 404, "error": "forbidden"}
    assert Report("forbidden", 404) == read_observation("obs_1", stored, STREAM_ID).report


def test_an_attempt_is_read_with_what_is_known_of_its_key() -> None:
    """Not the key, but whether it can be the stream's."""
    stored = {
        "kind": "publish_rejected",
        "at_ms": 1726153300000,
        "key_prefix_matches": False,
        "key_is_playback_id": False,
        "key_digest": "00",
    }
    signal = read_observation("obs_1", stored, STREAM_ID)
    expected = Report(None, key_prefix_matches=False, key_is_playback_id=False, key_digest="00")
    assert ("001726153300000:06:obs_1", expected) == (signal.position, signal.report)


@pytest.mark.parametrize(("told", "expected"), [(10**400, None), (2**53, None), (1, 1.0), (0.5, 0.5), (True, None)])
def test_a_progress_is_a_number_that_can_be_one(told: JsonValue, expected: float | None) -> None:
    """JSON knows integers that no float holds."""
    event = changed("task.updated.running", "payload", "task", "snapshot", "status", "progress", to=told)
    assert WorkFacts("working", progress=expected) == read_event(event, 0, None).work
