"""What each manifest means: all fixtures, the texts of FACTS 7.5 and 8, and a live source."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from receiver.diagnosis.catalogue import CATALOGUE, reason_entry
from receiver.evidence.probing import verdicts
from receiver.evidence.probing.fetching import FetchLimits, GuardedClient
from receiver.evidence.probing.probe import probe
from receiver.evidence.probing.studio import StudioPlaybackInfo
from receiver.evidence.probing.values import Probed, ProbeRequest, Verdict
from receiver.hosts import AllowedHost, AllowedHosts
from tests.edge import (
    DENIED,
    FIXTURES,
    INFO,
    MASTER,
    OFFLINE,
    PLAYBACK_ID,
    WEBRTC,
    Edge,
    LiveSource,
    Reply,
    fixture,
    leads_to,
    playlist,
    refused,
    serving,
    with_error,
)

AT_MS = 1_726_153_200_000
MEDIA = f"/hls/{PLAYBACK_ID}/0_1/index.m3u8"
ENDED = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n1.ts\n#EXT-X-ENDLIST\n"
LIMITS = FetchLimits(within_s=0.4, body_bytes=1 << 16)


@dataclass
class Looking:
    """An edge, and how to look at it."""

    edge: Edge
    slept_s: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        """Time that passes without anything happening."""
        self.slept_s.append(seconds)

    async def probe(self, **asked: Any) -> Probed:  # noqa: ANN401 -- of a request
        """One look; `sleep` may be the source's."""
        sleep = asked.pop("sleep", self.sleep)
        allowed = AllowedHosts((AllowedHost("127.0.0.1", self.edge.port),))
        request = ProbeRequest(asked.pop("playback_id", PLAYBACK_ID), AT_MS, **asked)
        async with GuardedClient(allowed, LIMITS) as client, StudioPlaybackInfo(f"{self.edge.url}/api", LIMITS) as info:
            return await probe(request, client, info, sleep)


@pytest.fixture
async def looking() -> AsyncIterator[Looking]:
    """An edge that knows the one playback id, and has nothing to play yet."""
    edge = Edge()
    async with serving(edge):
        edge.knows(webrtc=f"{edge.url}{WEBRTC}")
        yield Looking(edge)


MANIFESTS = {
    "hls-denied-live.m3u8": ("denied", "AccessDenied", DENIED),
    "hls-denied-private-vod.m3u8": ("denied", "AccessDenied", DENIED),
    "hls-offline.m3u8": ("offline", "StreamOffline", OFFLINE),
    "hls-media-empty.m3u8": ("empty", "NoSegments", None),
    "hls-master-live.m3u8": ("plays", None, None),
}
INFOS = {"playback-info.live.json", "playback-info.offline.json", "playback-info.gated.json", "playback-info.vod.json"}
ERRORS = {
    "error.asset-not-ready.json": (422, "not_ready", "AssetNotReady"),
    "error.not-found.json": (404, "missing", "WrongIdentifier"),
    "error.validation.json": (422, "unknown", None),
}


@pytest.mark.parametrize("name", MANIFESTS)
async def test_every_manifest_of_the_fixtures_has_its_verdict(name: str, looking: Looking) -> None:
    """As the address that the playback info names, byte for byte."""
    looking.edge.puts(MASTER, fixture(name))
    looking.edge.puts(MEDIA, playlist(ENDED))
    found = await looking.probe()
    assert MANIFESTS[name] == (found.verdict, found.reason, found.error_line)
    assert (200, AT_MS, PLAYBACK_ID) == (found.http_status, found.at_ms, found.playback_id)
    assert f"{looking.edge.url}{MASTER}" == found.url


@pytest.mark.parametrize("name", sorted(INFOS))
async def test_every_playback_info_of_the_fixtures_is_read(name: str, looking: Looking) -> None:
    """It leads to the address that it names, on a host that this probe does not allow."""
    looking.edge.puts(INFO, fixture(name))
    found = await looking.probe()
    vod, gated = "vod" in name, "gated" in name
    assert ("vod" if vod else "live", "webhook" if gated else "public") == (found.type, found.policy)
    assert (None if vod else "offline" not in name) is found.live
    host = "vod-cdn.example-storage.net" if vod else "livepeercdn.studio"
    assert ("unknown", None) == (found.verdict, found.reason)
    assert f"{host} is not among RECEIVER_PROBE_ALLOWED_HOSTS" == found.detail


@pytest.mark.parametrize("name", ERRORS)
async def test_every_error_of_the_fixtures_has_its_verdict(name: str, looking: Looking) -> None:
    """As an answer of the playback info."""
    status, verdict, reason = ERRORS[name]
    looking.edge.puts(INFO, Reply(fixture(name).body, status))
    found = await looking.probe()
    assert (verdict, reason, status, None) == (found.verdict, found.reason, found.http_status, found.url)


def test_no_fixture_is_left_out() -> None:
    """What is not of sessions and webhooks, which no probe reads."""
    named = {file.name for file in FIXTURES.iterdir() if not file.name.startswith(("session.", "webhook"))}
    assert named == {*MANIFESTS, *INFOS, *ERRORS}


STORAGE = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'


@pytest.mark.parametrize(
    ("reply", "verdict", "reason"),
    [
        (playlist("#EXTM3U\n"), "empty", "NoSegments"),
        (with_error("Stream is waiting for data"), "not_ready", "FirstSegmentPending"),
        (with_error("Stream is offline", end="\n"), "offline", "StreamOffline"),
        (with_error("Something new"), "unreachable", "ManifestUnreachable"),
        (playlist("#EXTM3U\n#EXT-X-ERROR\n"), "unreachable", "ManifestUnreachable"),
        (playlist("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:long,\n1.ts\n"), "unreachable", "ManifestUnreachable"),
        (Reply(b"Not online or found", 404), "not_ready", "FirstSegmentPending"),
        (Reply(b"Could not retrieve stream: x", 404), "offline", "StreamOffline"),
        (Reply(b"", 404), "offline", "StreamOffline"),
        (Reply(b"", 502), "unreachable", "NoPlaybackNode"),
        (Reply(b"<html>Bad Gateway</html>", 502), "unreachable", "ManifestUnreachable"),
        (Reply(b'{"error":"error authorizing playback request"}', 500), "denied", "GateEndpointFailed"),
        (Reply(b'{"error":"unauthorised","error_detail":""}', 401), "denied", "Forbidden"),
        (Reply(b"Request not allowed", 403), "denied", "Forbidden"),
        (Reply(b"", 403), "denied", "Forbidden"),
        (Reply(STORAGE, 403), "denied", "ForbiddenElsewhere"),
        (refused("Content is gated and origin not in allowed origins", 403), "denied", "OriginNotAllowed"),
        (refused("Content not found", 404), "denied", "ContentSuspended"),
        (refused("asset is not ready for playback", 422), "not_ready", "AssetNotReady"),
        (Reply(b"", 422), "not_ready", "AssetNotReady"),
        (Reply(b"", 429), "unknown", None),
        (Reply(b"<html>Welcome to this hotel</html>"), "unreachable", "ManifestUnreachable"),
        (Reply(b"", 307), "unreachable", "ManifestUnreachable"),
    ],
)
async def test_an_answer_is_judged_by_its_body_first(
    reply: Reply, verdict: str, reason: str | None, looking: Looking
) -> None:
    """Denied HLS is a 200, a 404 may be a stream that starts, a 403 may be somebody else's (FACTS 7.5, 8, 10.3)."""
    looking.edge.puts(MASTER, reply)
    found = await looking.probe(webrtc="never")
    assert (verdict, reason, reply.status) == (found.verdict, found.reason, found.http_status)


@pytest.mark.parametrize(
    ("reply", "verdict", "reason"),
    [
        (refused(f"No playback URL found for {PLAYBACK_ID}", 404), "missing", "WrongIdentifier"),
        (refused("Ingest not configured", 501), "unknown", None),
        (Reply(b"[]"), "unknown", None),
        (Reply(b'{"type":"live","meta":{"source":[{"type":7,"hrn":null}]}}'), "unknown", None),
        (Reply(fault="closes"), "unknown", None),
        (Reply(fault="hangs"), "unknown", None),
        (leads_to("http://127.0.0.2/"), "unknown", None),
    ],
)
async def test_without_playback_info_it_says_what_came(
    reply: Reply, verdict: str, reason: str | None, looking: Looking
) -> None:
    """What Livepeer does not know, or does not say, is not guessed: no address is built (FACTS 8)."""
    looking.edge.puts(INFO, reply)
    found = await looking.probe()
    assert (verdict, reason, None) == (found.verdict, found.reason, found.url)
    assert found.detail
    assert {INFO} == {asked.target for asked in looking.edge.asked}


async def test_an_address_can_be_given(looking: Looking) -> None:
    """Then Livepeer is not asked where it is played."""
    looking.edge.puts("/else.m3u8", playlist(ENDED))
    found = await looking.probe(hls_url=f"{looking.edge.url}/else.m3u8?jwt=abc")
    assert ("plays", 1, None) == (found.verdict, found.segments, found.type)
    assert f"{looking.edge.url}/else.m3u8?[redacted]" == found.url
    assert ["/else.m3u8?jwt=abc"] == [asked.target for asked in looking.edge.asked]


async def test_a_missing_recording_is_not_offline(looking: Looking) -> None:
    """Only a live stream can be that (FACTS 7.5, 10.4)."""
    looking.edge.knows(type="recording")
    looking.edge.puts(MASTER, Reply(b'{"error":"not found","error_detail":""}', 404))
    assert ("unreachable", "ManifestUnreachable", None) == _short(await looking.probe())


async def test_a_long_recording_plays(looking: Looking) -> None:
    """Its playlist is large, and read beside everything else."""
    listed = "".join(f"#EXTINF:2,\n{number}.ts\n" for number in range(3_000))
    looking.edge.puts(MASTER, playlist(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n{listed}#EXT-X-ENDLIST\n"))
    assert ("plays", None, 3_000) == _short(await looking.probe())


async def test_a_stream_key_is_sent_to_nobody(looking: Looking) -> None:
    """Somebody took the key for the playback id."""
    found = await looking.probe(playback_id="7c1e-ab12-cd34-ef56")
    assert ("missing", "WrongIdentifier", "[redacted]") == (found.verdict, found.reason, found.playback_id)
    assert [] == looking.edge.asked


JWT, KEY = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln", "viewer-key-0001"
ORIGIN = "https://www.example.com"


@pytest.mark.parametrize(
    ("policy", "sent", "reason"),
    [
        (None, {}, "AccessDenied"),
        ({"type": "public"}, {}, "AccessDenied"),
        ({"type": "jwt"}, {}, "AccessKeyMissing"),
        ({"type": "webhook"}, {}, "AccessKeyMissing"),
        ({"type": "jwt"}, {"jwt": JWT}, "AccessDenied"),
        ({"type": "webhook"}, {"access_key": KEY}, "AccessDenied"),
        ({"type": "jwt"}, {"jwt": JWT, "access_key": KEY}, "BothCredentials"),
        ({"type": "webhook"}, {"jwt": JWT, "access_key": KEY}, "AccessDenied"),
        ({"type": "public", "allowedOrigins": [ORIGIN]}, {}, "OriginNotAllowed"),
        ({"type": "public", "allowedOrigins": [ORIGIN]}, {"origin": ORIGIN}, "AccessDenied"),
        ({"type": "public", "allowedOrigins": [f"{ORIGIN}/"]}, {"origin": ORIGIN}, "OriginNotAllowed"),
        ({"type": "public", "allowedOrigins": ["*", "x"]}, {}, "AccessDenied"),
        ({"type": "public", "allowedOrigins": []}, {}, "AccessDenied"),
    ],
)
async def test_a_denial_is_explained_by_the_policy_and_what_was_sent(
    policy: dict[str, Any] | None, sent: dict[str, str], reason: str, looking: Looking
) -> None:
    """The manifest names no rule (FACTS 7.2, 7.3, 7.5)."""
    looking.edge.knows(playbackPolicy=policy)
    looking.edge.puts(MASTER, with_error(DENIED))
    found = await looking.probe(**sent)
    assert ("denied", reason) == (found.verdict, found.reason)


async def test_credentials_and_origin_go_along_and_do_not_come_back(looking: Looking) -> None:
    """To every place on the way, but not to the playback info, and into nothing that is told."""
    edge = looking.edge
    edge.puts(MASTER, leads_to("/node/index.m3u8"))
    edge.puts("/node/index.m3u8", playlist("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow/index.m3u8\n"))
    edge.puts("/node/low/index.m3u8", with_error(f"{DENIED} (jwt was {JWT}, key {KEY}, ?accessKey={KEY})"))
    found = await looking.probe(jwt=JWT, access_key=KEY, origin=ORIGIN)
    named = ("livepeer-jwt", "livepeer-access-key", "origin", "referer")
    assert [(None,) * 4] + [(JWT, KEY, ORIGIN, f"{ORIGIN}/")] * 3 == [
        tuple(asked.headers.get(name) for name in named) for asked in edge.asked
    ]
    assert ("denied", "both", ORIGIN, 1) == (found.verdict, found.credential, found.origin, found.redirects)
    told = f"{found} {ProbeRequest(PLAYBACK_ID, AT_MS, jwt=JWT, access_key=KEY)}"
    assert (JWT not in told, KEY not in told, "[redacted]" in told) == (True, True, True)


async def test_a_live_source_plays(looking: Looking) -> None:
    """Through its redirect, in its least rendition, until a new segment has come."""
    source = LiveSource(looking.edge)
    source.pass_s(20)
    found = await looking.probe(sleep=source.sleep)
    assert ("plays", None, True, [2.0]) == (found.verdict, found.reason, found.moved, source.slept_s)
    assert (3, 5, 6, 1) == (found.renditions, found.segments, found.media_sequence, found.redirects)
    assert looking.edge.asked[-1].target.split("/")[-2] == "2_1"


async def test_a_live_source_begins(looking: Looking) -> None:
    """Empty first, and playable once there is a segment (FACTS 8)."""
    source = LiveSource(looking.edge)
    assert ("empty", "NoSegments", 0) == _short(await looking.probe(sleep=source.sleep))
    source.pass_s(2)
    assert ("plays", None, 2) == _short(await looking.probe(sleep=source.sleep))


async def test_a_live_source_stalls(looking: Looking) -> None:
    """Only after twice a segment's length nothing more is awaited (RFC 8216, 6.3.4)."""
    source = LiveSource(looking.edge)
    source.pass_s(20)
    source.stalled = set(source.renditions)
    found = await looking.probe(sleep=source.sleep)
    assert ("stalled", "MediaLost", 5) == _short(found)
    assert (False, [2.0, 1.0, 1.0] * 2) == (found.moved, source.slept_s)


async def test_a_live_source_that_is_slow_does_not_stall(looking: Looking) -> None:
    """What comes within twice a segment's length is in time."""
    source = LiveSource(looking.edge, segment_s=4)
    source.pass_s(40)
    slept_s: list[float] = []

    async def sleep(seconds: float) -> None:
        slept_s.append(seconds)
        source.pass_s(4 if len(slept_s) == 3 else 0)

    assert ("plays", None, 5) == _short(await looking.probe(sleep=sleep))
    assert [4.0, 2.0, 2.0] == slept_s


async def test_a_live_source_ends_meanwhile(looking: Looking) -> None:
    """That is no stall."""
    source = LiveSource(looking.edge)
    source.pass_s(20)

    async def sleep(_: float) -> None:
        source.over = True

    assert ("plays", None, 5) == _short(await looking.probe(sleep=sleep))


async def test_a_live_source_goes_offline_meanwhile(looking: Looking) -> None:
    """What is found last counts."""
    source = LiveSource(looking.edge, renditions=["0_1"])
    source.pass_s(20)

    async def sleep(_: float) -> None:
        looking.edge.puts(f"/hls/video+{PLAYBACK_ID}/0_1/index.m3u8", with_error(OFFLINE))

    found = await looking.probe(sleep=sleep)
    assert ("offline", "StreamOffline", OFFLINE) == (found.verdict, found.reason, found.error_line)


async def test_a_stall_of_what_is_over_is_no_loss(looking: Looking) -> None:
    """Livepeer says so: what stands there is left over."""
    looking.edge.knows(live=0)
    source = LiveSource(looking.edge)
    source.pass_s(20)
    source.over = False
    source.stalled = set(source.renditions)
    assert ("stalled", "StreamOffline", 5) == _short(await looking.probe(sleep=source.sleep))


@pytest.mark.parametrize("begun", [True, False])
async def test_transcoding_that_stalls_is_told_apart(begun: bool, looking: Looking) -> None:  # noqa: FBT001 -- a case
    """The source's rendition goes on, or is the only one with segments: viewers with little bandwidth have nothing."""
    source = LiveSource(looking.edge)
    if not begun:
        source.stalled = {"1_1", "2_1"}
    source.pass_s(20)
    source.stalled = {"1_1", "2_1"}
    found = await looking.probe(sleep=source.sleep)
    assert ("degraded", "TranscodingStalled", 5) == _short(found)


@pytest.mark.parametrize(
    ("renditions", "expected", "verdict"),
    [
        (["0_1"], 4, "degraded"),
        (["0_1", "0_2"], 4, "degraded"),
        (["0_1", "2_1"], 4, "plays"),
        (["0_1"], 1, "plays"),
        (["0_1"], None, "plays"),
        (["source"], 2, "degraded"),
        (["source", "720p0"], 3, "plays"),
    ],
)
async def test_the_sources_rendition_alone_is_not_what_was_expected(
    renditions: list[str], expected: int | None, verdict: str, looking: Looking
) -> None:
    """Nothing transcoded is listed, although there are profiles (FACTS 10.2)."""
    source = LiveSource(looking.edge, renditions=renditions)
    source.pass_s(20)
    found = await looking.probe(sleep=source.sleep, expected_renditions=expected)
    assert (verdict, len(renditions)) == (found.verdict, found.renditions)


async def test_nothing_is_awaited_unless_wanted(looking: Looking) -> None:
    """A quick look takes what stands there."""
    source = LiveSource(looking.edge)
    source.pass_s(20)
    found = await looking.probe(sleep=source.sleep, watch=False)
    assert ("plays", None, []) == (found.verdict, found.moved, source.slept_s)


async def test_webrtc_may_tell_why(looking: Looking) -> None:
    """Where HLS is silent; by a mere GET (FACTS 7.5)."""
    looking.edge.puts(MASTER, Reply(b"", 502))
    looking.edge.puts(WEBRTC, Reply(b"Request not allowed", 403))
    found = await looking.probe(jwt=JWT)
    assert ("denied", "AccessDenied") == (found.verdict, found.reason)
    assert found.webrtc is not None
    assert (403, "Request not allowed") == (found.webrtc.http_status, found.webrtc.text)
    assert ("GET", WEBRTC, JWT) == (
        looking.edge.asked[-1].method,
        looking.edge.asked[-1].target,
        looking.edge.asked[-1].headers["livepeer-jwt"],
    )


@pytest.mark.parametrize("reply", [Reply(b"", 406), Reply(b"Stream open failed", 406), Reply(fault="closes"), Reply()])
async def test_webrtc_that_tells_nothing_changes_nothing(reply: Reply, looking: Looking) -> None:
    """406 means: use HLS instead."""
    looking.edge.puts(MASTER, Reply(b"", 502))
    looking.edge.puts(WEBRTC, reply)
    assert ("unreachable", "NoPlaybackNode", None) == _short(await looking.probe())


async def test_webrtc_does_not_overrule_hls(looking: Looking) -> None:
    """It is looked at where that is asked for, and told."""
    looking.edge.puts(MASTER, playlist(ENDED))
    looking.edge.puts(WEBRTC, Reply(b"Could not retrieve stream: x", 404))
    found = await looking.probe(webrtc="always")
    assert found.webrtc is not None
    assert ("plays", 404) == (found.verdict, found.webrtc.http_status)


@pytest.mark.parametrize("module", ["verdicts.py", "look.py", "probe.py"])
def test_every_reason_that_is_given_is_in_the_catalogue(module: str) -> None:
    """A reason without an entry could not be explained."""
    source = (Path(verdicts.__file__).parent / module).read_text("utf-8")
    given = set(re.findall(r'"((?:[A-Z][a-z]+){2,}|Forbidden)"', source))
    assert set() == given - {reason for kind in CATALOGUE.values() for reason in kind.reasons}
    assert given or module == "probe.py"


@pytest.mark.parametrize(
    ("verdict", "reason", "condition"),
    [
        ("denied", "AccessDenied", "hls_manifest_empty"),
        ("denied", "ContentSuspended", "playback_forbidden"),
        ("denied", "ForbiddenElsewhere", "playback_forbidden"),
        ("stalled", "MediaLost", "hls_manifest_empty"),
    ],
)
def test_a_reason_belongs_to_a_condition(verdict: Verdict, reason: str, condition: str) -> None:
    """In whose catalogue it stands."""
    found = verdicts.condition_of(verdict, reason)
    assert (condition, reason) == (found, reason_entry(found, reason).name)


def _short(found: Probed) -> tuple[str, str | None, int | None]:
    return found.verdict, found.reason, found.segments
