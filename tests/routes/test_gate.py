"""`POST /gates/{name}` over real HTTP: the whole service on one side, an operator's decision URL on the other."""

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import aiohttp
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from receiver.clock import ManualClock
from receiver.gates.tally import Tally
from receiver.livepeer.signature import sign
from tests.gates import deciding as faults
from tests.gates.deciding import (
    ACCESS_KEY,
    GATE_SECRET,
    PLAYBACK_ID,
    VIEWER_IP,
    Deciding,
    Fault,
    call,
    deciding,
    redirects,
    says,
    signed,
)
from tests.running import SECRET, Line, Log, Running, configured, logged, running, until
from tests.sender import T0_MS, Event

ALLOWED = b'{"ret":0}'
NOTHING: Mapping[str, str] = MappingProxyType({})
DENIED_BY_BODY = Path(__file__).parent.parent / "fixtures" / "gate" / "gate-denied-by-body.response.json"


@dataclass
class Reply:
    """What a call was answered."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """Of the problem that it is."""
        assert self.headers["Content-Type"].startswith("application/problem+json")
        return str(json.loads(self.body)["code"])


@dataclass
class Gated:
    """A service with one gate, `main`, in front of a decision URL."""

    service: Running
    url: Deciding
    log: Log

    async def post(self, body: bytes, headers: Mapping[str, str] = NOTHING, path: str = "/gates/main") -> Reply:
        """One request as it is given."""
        async with self.service.http.post(f"{self.service.url}{path}", data=body, headers=headers) as answer:
            return Reply(answer.status, await answer.read(), dict(answer.headers))

    async def ask(self, body: bytes | None = None, at_ms: int = T0_MS) -> Reply:
        """One genuine call."""
        made = call(at_ms) if body is None else body
        return await self.post(made, signed(made, at_ms))

    async def decided(self, times: int = 1) -> list[Line]:
        """The log lines of so many decisions."""
        await until(lambda: len(self.log.of("gate.decided")) >= times)
        return self.log.of("gate.decided")


@asynccontextmanager
async def gated(database_url: str, folder: Path, fault: Fault, **more: object) -> AsyncIterator[Gated]:
    """The service at T0, its decision URL answering with `fault`; `more` are settings."""
    clock = ManualClock(T0_MS)
    with logged(clock) as log:
        async with deciding(fault) as url:
            gates = json.dumps({"main": {"url": url.url, "secret": GATE_SECRET}})
            named = {"gates": gates, "gate_timeout_s": 1.5, **more}
            async with running(configured(database_url, folder, **named), clock, attended=True) as service:
                yield Gated(service, url, log)


@pytest.mark.parametrize(
    ("status", "body", "outcome", "ret"),
    [
        (200, ALLOWED, "allowed", 0),
        (200, b"", "allowed", None),
        (204, b"", "allowed", None),
        (200, b"welcome", "allowed", None),
        (201, b'{"ret":250,"more":"\xff"}', "allowed", 250),
        (200, DENIED_BY_BODY.read_bytes(), "denied", 403),
        (200, b'{"ret": 1}', "denied", 1),
        (403, b'{"why":"no"}', "denied", None),
        (404, b"", "denied", None),
        (500, b"<h1>sorry</h1>", "failed", None),
        (503, ALLOWED, "failed", None),
        (304, b"", "failed", None),
    ],
)
async def test_the_answer_is_passed_on(
    sqlite_url: str, tmp_path: Path, status: int, body: bytes, outcome: str, ret: int | None
) -> None:
    """Status, bytes and content type are the decision URL's own, so that Livepeer decides as if it had asked itself."""
    async with gated(sqlite_url, tmp_path, says(status, body, "text/odd; charset=utf-8")) as gate:
        reply = await gate.ask()
        [line] = await gate.decided()
    assert (status, body) == (reply.status, reply.body)
    assert not body or reply.headers["Content-Type"] == "text/odd; charset=utf-8"
    assert (outcome, status, ret) == (line["outcome"], line["status"], line.get("ret"))
    assert ("main", PLAYBACK_ID) == (line["gate"], line["playback_id"])


async def test_an_encoded_answer_is_passed_on_encoded(sqlite_url: str, tmp_path: Path) -> None:
    """It was not asked for; a decision URL that compresses all the same is still understood."""
    packed = gzip.compress(b'{"ret":403}')
    async with gated(sqlite_url, tmp_path, says(200, packed, **{"Content-Encoding": "gzip"})) as gate:
        body = call(T0_MS)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as http,
            http.post(f"{gate.service.url}/gates/main", data=body, headers=signed(body, T0_MS)) as answer,
        ):
            assert (packed, "gzip") == (await answer.read(), answer.headers["Content-Encoding"])
        [line] = await gate.decided()
    assert ("denied", 403) == (line["outcome"], line["ret"])
    [(_, _, headers)] = gate.url.asked
    assert "identity" == headers["Accept-Encoding"]


MEMBERS = st.dictionaries(st.text(), st.text() | st.none() | st.floats(allow_nan=False), max_size=5)


@given(many=st.lists(MEMBERS, min_size=1, max_size=20))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_call_is_passed_on_as_it_came(
    many: Sequence[Mapping[str, object]], sqlite_url: str, tmp_path: Path
) -> None:
    """The bytes and the signature, whatever the body holds: the operator verifies them as if Livepeer had called."""
    odd = [{**members, "context": {}, "timestamp": T0_MS} for members in many]
    bodies = [json.dumps(one, indent=1).encode() for one in odd]
    bodies += [json.dumps(one, ensure_ascii=False).encode("utf-8", "surrogatepass") for one in odd]

    async def ask() -> None:
        async with gated(sqlite_url, tmp_path, says(200, ALLOWED)) as gate:
            assert [200] * len(bodies) == [(await gate.ask(body)).status for body in bodies]
        for body, (method, got, headers) in zip(bodies, gate.url.asked, strict=True):
            assert ("POST", body, sign(GATE_SECRET, body, T0_MS)) == (method, got, headers["Livepeer-Signature"])
            assert ("application/json", "livepeer.studio") == (headers["Content-Type"], headers["User-Agent"])
            assert GATE_SECRET not in str(headers)

    asyncio.run(ask())


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"not json", b"\xff\x00", b"{" * 3000, b"[" * 3000])
async def test_a_genuine_call_that_is_no_object_is_passed_on(sqlite_url: str, tmp_path: Path, body: bytes) -> None:
    """It was signed; what it means is the operator's to say."""
    async with gated(sqlite_url, tmp_path, says(200, ALLOWED)) as gate:
        assert 200 == (await gate.ask(body)).status
        assert [body] == [asked for _, asked, _ in gate.url.asked]
        assert 401 == (await gate.post(body, signed(body, T0_MS - 300_001))).status


ANOTHER = signed(call(T0_MS), T0_MS, "another-secret")
REFUSED = {
    "another secret": (call(T0_MS), ANOTHER, 401, "signature_mismatch"),
    "the events' secret": (call(T0_MS), signed(call(T0_MS), T0_MS, SECRET), 401, "signature_mismatch"),
    "no signature": (call(T0_MS), {"Content-Type": "application/json"}, 401, "signature_missing"),
    "no such header": (call(T0_MS), {**ANOTHER, "Livepeer-Signature": "v1=x"}, 401, "signature_malformed"),
    "altered": (call(T0_MS) + b" ", signed(call(T0_MS), T0_MS), 401, "signature_mismatch"),
    "other time": (call(T0_MS - 1), signed(call(T0_MS - 1), T0_MS), 401, "timestamp_mismatch"),
    "no time": (call(T0_MS, timestamp=None), signed(call(T0_MS, timestamp=None), T0_MS), 401, "timestamp_mismatch"),
    "stale": (call(T0_MS - 300_001), signed(call(T0_MS - 300_001), T0_MS - 300_001), 401, "timestamp_out_of_tolerance"),
    "from the future": (
        call(T0_MS + 300_001),
        signed(call(T0_MS + 300_001), T0_MS + 300_001),
        401,
        "timestamp_out_of_tolerance",
    ),
    "an event": (Event().body(), signed(Event().body(), T0_MS), 403, "event_delivery"),
    "not JSON": (
        call(T0_MS),
        {**signed(call(T0_MS), T0_MS), "Content-Type": "text/plain"},
        415,
        "unsupported_media_type",
    ),
    "compressed": (
        call(T0_MS),
        {**signed(call(T0_MS), T0_MS), "Content-Encoding": "br"},
        415,
        "unsupported_media_type",
    ),
    "too large": (b" " * 65_537, signed(b" " * 65_537, T0_MS), 413, "body_too_large"),
}


@pytest.mark.parametrize(("body", "headers", "status", "code"), REFUSED.values(), ids=REFUSED)
async def test_what_is_no_genuine_call_is_refused(
    sqlite_url: str, tmp_path: Path, body: bytes, headers: Mapping[str, str], status: int, code: str
) -> None:
    """And never reaches the decision URL, even where faults allow."""
    async with gated(sqlite_url, tmp_path, says(200, ALLOWED), gate_on_fault="allow") as gate:
        reply = await gate.post(body, headers)
        [line] = await gate.decided()
    assert ((status, code), []) == ((reply.status, reply.code), gate.url.asked)
    assert ("refused", code, "warning") == (line["outcome"], line["code"], line["level"])
    assert ("GateSignatureRejected" if code.startswith("signature_") else None) == line.get("reason")
    assert "playback_id" not in line


async def test_an_event_with_a_gates_members_is_no_event(sqlite_url: str, tmp_path: Path) -> None:
    """A forged call holds what its maker likes (FACTS 12): here it is a call like any other, at the endpoint of events
    it is refused (P12), whatever signed it."""
    body = Event().body(accessKey="k")
    async with gated(sqlite_url, tmp_path, says(403)) as gate:
        assert 403 == (await gate.ask(body)).status
        assert 1 == len(gate.url.asked)
        for secret, code in ((SECRET, "gate_request"), (GATE_SECRET, "signature_mismatch")):
            assert code == (await gate.post(body, signed(body, T0_MS, secret), "/webhooks/livepeer")).code


async def test_a_gate_that_is_not_configured_is_not_found(sqlite_url: str, tmp_path: Path) -> None:
    """404, whatever the name, and a line in the log; other methods are not allowed, and a query is not looked at."""
    body = call(T0_MS)
    async with gated(sqlite_url, tmp_path, says(200, ALLOWED)) as gate:
        for path in ("/gates/other", "/gates/MAIN", "/gates/%00", "/gates/", "/gates/main/x"):
            assert 404 == (await gate.post(body, signed(body, T0_MS), path)).status
        assert 5 == sum(line["code"] == "not_found" for line in gate.log.of("webhook.rejected"))
        assert 200 == (await gate.post(body, signed(body, T0_MS), "/gates/main?x=1&x=2")).status
        async with gate.service.http.get(f"{gate.service.url}/gates/main") as answer:
            assert (405, "POST") == (answer.status, answer.headers["Allow"])


FAULTS: Mapping[str, tuple[Fault, int, str, str]] = {
    "hangs": (faults.hang, 504, "decision_slow", "timed_out"),
    "never reads": (faults.never_read, 504, "decision_slow", "timed_out"),
    "trickles": (faults.trickle, 504, "decision_slow", "timed_out"),
    "pours": (faults.pour, 502, "decision_failed", "answer_too_large"),
    "too much": (says(200, b" " * 65_537), 502, "decision_failed", "answer_too_large"),
    "resets": (faults.reset, 502, "decision_failed", "disconnected"),
    "breaks off": (faults.break_off, 502, "decision_failed", "answer_malformed"),
    "is no HTTP": (faults.no_http, 502, "decision_failed", "answer_malformed"),
    "redirects elsewhere": (
        redirects(307, 1, says(200), "http://127.0.0.2/"),
        502,
        "decision_failed",
        "redirected",
    ),
    "redirects to another scheme": (redirects(307, 1, says(200), "ftp://x/"), 502, "decision_failed", "redirected"),
    "redirects to nonsense": (redirects(307, 1, says(200), "http://[x"), 502, "decision_failed", "answer_malformed"),
    "redirects for ever": (redirects(308, 99, says(200)), 502, "decision_failed", "redirected"),
}


@pytest.mark.parametrize(("fault", "status", "code", "why"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_denies(sqlite_url: str, tmp_path: Path, fault: Fault, status: int, code: str, why: str) -> None:
    """P9: whatever the decision URL does instead of deciding, the answer is out in time, and lets nobody in."""
    async with gated(sqlite_url, tmp_path, fault, gate_timeout_s=0.2) as gate:
        reply = await gate.ask()
        [line] = await gate.decided()
    slow = why == "timed_out"
    assert (status, code) == (reply.status, reply.code)
    assert ("slow" if slow else "failed", why, "warning") == (line["outcome"], line["code"], line["level"])
    assert ("GateEndpointSlow" if slow else "GateEndpointFailed") == line["reason"]


@pytest.mark.parametrize(
    "fault", [faults.hang, faults.reset, says(200, b" " * 65_537), says(500, b"sorry"), redirects(302, 9, says(200))]
)
async def test_a_fault_allows_where_that_is_wanted(sqlite_url: str, tmp_path: Path, fault: Fault) -> None:
    """`RECEIVER_GATE_ON_FAULT=allow`: no decision, and a status that is none, let the viewer in; a no is still a no."""
    async with gated(sqlite_url, tmp_path, fault, gate_timeout_s=0.2, gate_on_fault="allow") as gate:
        reply = await gate.ask()
        gate.url.fault = says(403)
        assert 403 == (await gate.ask()).status
        lines = await gate.decided(2)
    assert (200, ALLOWED) == (reply.status, reply.body)
    assert lines[0]["outcome"] in {"failed", "slow"}


async def test_nobody_at_the_decision_url_is_a_fault(sqlite_url: str, tmp_path: Path) -> None:
    """A port where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gates = json.dumps({"main": {"url": f"http://127.0.0.1:{free.getsockname()[1]}/", "secret": GATE_SECRET}})
        async with gated(sqlite_url, tmp_path, says(200), gates=gates) as gate:
            assert (502, "decision_failed") == ((reply := await gate.ask()).status, reply.code)
            assert "unreachable" == (await gate.decided())[0]["code"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_of_the_same_host_keep_the_post(sqlite_url: str, tmp_path: Path, status: int) -> None:
    """As Livepeer does (FACTS 12): up to five, with the body and the signature."""
    async with gated(sqlite_url, tmp_path, redirects(status, 5, says(200, ALLOWED))) as gate:
        assert 200 == (await gate.ask()).status
    assert [("POST", call(T0_MS))] * 6 == [(method, body) for method, body, _ in gate.url.asked]
    assert {sign(GATE_SECRET, call(T0_MS), T0_MS)} == {
        headers["Livepeer-Signature"] for _, _, headers in gate.url.asked
    }


async def test_a_connection_that_was_kept_too_long_is_no_fault(sqlite_url: str, tmp_path: Path) -> None:
    """A decision URL that ends a kept connection is asked once more, on a new one."""
    async with gated(sqlite_url, tmp_path, says(200, ALLOWED)) as gate:
        assert 200 == (await gate.ask()).status
        ended = []

        async def end_once(request: web.Request) -> web.StreamResponse:
            ended.append(request)
            return await (faults.reset if len(ended) == 1 else says(200, ALLOWED))(request)

        gate.url.fault = end_once
        assert 200 == (await gate.ask()).status
        assert 2 == len(ended)


async def test_a_player_without_a_key_is_told_apart(sqlite_url: str, tmp_path: Path) -> None:
    """Where the operator says no to a call without an access key; where it says yes, it is allowed."""
    bodies = [call(T0_MS, accessKey=key) for key in ("", None, 0)]
    async with gated(sqlite_url, tmp_path, says(401)) as gate:
        for body in bodies:
            await gate.ask(body)
        gate.url.fault = says(200)
        await gate.ask(bodies[0])
        lines = await gate.decided(4)
    assert ["no_key", "no_key", "no_key", "allowed"] == [line["outcome"] for line in lines]
    assert "AccessKeyMissing" == lines[0]["reason"]


@pytest.mark.parametrize("keep", [False, True])
async def test_viewers_are_not_logged_unless_asked(sqlite_url: str, tmp_path: Path, *, keep: bool) -> None:
    """Of a call the log has the playback id; the address only by `RECEIVER_GATE_KEEP_VIEWERS`; the key, the context,
    the URL, the page and the secret never, nor does an answer."""
    async with gated(sqlite_url, tmp_path, faults.hang, gate_timeout_s=0.05, gate_keep_viewers=keep) as gate:
        replies = [await gate.ask(), await gate.post(call(T0_MS), ANOTHER)]
        lines = await gate.decided(2)
    said = gate.log.getvalue() + "".join(f"{reply.body!r} {reply.headers}" for reply in replies)
    for secret in (ACCESS_KEY, GATE_SECRET, "gold", "index.m3u8", "watch.example.com", gate.url.url):
        assert secret not in said
    assert (VIEWER_IP if keep else None) == lines[0].get("viewer_ip")
    assert keep == (VIEWER_IP in said)
    assert "viewer_ip" not in lines[1]


async def test_strangers_cannot_fill_the_log(sqlite_url: str, tmp_path: Path) -> None:
    """Beyond a rate refusals are only counted."""
    async with gated(sqlite_url, tmp_path, says(200, ALLOWED)) as gate:
        for _ in range(30):
            await gate.post(call(T0_MS), ANOTHER)
        await gate.ask()
        await until(lambda: any(line["outcome"] == "allowed" for line in gate.log.of("gate.decided")))
        assert 20 == sum(line["outcome"] == "refused" for line in gate.log.of("gate.decided"))


async def test_many_viewers_at_once(sqlite_url: str, tmp_path: Path) -> None:
    """Each is answered, while the decision URL hangs as when it works."""
    async with gated(sqlite_url, tmp_path, says(200, ALLOWED), gate_timeout_s=1.9) as gate:
        assert [200] * 200 == [reply.status for reply in await asyncio.gather(*(gate.ask() for _ in range(200)))]
    async with gated(sqlite_url, tmp_path, faults.hang, gate_timeout_s=0.2) as gate:
        assert [504] * 200 == [reply.status for reply in await asyncio.gather(*(gate.ask() for _ in range(200)))]
        assert {"slow": 200} == {"slow": len(await gate.decided(200))}


async def test_calls_at_hand_are_answered_before_it_stops(sqlite_url: str, tmp_path: Path) -> None:
    """And counted."""
    told: list[Tally] = []
    begun, may_answer = asyncio.Event(), asyncio.Event()

    async def late(request: web.Request) -> web.StreamResponse:
        begun.set()
        await may_answer.wait()
        return await says(200, ALLOWED)(request)

    async def take(tallies: Sequence[Tally]) -> None:
        told.extend(tallies)

    async with gated(sqlite_url, tmp_path, late) as gate:
        gate.service.service.gates._on_tally = take
        async with aiohttp.ClientSession() as http:
            asking = asyncio.create_task(_post(http, gate.service.url))
            await begun.wait()
            stopping = asyncio.create_task(gate.service.runner.cleanup())
            await asyncio.sleep(0.05)
            may_answer.set()
            assert 200 == await asking
            await stopping
    assert [("main", PLAYBACK_ID, 1)] == [(tally.gate, tally.playback_id, tally.allowed) for tally in told]


async def _post(http: aiohttp.ClientSession, url: str) -> int:
    body = call(T0_MS)
    async with http.post(f"{url}/gates/main", data=body, headers=signed(body, T0_MS)) as answer:
        await answer.read()
        return answer.status
