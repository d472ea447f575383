import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.livepeer.gate import Call, CallRefused, verify_call
from receiver.livepeer.signature import Keyring, sign
from tests.gates.deciding import GATE_SECRET, PLAYBACK_ID, VIEWER_IP, call
from tests.sender import T0_MS

KEYRING = Keyring([GATE_SECRET])
FIXTURES = Path(__file__).parent.parent / "fixtures" / "gate"


def verified(body: bytes, at_ms: int = T0_MS) -> Call:
    """What is read of a call that was signed at that time."""
    header = sign(GATE_SECRET, body, at_ms)
    claims = verify_call(body, header, keyring=KEYRING, now_ms=at_ms, tolerance_ms=300_000)
    assert repr(claims) == "Claims()", "it holds the viewer's key"
    return claims.read()


def test_what_is_looked_at_of_a_call() -> None:
    """The playback id, the page's host, the viewer's address, and whether there is a key; `repr` shows nothing else."""
    seen = verified(call(T0_MS))
    assert Call(PLAYBACK_ID, "watch.example.com", VIEWER_IP) == seen
    assert f"Call(playback_id='{PLAYBACK_ID}')" == repr(seen)


@pytest.mark.parametrize(
    "name", ["playback.accessControl.gate-request.json", "playback.accessControl.gate-request.minimal.json"]
)
def test_the_senders_calls_are_read(name: str) -> None:
    """With and without what is known of the viewer."""
    value = json.loads((FIXTURES / name).read_bytes())
    body = json.dumps(value, separators=(",", ":")).encode()
    expected = Call(PLAYBACK_ID, "watch.example.com", "203.0.113.24") if "playURL" in value else Call()
    assert expected == verified(body, value["timestamp"])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"https://p.example/hls/{PLAYBACK_ID}/index.m3u8", PLAYBACK_ID),
        (f"https://p.example/asset/hls/{PLAYBACK_ID}/720p0.m3u8?a=/hls/x", PLAYBACK_ID),
        (f"https://p.example/webrtc/{PLAYBACK_ID}", PLAYBACK_ID),
        (f"/hls/video+{PLAYBACK_ID}/index.m3u8", PLAYBACK_ID),
        (f"/hls/video%2B{PLAYBACK_ID}/index.m3u8", PLAYBACK_ID),
        (f"/hls/{PLAYBACK_ID}-test/", f"{PLAYBACK_ID}-test"),
        ("https://p.example/webrtc/plan-ted1-stre-amke", None),
        (f"https://p.example/hls/{PLAYBACK_ID}x/", None),
        (f"https://p.example/other/{PLAYBACK_ID}", None),
        (f"https://[p/hls/{PLAYBACK_ID}/", None),
        (f"/hls/{PLAYBACK_ID}/" + "x" * 5000, None),
        (None, None),
        ({"url": 7}, None),
        (7, None),
    ],
)
def test_the_playback_id_is_found_in_what_is_played(url: object, expected: str | None) -> None:
    """Of live HLS, assets and WebRTC; nothing that may be a stream key."""
    assert expected == verified(call(T0_MS, playURL=url)).playback_id


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"headers": {"Origin": "https://WATCH.example.com:8443"}}, Call(PLAYBACK_ID, "watch.example.com", VIEWER_IP)),
        ({"headers": {"Origin": "null"}}, Call(PLAYBACK_ID, None, VIEWER_IP)),
        ({"headers": {"Origin": "https://[x"}}, Call(PLAYBACK_ID, None, VIEWER_IP)),
        ({"headers": {"Origin": 7}}, Call(PLAYBACK_ID, None, VIEWER_IP)),
        ({"headers": []}, Call(PLAYBACK_ID, None, VIEWER_IP)),
        ({"userIP": "not an address"}, Call(PLAYBACK_ID, "watch.example.com", None)),
        ({"accessKey": ""}, Call(PLAYBACK_ID, "watch.example.com", VIEWER_IP, lacks_key=True)),
        ({"accessKey": {"any": "thing"}}, Call(PLAYBACK_ID, "watch.example.com", VIEWER_IP)),
    ],
)
def test_what_is_not_as_expected_reads_as_absent(members: dict[str, object], expected: Call) -> None:
    """A forger may write anything anywhere (FACTS 12)."""
    assert expected == verified(call(T0_MS, **members))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["accessKey", "playURL", "userIP", "headers", "playDomain"]) | st.text()


@given(st.dictionaries(KEYS, JSON))
def test_any_object_with_its_time_is_a_call(members: dict[str, object]) -> None:
    """Whatever else stands in it, and in whatever form JSON allows."""
    value = {**members, "timestamp": T0_MS, "context": None}
    plain = json.dumps(value).encode()
    assert verified(plain) == verified(json.dumps(value, indent=2).encode())


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_signed_bytes_are_a_call_or_refused(body: bytes) -> None:
    """An object without its time is refused; nothing else comes of it."""
    is_object = body.lstrip().startswith(b"{")
    with pytest.raises(CallRefused, match="`timestamp`") if is_object and _is_json(body) else nullcontext():
        assert Call() == verified(body)


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def test_a_body_that_was_written_anew_is_told() -> None:
    """The detail names the proxy, not the secret."""
    body = call(T0_MS)
    header = sign(GATE_SECRET, body, T0_MS)
    for sent, said in ((json.dumps(json.loads(body)).encode(), "proxy"), (call(T0_MS, x=1), "RECEIVER_GATES")):
        with pytest.raises(CallRefused) as caught:
            verify_call(sent, header, keyring=KEYRING, now_ms=T0_MS, tolerance_ms=300_000)
        assert said in caught.value.detail
        assert ("signature_mismatch", 401) == (caught.value.code, caught.value.status)
