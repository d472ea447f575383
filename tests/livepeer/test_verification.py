import json
from pathlib import Path
from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.livepeer.envelope import Claim, read_envelope
from receiver.livepeer.signature import Keyring, Refusal, secret_id, sign
from receiver.livepeer.verification import Refused, Verified, verify

FIXTURES = Path(__file__).parents[1] / "fixtures"
EVENTS = sorted((FIXTURES / "events").glob("*.json"))
SECRET = "lp-demo-secret-41c7"
KEYRING = Keyring(["another", SECRET, "s€cret"])
TOLERANCE_MS = 300_000
NOW_MS = 1_726_153_200_500


class Vector(TypedDict):
    """One entry of `vectors.json`."""

    name: str
    body_file: str
    secret: str
    timestamp: int
    header: str
    expect: str


VECTORS: list[Vector] = json.loads((FIXTURES / "signing/vectors.json").read_bytes())


def event(**fields: object) -> bytes:
    """A small event of now, in the sender's form, with other fields in addition or instead."""
    value = {"id": "e1", "webhookId": "w1", "createdAt": 5, "timestamp": NOW_MS, "event": "stream.idle", **fields}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def check(
    body: bytes, header: str | None, *, now_ms: int = NOW_MS, tolerance_ms: int | None = TOLERANCE_MS
) -> Verified:
    """Verify as the service does."""
    return verify(body, header, keyring=KEYRING, now_ms=now_ms, tolerance_ms=tolerance_ms)


def refusal(body: bytes, header: str | None, *, now_ms: int = NOW_MS) -> Refused:
    """The refusal that must come."""
    with pytest.raises(Refused) as caught:
        check(body, header, now_ms=now_ms)
    return caught.value


def vectors(expect: str) -> list[Vector]:
    """The worked examples of one outcome."""
    return [vector for vector in VECTORS if vector["expect"] == expect]


@pytest.mark.parametrize("vector", vectors("valid")[:4], ids=lambda vector: vector["name"])
def test_a_valid_vector_is_taken_in(vector: Vector) -> None:
    """The worked examples of events, each with its secret and at its time."""
    body = (FIXTURES / "signing" / vector["body_file"]).read_bytes()
    expected = Verified(secret_id(vector["secret"]), read_envelope(body))
    assert expected == check(body, vector["header"], now_ms=vector["timestamp"] + 40)


def test_the_valid_gate_vector_is_refused_as_a_gate_request() -> None:
    """Its signature is right, but gate calls and events never mix (P12)."""
    (vector,) = [vector for vector in VECTORS if vector["name"] == "gate-request"]
    refused = refusal((FIXTURES / "signing" / vector["body_file"]).read_bytes(), vector["header"])
    assert (Refusal.GATE_REQUEST, 403, secret_id(SECRET)) == (refused.code, refused.status, refused.secret_id)


@pytest.mark.parametrize("vector", vectors("invalid_signature"), ids=lambda vector: vector["name"])
def test_an_invalid_vector_is_refused(vector: Vector) -> None:
    """Tampered or re-serialised: 401, and the one that a proxy wrote anew is told apart."""
    refused = refusal((FIXTURES / "signing" / vector["body_file"]).read_bytes(), vector["header"])
    expected = (Refusal.SIGNATURE_MISMATCH, 401, vector["name"] == "bad-reserialised")
    assert expected == (refused.code, refused.status, refused.body_altered)


@pytest.mark.parametrize("vector", vectors("timestamp_mismatch"), ids=lambda vector: vector["name"])
def test_a_moved_timestamp_is_refused(vector: Vector) -> None:
    """The HMAC matches, but `t` is not the body's `timestamp`."""
    refused = refusal(
        (FIXTURES / "signing" / vector["body_file"]).read_bytes(), vector["header"], now_ms=vector["timestamp"]
    )
    assert (Refusal.TIMESTAMP_MISMATCH, 401) == (refused.code, refused.status)


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_every_event_signed_as_it_travels_is_taken_in(path: Path) -> None:
    """Each fixture as compact JSON in raw UTF-8, at its own time."""
    value = json.loads(path.read_bytes())
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    verified = check(body, sign(SECRET, body, value["timestamp"]), now_ms=value["timestamp"])
    assert verified.envelope is not None
    assert (value["id"], value["event"]) == (verified.envelope.id, verified.envelope.event)


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_an_event_as_it_is_pretty_printed_is_an_altered_body(path: Path) -> None:
    """A proxy that writes JSON anew is recognised whatever the event, and its claim is kept."""
    value = json.loads(path.read_bytes())
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    refused = refusal(path.read_bytes(), sign(SECRET, body, value["timestamp"]))
    assert (True, value["id"]) == (refused.body_altered, refused.claim and refused.claim.id)


def test_without_header_a_delivery_is_refused() -> None:
    """The webhook has no secret, or somebody else calls."""
    refused = refusal(event(), None)
    assert (Refusal.SIGNATURE_MISSING, 401) == (refused.code, refused.status)


@pytest.mark.parametrize("header", ["", "t=1", "nonsense", f"t={NOW_MS},v1=short"])
def test_a_malformed_header_is_refused(header: str) -> None:
    """A code of its own, so that its cause is found."""
    refused = refusal(event(), header)
    assert (Refusal.SIGNATURE_MALFORMED, 401) == (refused.code, refused.status)


@pytest.mark.parametrize("header", [None, "", sign("unknown", event(), NOW_MS)])
def test_a_refused_event_says_what_it_claims_to_be(header: str | None) -> None:
    """For the quarantine; unsigned, so nothing vouches for it."""
    refused = refusal(event(), header)
    assert (Claim("e1", "w1", "stream.idle", 5, NOW_MS), None) == (refused.claim, refused.secret_id)


@pytest.mark.parametrize("header", [None, "", sign("unknown", b"", 1)])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"[" * 100_000, b"\xff", event(accessKey="x")])
def test_what_is_not_shaped_like_an_event_claims_nothing(body: bytes, header: str | None) -> None:
    """A stranger's body is refused without further ado."""
    refused = refusal(body, header)
    assert (401, None, False) == (refused.status, refused.claim, refused.body_altered)


@pytest.mark.parametrize("offset_ms", [-TOLERANCE_MS, -1, 0, 1, TOLERANCE_MS])
def test_a_fresh_timestamp_is_taken_in(offset_ms: int) -> None:
    """The tolerance holds both ways and includes its bounds."""
    body = event(timestamp=NOW_MS + offset_ms)
    assert check(body, sign(SECRET, body, NOW_MS + offset_ms)).envelope is not None


@pytest.mark.parametrize("offset_ms", [-86_400_000, -TOLERANCE_MS - 1, TOLERANCE_MS + 1, 86_400_000])
def test_a_timestamp_out_of_tolerance_is_refused_for_now(offset_ms: int) -> None:
    """503: the sender comes again with a fresh one (P3). The offset and the signed claim are told."""
    body = event(timestamp=NOW_MS + offset_ms)
    refused = refusal(body, sign(SECRET, body, NOW_MS + offset_ms))
    expected = (Refusal.TIMESTAMP_OUT_OF_TOLERANCE, 503, offset_ms, secret_id(SECRET))
    assert expected == (refused.code, refused.status, refused.offset_ms, refused.secret_id)
    assert Claim("e1", "w1", "stream.idle", 5, NOW_MS + offset_ms) == refused.claim


def test_a_timestamp_in_seconds_is_told_apart() -> None:
    """Who signs test deliveries in seconds learns just that; the offset is that of the time meant."""
    body = event(timestamp=NOW_MS // 1000)
    refused = refusal(body, sign(SECRET, body, NOW_MS // 1000))
    assert (Refusal.TIMESTAMP_IN_SECONDS, 503, -500) == (refused.code, refused.status, refused.offset_ms)


def test_an_old_created_at_says_nothing_about_freshness() -> None:
    """A recording's asset.created carries the start of the session, hours ago (FACTS 12)."""
    body = event(createdAt=0)
    assert check(body, sign(SECRET, body, NOW_MS)).envelope is not None


def test_age_need_not_be_judged() -> None:
    """What is released from quarantine may be old; `t` must agree all the same."""
    body = event(timestamp=1)
    assert check(body, sign(SECRET, body, 1), tolerance_ms=None).envelope is not None
    with pytest.raises(Refused, match="differs"):
        check(body, sign(SECRET, body, 2), tolerance_ms=None)


@pytest.mark.parametrize("key", ["context", "accessKey"])
def test_an_event_forged_through_a_gate_is_refused(key: str) -> None:
    """The sender can be made to sign a whole envelope; the gate's keys betray it (P12)."""
    body = event(**{key: None})
    refused = refusal(body, sign(SECRET, body, NOW_MS))
    assert (Refusal.GATE_REQUEST, 403) == (refused.code, refused.status)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b"[]", b"[" * 100_000, b"\xff\x00", b"9" * 5000, event(id=5), event(timestamp="soon")]
)
def test_a_signed_body_that_is_not_understood_is_taken_in(body: bytes) -> None:
    """Nothing that is Livepeer's is thrown away (P3)."""
    verified = check(body, sign(SECRET, body, NOW_MS))
    assert (secret_id(SECRET), None) == (verified.secret_id, verified.envelope)
    assert verified.problem


def test_a_signed_body_that_is_not_understood_must_be_fresh_where_it_tells_its_time() -> None:
    """Else a replayer could have it stored again and again."""
    body = event(id=5, timestamp=1)
    assert Refusal.TIMESTAMP_OUT_OF_TOLERANCE == refusal(body, sign(SECRET, body, 1)).code
    assert Refusal.TIMESTAMP_MISMATCH == refusal(body, sign(SECRET, body, 2)).code


def check_allowing_unsigned(body: bytes, header: str | None) -> Verified:
    """Verify as the service does with RECEIVER_ALLOW_UNSIGNED."""
    return verify(body, header, keyring=KEYRING, now_ms=NOW_MS, tolerance_ms=TOLERANCE_MS, allow_unsigned=True)


def test_unsigned_deliveries_are_taken_in_where_allowed() -> None:
    """Only by that setting (P9)."""
    assert Verified(None, read_envelope(event())) == check_allowing_unsigned(event(), None)


@pytest.mark.parametrize(
    ("body", "header"),
    [(event(timestamp=1), None), (event(context={}), None), (event(), sign("unknown", event(), NOW_MS)), (event(), "")],
)
def test_where_unsigned_deliveries_are_allowed_the_rest_is_judged_all_the_same(body: bytes, header: str | None) -> None:
    """Age, the gate's keys, and a signature if there is one."""
    with pytest.raises(Refused):
        check_allowing_unsigned(body, header)


def test_no_secret_means_no_delivery() -> None:
    """Fail closed (P9): an empty keyring matches nothing."""
    with pytest.raises(Refused):
        verify(event(), sign("", event(), NOW_MS), keyring=Keyring([]), now_ms=NOW_MS, tolerance_ms=TOLERANCE_MS)


@given(
    body=st.binary(max_size=300) | st.sampled_from([event(), b"[" * 5000]),
    header=st.none() | st.text() | st.just(sign(SECRET, event(), NOW_MS)),
)
def test_any_delivery_is_verified_or_refused(body: bytes, header: str | None) -> None:
    """Whatever arrives, nothing but the documented exception comes out."""
    try:
        verified = check(body, header)
    except Refused:
        return
    assert secret_id(SECRET) == verified.secret_id


@given(st.binary(max_size=300))
def test_any_signed_bytes_are_verified_or_refused(body: bytes) -> None:
    """A right signature on nonsense is no reason to fail either."""
    assert secret_id(SECRET) == check(body, sign(SECRET, body, NOW_MS)).secret_id


@pytest.mark.parametrize("header", [None, "x", sign("unknown", event(), NOW_MS), sign(SECRET, event(), 3)])
def test_a_refusal_holds_no_secret(header: str | None) -> None:
    """Its text goes to the log and to whoever called."""
    refused = refusal(event(), header)
    assert SECRET not in f"{refused} {refused.detail} {refused!r}"
