"""The watch at work: a whole service whose clock the test moves, a fake Studio and a fake playback edge on sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.json import encode
from sqlalchemy import text

from receiver.clock import ManualClock
from receiver.diagnosis.inquiries import Inquiry
from receiver.simulation.sender import Studio
from receiver.storage import inquiries
from tests.edge import MASTER, OFFLINE, Edge, playlist, serving, with_error
from tests.running import Running, configured, logged, running
from tests.sender import T0_MS
from tests.studio import KEY, Credential, FakeStudio, fake_studio
from tests.studio_faults import failing, limited
from tests.studio_rows import STREAM_KEY, asset_row, stream_row

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
PLAYED = (
    "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:2,\n0.ts\n#EXTINF:2,\n1.ts\n#EXT-X-ENDLIST\n"
)


@dataclass
class World:
    """A service, what it looks at, and what tells it of events."""

    app: Running
    studio: FakeStudio
    edge: Edge
    sender: Studio
    clock: ManualClock

    @property
    def stream_id(self) -> str:
        """The one stream."""
        return str(self.sender.stream.id)

    def holds(self, **changed: object) -> None:
        """Let the Studio hold the stream so."""
        row = stream_row(id=self.stream_id, playbackId=self.sender.stream.playback_id, **changed)
        self.studio.streams[self.stream_id] = row

    async def condition(self, name: str) -> dict[str, Any]:
        """What is said of the stream."""
        found = await self.app.get(f"/v1/streams/{self.stream_id}")
        return next(dict(one) for one in found["conditions"] if one["type"] == name)

    async def said(self, name: str) -> tuple[str, str, str | None]:
        """Status, reason and certainty."""
        found = await self.condition(name)
        return found["status"], found["reason"], found["certainty"]

    async def pass_time(self, ms: int, step_ms: int = 10_000) -> None:
        """Move the clock on, and do all that is due on the way."""
        for passed_ms in range(0, ms, step_ms):
            await self.app.pass_time(min(step_ms, ms - passed_ms))

    async def intent(self, **more: object) -> None:
        """A publish is announced, and what is due at once is done."""
        await self.app.report(kind="publish_intent", stream_id=self.stream_id, **more)
        await self.pass_time(3000)

    def calls(self, path: str) -> int:
        """How often the Studio was asked for what begins so."""
        return sum(asked.path.startswith(path) for asked in self.studio.asked)


@asynccontextmanager
async def world(database_url: str, folder: Path, **more: object) -> AsyncIterator[World]:
    """All of it, for a while."""
    clock = ManualClock(T0_MS)
    edge = Edge()
    async with fake_studio(clock) as studio, serving(edge):
        given = {"studio_url": studio.url, "studio_api_key": KEY, "probe_allowed_hosts": "127.0.0.1", **more}
        settings = configured(database_url, folder, **given)
        async with running(settings, clock, attended=True) as app:
            sender = Studio(T0_MS, Random("watch"))  # noqa: S311 -- ids of a fiction
            studio.playbacks[sender.stream.playback_id] = live_info(edge)
            found = World(app, studio, edge, sender, clock)
            found.holds(isActive=False, lastSeen=0)
            yield found


def live_info(edge: Edge) -> dict[str, Any]:
    """Playback info that leads to the edge."""
    hls = {"hrn": "HLS (TS)", "type": "html5/application/vnd.apple.mpegurl", "url": f"{edge.url}{MASTER}"}
    return {"type": "live", "meta": {"live": 1, "source": [hls]}}


@pytest.fixture
async def seen(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A world with an API key, and probes."""
    async with world(database_url, tmp_path) as found:
        yield found


async def test_a_rejected_push_is_explained_within_seconds(seen: World) -> None:
    """An intent triggers the snapshot at once; nothing has to be waited for."""
    seen.holds(suspended=True, isActive=False, lastSeen=0)
    await seen.intent()
    assert ("true", "StreamSuspended", "confirmed") == await seen.said("rtmp_push_rejected")
    assert [("rtmp_push_rejected", "StreamSuspended")] == await seen.app.diagnosed()


async def test_the_key_that_was_used_is_compared_by_its_digest(seen: World) -> None:
    """Another key with the same first characters; and nobody is shown the digest."""
    await seen.intent(stream_key=f"{seen.stream_id[:4]}-aaaa-bbbb-cccc")
    assert ("true", "StreamKeyMismatch", "confirmed") == await seen.said("rtmp_push_rejected")
    evidence = (await seen.condition("rtmp_push_rejected"))["evidence"]
    snapshot = next(one["id"] for one in evidence if one["kind"] == "snapshot.stream")
    shown = await seen.app.get(f"/v1/events/{snapshot}")
    assert "studio_api" == shown["source"]
    assert "key_digest" not in shown["body"]
    assert STREAM_KEY not in str(shown)


async def test_the_right_key_says_that_the_network_is_at_fault(seen: World) -> None:
    """Looked at when it is told of, and again when its time is over: all is in order there."""
    key = f"{seen.stream_id[:4]}-k9zq-4r2m-x8vd"
    seen.holds(isActive=False, lastSeen=0, streamKey=key)
    await seen.intent(ingest_url=f"rtmp://rtmp.livepeer.com/live/{key}")
    assert "unknown" == (await seen.said("rtmp_push_rejected"))[0]
    await seen.pass_time(2 * MINUTE_MS)
    assert ("true", "EncoderOrNetwork", "suspected") == await seen.said("rtmp_push_rejected")
    assert 2 <= seen.calls("/stream/") <= 3


@pytest.mark.parametrize(
    ("playback", "reason"), [(None, "StreamDeleted"), ({"type": "live", "meta": {"source": []}}, "WrongProject")]
)
async def test_a_stream_that_is_not_there_is_deleted_or_elsewhere(
    seen: World, playback: dict[str, Any] | None, reason: str
) -> None:
    """By what everybody is told of its playback id."""
    await seen.app.deliver(seen.sender.started(0), seen.sender.idle(1000))
    await seen.pass_time(20 * MINUTE_MS)
    del seen.studio.streams[seen.stream_id]
    del seen.studio.playbacks[seen.sender.stream.playback_id]
    if playback is not None:
        seen.studio.playbacks[seen.sender.stream.playback_id] = playback
    await seen.intent()
    assert ("true", reason, "confirmed") == await seen.said("rtmp_push_rejected")


async def test_a_suspended_account_is_told_of(seen: World) -> None:
    """Every call is refused so."""
    seen.studio.keys[KEY] = Credential(suspended=True)
    await seen.intent()
    assert ("true", "UserSuspended", "confirmed") == await seen.said("rtmp_push_rejected")


async def test_a_start_is_probed_until_it_plays(seen: World) -> None:
    """From five seconds on, ever more seldom, and no more once it plays."""
    seen.holds(isActive=True, lastSeen=T0_MS)
    await seen.app.deliver(seen.sender.started(0))
    seen.edge.puts(MASTER, with_error(OFFLINE))
    await seen.pass_time(20_000)
    assert ("true", "StreamOffline", "confirmed") == await seen.said("hls_manifest_empty")
    seen.edge.puts(MASTER, playlist(PLAYED))
    await seen.pass_time(30_000)
    assert ("false", "ManifestPlayable", None) == await seen.said("hls_manifest_empty")
    asked = len(seen.edge.asked)
    await seen.pass_time(5 * MINUTE_MS)
    assert asked == len(seen.edge.asked)
    assert [("hls_manifest_empty", "StreamOffline")] == await seen.app.diagnosed("resolved")


async def test_lost_media_is_noticed_though_nothing_is_sent(seen: World) -> None:
    """Livepeer takes it for active, has not seen it for minutes, and no event comes: an idle will not either, nor a
    recording."""
    seen.holds(isActive=True, lastSeen=T0_MS + 30_000)
    seen.edge.puts(MASTER, playlist(PLAYED))
    await seen.app.deliver(seen.sender.started(0), seen.sender.recording_started(1000))
    await seen.pass_time(MINUTE_MS)
    seen.edge.puts(MASTER, with_error(OFFLINE))
    await seen.pass_time(12 * MINUTE_MS)
    assert ("true", "MediaLost", "confirmed") == await seen.said("hls_manifest_empty")
    assert ("true", "StreamNotIdle", "confirmed") == await seen.said("recording_not_available")


async def test_a_recording_that_failed_unheard_is_found(seen: World) -> None:
    """Idle came, and nothing else: the session's asset has failed, and says why."""
    session = seen.sender.recording_started(1000)
    await seen.app.deliver(seen.sender.started(0), session, seen.sender.idle(MINUTE_MS))
    seen.holds(isActive=False, lastSeen=T0_MS + MINUTE_MS)
    seen.studio.learn(session)
    session_id = next(iter(seen.studio.sessions))
    status = {"phase": "failed", "updatedAt": T0_MS, "errorMessage": "no video track found"}
    seen.studio.add(seen.studio.assets, asset_row(id=session_id, status=status))
    await seen.pass_time(12 * MINUTE_MS)
    found = await seen.condition("recording_not_available")
    assert ("true", "ProcessingFailed", "confirmed") == (found["status"], found["reason"], found["certainty"])
    assert '"no video track found"' in found["message"]


async def test_what_fails_for_an_hour_costs_little(seen: World) -> None:
    """The looks at one stream become ever more seldom: fewer than one in two minutes for all that fails of it."""
    seen.holds(suspended=True)
    await seen.intent()
    await seen.app.deliver(seen.sender.started(0))
    for _ in range(60):
        await seen.app.report(kind="playback_error", stream_id=seen.stream_id, error="empty_manifest")
        await seen.pass_time(MINUTE_MS, step_ms=20_000)
    assert seen.calls("/stream/") <= 30


@pytest.mark.parametrize("fault", [failing(501), limited("3600")])
async def test_an_api_that_does_not_answer_says_nothing(seen: World, fault: Any) -> None:  # noqa: ANN401
    """Nothing is concluded of it but what is concluded without; it is asked again later."""
    seen.studio.faults["/stream"] = fault
    await seen.intent()
    await seen.pass_time(2 * MINUTE_MS)
    assert ("true", "PublishNotStarted", "suspected") == await seen.said("rtmp_push_rejected")


async def test_without_a_key_nothing_is_asked(database_url: str, tmp_path: Path) -> None:
    """All is concluded as before, and nobody is looked at."""
    async with world(database_url, tmp_path, studio_api_key=None) as seen:
        await seen.intent()
        await seen.app.deliver(seen.sender.started(200_000))
        await seen.pass_time(2 * MINUTE_MS)
        assert ([], []) == (seen.studio.asked, seen.edge.asked)


async def test_looking_is_no_activity_of_the_stream(seen: World) -> None:
    """Lists stay in the order of what happened."""
    await seen.app.deliver(seen.sender.started(0))
    await seen.pass_time(30 * MINUTE_MS)
    assert seen.calls("/stream/") > 0
    listed = (await seen.app.get("/v1/streams"))["items"]
    assert "2024-09-12T15:00:00.000Z" == listed[0]["last_event_at"]


async def test_a_probe_is_made_on_demand(seen: World) -> None:
    """It answers what viewers get, and what it found counts."""
    await seen.app.deliver(seen.sender.started(0))
    await seen.pass_time(MINUTE_MS)
    seen.edge.puts(MASTER, playlist(PLAYED))
    status, found, body = await seen.app.ask(f"/v1/streams/{seen.stream_id}/probe", method="POST")
    assert 200 == status, body
    assert ("plays", None, 200, 2, seen.sender.stream.playback_id) == tuple(
        found[name] for name in ("verdict", "reason", "http_status", "segments", "playback_id")
    )
    await seen.pass_time(1)
    assert ("false", "ManifestPlayable", None) == await seen.said("hls_manifest_empty")
    signals = (await seen.app.get(f"/v1/streams/{seen.stream_id}/events"))["items"]
    assert "finding.playback" in [one["kind"] for one in signals]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("nobody", None, 404), (None, {"jwt": "two words"}, 422), (None, {"url": "http://127.0.0.1"}, 422)],
)
async def test_a_probe_that_cannot_be_made_says_so(
    seen: World, path: str | None, body: dict[str, object] | None, status: int
) -> None:
    """No such stream; what is no token; what is not to be chosen by a caller."""
    await seen.app.deliver(seen.sender.started(0))
    await seen.pass_time(1)
    answered, problem, _ = await seen.app.ask(f"/v1/streams/{path or seen.stream_id}/probe", method="POST", body=body)
    assert (status, status) == (answered, problem["status"])


async def test_one_look_that_cannot_be_made_keeps_no_other(seen: World) -> None:
    """A state that cannot be read is logged, and left to who mends it; another stream is looked at in the same turn."""
    await seen.app.report(kind="publish_intent", stream_id=seen.stream_id)
    await seen.app.report(kind="publish_intent", stream_id="another")
    await seen.pass_time(1)
    spoil = text("UPDATE subjects SET folded = '{' WHERE kind = 'stream' AND id = :id").bindparams(id=seen.stream_id)
    await seen.app.service.database.write(lambda connection: connection.execute(spoil))
    with logged() as log:
        await seen.pass_time(3000)
    assert ["evidence"] == [line["part"] for line in log.of("service.fault")]
    assert 1 == seen.calls("/stream/another")


async def test_an_origin_that_is_none_keeps_nobody_from_probing(seen: World) -> None:
    """Livepeer stores malformed origins (FACTS 7.2), line breaks included: the first true one is sent."""
    listed = ["https://a.example/", "https://b.example\r\nX-More: 1", "https://c.example"]
    seen.holds(isActive=True, lastSeen=T0_MS, playbackPolicy={"type": "public", "allowedOrigins": listed})
    seen.edge.puts(MASTER, playlist(PLAYED))
    await seen.intent()
    await seen.app.deliver(seen.sender.started(4000))
    await seen.pass_time(20_000)
    assert {"https://c.example"} == {asked.headers.get("origin") for asked in seen.edge.asked}


async def test_what_fails_is_looked_at_before_what_is_routine(seen: World) -> None:
    """More live streams are to be asked for than the API's patience allows: an attempt to publish does not wait."""
    due_ms = T0_MS - MINUTE_MS
    live = encode((Inquiry("stream", due_ms, routine=True),)).decode()
    database = seen.app.service.database
    await database.write(
        lambda connection: inquiries.save(connection, {f"live-{n}": (due_ms, None, live) for n in range(99)})
    )
    await seen.app.report(kind="publish_intent", stream_id=seen.stream_id)
    await seen.app.service.diagnoser.settle()
    taken = await database.write(lambda connection: inquiries.take(connection, T0_MS + 5000, 16, T0_MS + MINUTE_MS))
    assert (16, seen.stream_id) == (len(taken), taken[0].stream_id)
