from sqlalchemy import Connection, delete, update

from receiver.routes.models import Page, Session, Stream, StreamEvent, StreamSummary
from receiver.storage.tables import SignalRow, SubjectRow
from tests.routes.rows import (
    NOW_MS,
    PLAYBACK_ID,
    SESSION_ID,
    STREAM_ID,
    WEBHOOK_ID,
    add_diagnosis,
    add_session,
    add_signal,
    add_stream,
    add_subject,
    condition,
    failing,
    five,
)
from tests.routes.service import READER, Service, problem

STREAMS = Page[StreamSummary]
EVENTS = Page[StreamEvent]


def ids(parts: list[list[dict[str, object]]]) -> list[list[object]]:
    """The ids in each part of a list."""
    return [[item["id"] for item in part] for part in parts]


def flat(parts: list[list[dict[str, object]]]) -> list[object]:
    """The ids in all parts of a list together."""
    return [item["id"] for part in parts for item in part]


async def test_a_stream_is_shown_whole(service: Service) -> None:
    """A stream's answer has its sessions, its five conditions and its open diagnoses, in the documented shape."""

    def fill(conn: Connection) -> None:
        add_stream(conn, conditions=five(failing("recording_not_available", "RecordingNotQueued")))
        add_session(conn)
        add_diagnosis(conn, 1, status="resolved")
        add_diagnosis(conn, 2)

    service.fill(fill)
    found = await service.json(f"/v1/streams/{STREAM_ID}", Stream)
    sessions, diagnoses, conditions = found.pop("sessions"), found.pop("diagnoses"), found.pop("conditions")
    expected = {
        "id": STREAM_ID,
        "name": "town-hall",
        "playback_id": PLAYBACK_ID,
        "state": "idle",
        "state_since": "2024-09-12T15:00:00.000Z",
        "last_event_at": "2024-09-12T15:00:00.000Z",
        "record": True,
        "fault": None,
    }
    assert expected == found
    assert [SESSION_ID] == [one["id"] for one in sessions]
    assert ["dg_2"] == [one["id"] for one in diagnoses]
    assert [
        "rtmp_push_rejected",
        "hls_manifest_empty",
        "playback_forbidden",
        "recording_not_available",
        "webhook_not_firing",
    ] == [one["type"] for one in conditions]


async def test_a_condition_has_the_documented_shape(service: Service) -> None:
    """A condition shows reason, message, certainty, times and evidence; how severe it is belongs to its diagnosis."""
    service.fill(lambda conn: add_stream(conn, conditions=five(failing("rtmp_push_rejected", "PushDropped"))))
    found = await service.json(f"/v1/streams/{STREAM_ID}", Stream)
    expected = {
        "type": "rtmp_push_rejected",
        "status": "true",
        "reason": "PushDropped",
        "message": "It fails.",
        "certainty": "suspected",
        "since": "2024-09-12T15:00:00.000Z",
        "observed_at": "2024-09-12T15:00:00.001Z",
        "evidence": [
            {
                "kind": "stream.idle",
                "id": "ev-1",
                "at": "2024-09-12T15:00:00.000Z",
                "text": "`stream.idle` at 15:00:00Z.",
            }
        ],
        "next_check_at": None,
        "muted_by": None,
    }
    assert expected == found["conditions"][0]


async def test_sessions_come_newest_first_and_bounded(service: Service) -> None:
    """A stream of many sessions shows its fifty newest; one whose start is not known comes last."""

    def fill(conn: Connection) -> None:
        add_stream(conn)
        add_session(conn, "unknown-start", started_ms=None)
        for number in range(60):
            add_session(conn, f"session-{number:02d}", started_ms=NOW_MS + number)

    service.fill(fill)
    found = await service.json(f"/v1/streams/{STREAM_ID}", Stream)
    assert [f"session-{number:02d}" for number in range(59, 9, -1)] == [one["id"] for one in found["sessions"]]


async def test_a_failing_endpoint_shows_on_every_stream(service: Service) -> None:
    """While our endpoint refuses deliveries, each stream says so, unless its own condition is true already."""
    own = failing("webhook_not_firing", "EventsMissing")

    def fill(conn: Connection) -> None:
        add_subject(
            conn, "endpoint", "endpoint", conditions=[failing("webhook_not_firing", "SignatureMismatch")], folded={}
        )
        add_stream(conn, "quiet", last_event_ms=NOW_MS + 1)
        add_stream(conn, "own", conditions=five(own))

    service.fill(fill)
    found = await service.json("/v1/streams?condition=webhook_not_firing", STREAMS)
    assert {"quiet": "SignatureMismatch", "own": "EventsMissing"} == {
        one["id"]: one["conditions"][4]["reason"] for one in found["items"]
    }


async def test_a_failing_webhook_shows_on_its_streams_only(service: Service) -> None:
    """A webhook's failure shows on the streams that it has told of, and the filter finds just these."""

    def fill(conn: Connection) -> None:
        broken = [failing("webhook_not_firing", "DeliveriesDelayed")]
        add_subject(conn, "webhook", WEBHOOK_ID, conditions=broken, folded={})
        add_subject(conn, "endpoint", "endpoint", conditions=[condition("webhook_not_firing")], folded={})
        for number, webhook_id in enumerate([WEBHOOK_ID, "another"]):
            add_stream(conn, f"stream-{number}")
            add_signal(conn, f"ev-{number}", number, stream_id=f"stream-{number}", webhook_id=webhook_id)

    service.fill(fill)
    concerned = await service.json("/v1/streams/stream-0", Stream)
    other = await service.json("/v1/streams/stream-1", Stream)
    filtered = await service.json("/v1/streams?condition=webhook_not_firing", STREAMS)
    assert ("true", "DeliveriesDelayed") == (concerned["conditions"][4]["status"], concerned["conditions"][4]["reason"])
    assert "unknown" == other["conditions"][4]["status"]
    assert ["stream-0"] == [one["id"] for one in filtered["items"]]


async def test_events_that_are_missing_show_where_they_are_missing(service: Service) -> None:
    """What a webhook did not deliver of one stream says nothing of its other streams."""

    def fill(conn: Connection) -> None:
        broken = [failing("webhook_not_firing", "EventsMissing")]
        add_subject(conn, "webhook", WEBHOOK_ID, conditions=broken, folded={})
        add_stream(conn)
        add_signal(conn, "ev-1", 1)

    service.fill(fill)
    assert "unknown" == (await service.json(f"/v1/streams/{STREAM_ID}", Stream))["conditions"][4]["status"]
    assert [] == (await service.json("/v1/streams?condition=webhook_not_firing", STREAMS))["items"]


async def test_an_unchanged_stream_is_not_sent_again(service: Service) -> None:
    """With the ETag of the last answer, an unchanged stream is a 304 without a body; a changed one is sent."""
    service.fill(add_stream)
    path = f"/v1/streams/{STREAM_ID}"
    first = await service.get(path)
    tag = first.headers["ETag"]
    for wanted in (tag, f'W/{tag}, "other"', "*"):
        again = await service.get(path, {**READER, "If-None-Match": wanted})
        assert (304, tag, b"") == (again.status, again.headers["ETag"], await again.read())
    service.fill(lambda conn: conn.execute(update(SubjectRow).values(state="live")))
    changed = await service.get(path, {**READER, "If-None-Match": tag})
    assert 200 == changed.status
    assert tag != changed.headers["ETag"]


async def test_an_unknown_stream_is_explained(service: Service) -> None:
    """The answer for a stream of which nothing was heard says when a stream is known."""
    response = await service.get("/v1/streams/nobody")
    assert (404, "not_found") == await problem(response)
    assert "playback id" in (await response.json())["detail"]
    assert (404, "not_found") == await problem(await service.get("/v1/streams/nobody/events"))


async def test_streams_come_latest_activity_first(service: Service) -> None:
    """The list is in order of activity, then id, the silent ones last, and its parts are linked."""

    def fill(conn: Connection) -> None:
        for name, last_ms in (("a", 5), ("b", 9), ("c", 5), ("d", None), ("e", None), ("f", 0)):
            add_stream(conn, name, last_event_ms=last_ms)

    service.fill(fill)
    for limit in (1, 2, 3, 4, 5):
        parts = await service.pages(f"/v1/streams?limit={limit}", STREAMS)
        assert ["b", "c", "a", "f", "e", "d"] == flat(parts)
        assert all(len(part) == limit for part in parts[:-1])
    assert [["b", "c", "a", "f", "e", "d"]] == ids(await service.pages("/v1/streams?limit=6", STREAMS))


async def test_streams_are_filtered(service: Service) -> None:
    """By state and by a condition that is true; the filters hold through all parts."""

    def fill(conn: Connection) -> None:
        for number in range(6):
            true = [failing("hls_manifest_empty", "NoSegments")] if number % 2 else []
            state = "live" if number < 4 else "idle"
            add_stream(conn, f"s{number}", last_event_ms=number, state=state, conditions=five(*true))

    service.fill(fill)
    path = "/v1/streams?state=live&condition=hls_manifest_empty&limit=1"
    assert [["s3"], ["s1"]] == ids(await service.pages(path, STREAMS))
    assert [["s5", "s3", "s1"]] == ids(await service.pages("/v1/streams?condition=hls_manifest_empty", STREAMS))
    assert [[]] == ids(await service.pages("/v1/streams?condition=webhook_not_firing", STREAMS))


async def test_streams_paging_stays_right_while_rows_arrive(service: Service) -> None:
    """A stream that appears while the list is read neither doubles nor hides one that was there."""

    def fill(conn: Connection) -> None:
        for number in range(4):
            add_stream(conn, f"s{number}", last_event_ms=number)

    service.fill(fill)
    first = await service.json("/v1/streams?limit=2", STREAMS)
    service.fill(lambda conn: add_stream(conn, "new", last_event_ms=10))
    service.fill(lambda conn: conn.execute(delete(SubjectRow).where(SubjectRow.id == "s2")))
    rest = await service.json(f"/v1/streams?limit=2&cursor={first['next']}", STREAMS)
    assert ["s3", "s2"] == [one["id"] for one in first["items"]]
    assert ["s1", "s0"] == [one["id"] for one in rest["items"]]
    assert rest["next"] is None


async def test_events_come_in_source_order(service: Service) -> None:
    """A stream's signals are in the order of the source, whatever order they arrived in."""

    def fill(conn: Connection) -> None:
        add_stream(conn)
        for seq, (name, created_ms) in enumerate((("late", 30), ("first", 10), ("middle", 20))):
            add_signal(conn, name, seq, created_ms=created_ms)

    service.fill(fill)
    parts = await service.pages(f"/v1/streams/{STREAM_ID}/events?limit=2", EVENTS)
    assert [["first", "middle"], ["late"]] == ids(parts)


async def test_an_event_of_several_webhooks_is_shown_once(service: Service) -> None:
    """One event that two webhooks delivered is one item, on whatever part it falls, with both receipts."""

    def fill(conn: Connection) -> None:
        add_stream(conn)
        for seq, (name, webhook_id) in enumerate((("a", "w1"), ("b", "w2"), ("b", "w1"), ("c", "w1"))):
            add_signal(conn, name, seq, webhook_id=webhook_id, created_ms=NOW_MS, attempts=seq + 1)

    service.fill(fill)
    path = f"/v1/streams/{STREAM_ID}/events"
    for limit in (1, 2, 3):
        assert ["a", "b", "c"] == flat(await service.pages(f"{path}?limit={limit}", EVENTS))
    expected = {
        "id": "b",
        "kind": "stream.idle",
        "source": "webhook",
        "at": "2024-09-12T15:00:00.000Z",
        "webhook_ids": ["w1", "w2"],
        "first_received_at": "2024-09-12T15:00:00.006Z",
        "attempts": 5,
        "summary": "The stream went idle.",
    }
    assert expected == (await service.json(path, EVENTS))["items"][1]


async def test_observations_stand_among_the_events(service: Service) -> None:
    """An observation is one of a stream's signals; no webhook brought it."""

    def fill(conn: Connection) -> None:
        add_stream(conn)
        add_signal(conn, "obs_1", 1, webhook_id="", source="observation", kind="observation.playback_ok")
        add_signal(conn, "ev-new", 2, kind="stream.brand_new")
        add_signal(conn, "ev-old", 3, flag="beyond_horizon")

    service.fill(fill)
    found = await service.json(f"/v1/streams/{STREAM_ID}/events", EVENTS)
    assert [[], [WEBHOOK_ID], [WEBHOOK_ID]] == [one["webhook_ids"] for one in found["items"]]
    assert [
        "Your player reported that it plays.",
        "An event that we keep but do not interpret: `stream.brand_new`.",
        "Came too late to be counted; kept as it came.",
    ] == [one["summary"] for one in found["items"]]


async def test_events_paging_stays_right_while_rows_arrive(service: Service) -> None:
    """A late event that belongs before the cursor does not shift what follows."""

    def fill(conn: Connection) -> None:
        add_stream(conn)
        for number in (10, 20, 30):
            add_signal(conn, f"ev-{number}", number)

    service.fill(fill)
    path = f"/v1/streams/{STREAM_ID}/events?limit=1"
    first = await service.json(path, EVENTS)
    service.fill(lambda conn: add_signal(conn, "ev-05", 5))
    service.fill(lambda conn: add_signal(conn, "ev-25", 25))
    service.fill(lambda conn: conn.execute(delete(SignalRow).where(SignalRow.id == "ev-10")))
    parts = await service.pages(f"{path}&cursor={first['next']}", EVENTS)
    assert [["ev-20"], ["ev-25"], ["ev-30"]] == ids(parts)


async def test_a_stream_without_signals_has_none(service: Service) -> None:
    """A stream that is known but has no signals of its own any more answers an empty list, not 404."""
    service.fill(add_stream)
    found = await service.json(f"/v1/streams/{STREAM_ID}/events", EVENTS)
    assert {"items": [], "next": None} == found


async def test_a_session_is_shown(service: Service) -> None:
    """A session has its recording's state, its link and its one condition."""
    service.fill(lambda conn: add_session(conn, state="ready", recording_url="https://example.com/r.m3u8"))
    found = await service.json(f"/v1/sessions/{SESSION_ID}", Session)
    assert ["recording_not_available"] == [one["type"] for one in found.pop("conditions")]
    expected = {
        "id": SESSION_ID,
        "stream_id": STREAM_ID,
        "state": "ready",
        "state_since": "2024-09-12T15:00:00.000Z",
        "record": True,
        "recording_url": "https://example.com/r.m3u8",
    }
    assert expected == found


async def test_an_orphaned_session_has_no_stream(service: Service) -> None:
    """A session whose stream is not known yet is shown without one."""
    service.fill(lambda conn: add_session(conn, stream_id=None))
    assert None is (await service.json(f"/v1/sessions/{SESSION_ID}", Session))["stream_id"]


async def test_an_unknown_session_is_explained(service: Service) -> None:
    """The answer says where a session's id is found."""
    response = await service.get("/v1/sessions/nobody")
    assert (404, "not_found") == await problem(response)
    assert "payload.session.id" in (await response.json())["detail"]
