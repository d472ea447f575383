"""A probe as a whole: what it refuses, how it ends, and that nothing of it is logged."""

import asyncio

import pytest

from receiver.errors import InvalidRequest
from receiver.evidence.probing import probe as module
from receiver.evidence.probing.fetching import FetchLimits, GuardedClient
from receiver.evidence.probing.probe import probe
from receiver.evidence.probing.studio import StudioPlaybackInfo
from receiver.evidence.probing.values import Probed, ProbeRequest
from receiver.hosts import AllowedHost, AllowedHosts
from tests.edge import DENIED, INFO, MASTER, PLAYBACK_ID, Edge, Reply, bomb, leads_to, serving, with_error
from tests.running import logged

JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"
LIMITS = FetchLimits(within_s=0.3, body_bytes=1 << 16)


async def look(edge: Edge, request: ProbeRequest) -> Probed:
    """One look at an edge on 127.0.0.1."""
    allowed = AllowedHosts((AllowedHost("127.0.0.1"),))
    async with GuardedClient(allowed, LIMITS) as client, StudioPlaybackInfo(f"{edge.url}/api", LIMITS) as info:
        return await probe(request, client, info)


@pytest.mark.parametrize(
    ("reply", "verdict", "status"),
    [
        (Reply(fault="hangs"), "unreachable", None),
        (Reply(fault="slow"), "unreachable", 200),
        (Reply(fault="closes"), "unreachable", None),
        (Reply(fault="no_http"), "unreachable", None),
        (Reply(fault="broken_chunks"), "unreachable", 200),
        (Reply(fault="cut_off"), "unreachable", 200),
        (Reply(fault="endless"), "unknown", 200),
        (bomb(50 << 20), "unknown", 200),
        (leads_to(MASTER), "unreachable", 307),
        (leads_to("http://127.0.0.2/"), "unknown", 307),
        (leads_to("http://169.254.169.254/latest"), "unknown", 307),
        (leads_to("https://livepeer.internal/hls"), "unknown", 307),
    ],
)
async def test_what_the_network_does_is_a_verdict(reply: Reply, verdict: str, status: int | None) -> None:
    """And never an exception; where it was we who would not go on, nothing is said of the stream."""
    edge = Edge()
    async with serving(edge):
        edge.knows()
        edge.puts(MASTER, reply)
        found = await look(edge, ProbeRequest(PLAYBACK_ID, 1))
    assert (verdict, "ManifestUnreachable" if verdict == "unreachable" else None) == (found.verdict, found.reason)
    assert (True, status) == (bool(found.detail), found.http_status)


@pytest.mark.parametrize(
    ("request_", "pointer"),
    [
        (ProbeRequest("", 1), "/playback_id"),
        (ProbeRequest("../stream", 1), "/playback_id"),
        (ProbeRequest("x" * 129, 1), "/playback_id"),
        (ProbeRequest("x?y", 1), "/playback_id"),
        (ProbeRequest(PLAYBACK_ID, 1, jwt="a\r\nX-Injected: b"), "/jwt"),
        (ProbeRequest(PLAYBACK_ID, 1, jwt=""), "/jwt"),
        (ProbeRequest(PLAYBACK_ID, 1, access_key="schlüssel"), "/access_key"),
        (ProbeRequest(PLAYBACK_ID, 1, origin="https://a.example/"), "/origin"),
        (ProbeRequest(PLAYBACK_ID, 1, origin="a.example"), "/origin"),
        (ProbeRequest(PLAYBACK_ID, 1, origin="https://a.example\nX: y"), "/origin"),
    ],
)
async def test_what_cannot_be_asked_is_refused(request_: ProbeRequest, pointer: str) -> None:
    """Before anything is sent, and without repeating it."""
    edge = Edge()
    async with serving(edge):
        with pytest.raises(InvalidRequest) as caught:
            await look(edge, request_)
    assert [pointer] == [error["pointer"] for error in caught.value.errors]
    assert [] == edge.asked


async def test_all_of_it_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever each request may take."""
    monkeypatch.setattr(module, "WITHIN_S", 0.1)
    edge = Edge()
    async with serving(edge):
        edge.puts(INFO, Reply(fault="hangs"))
        found = await look(edge, ProbeRequest(PLAYBACK_ID, 1))
    assert ("unknown", "it took longer than 0.1 s") == (found.verdict, found.detail)


async def test_it_can_be_cancelled() -> None:
    """At once."""
    edge = Edge()
    async with serving(edge):
        edge.knows()
        edge.puts(MASTER, Reply(fault="hangs"))
        task = asyncio.create_task(look(edge, ProbeRequest(PLAYBACK_ID, 1)))
        while len(edge.asked) < 2:  # noqa: ASYNC110 -- the server has no event for it
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """At the log's most talkative."""
    edge = Edge()
    with logged(level="debug") as log:
        async with serving(edge):
            edge.knows(hls=f"{edge.url}{MASTER}?accessKey=planted-key-1")
            edge.puts(MASTER, with_error(f"{DENIED} {JWT}"))
            found = await look(edge, ProbeRequest(PLAYBACK_ID, 1, jwt=JWT))
    told = log.getvalue() + caplog.text + str(found)
    assert ("denied", False, False) == (found.verdict, JWT in told, "planted-key-1" in told)
