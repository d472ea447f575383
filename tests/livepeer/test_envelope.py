import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from receiver.intake import read_event, route
from receiver.livepeer.body import LATEST_MS, Payload, Session, Snapshot, Stream, Work, fitted
from receiver.livepeer.envelope import (
    Claim,
    Envelope,
    NotUnderstood,
    decode,
    envelope_of,
    is_gate_request,
    looks_like_livepeer,
    read_envelope,
    unreadable_id,
)

FIXTURES = Path(__file__).parents[1] / "fixtures"
EVENTS = sorted((FIXTURES / "events").glob("*.json"))

MINIMAL: dict[str, JsonValue] = {"id": "e1", "webhookId": "w1", "createdAt": 5, "timestamp": 7, "event": "x.y"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def wire(value: object) -> bytes:
    """A value as compact JSON in raw UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")


def with_field(key: str, value: object) -> bytes:
    """A minimal body with one field of another value."""
    return wire({**MINIMAL, key: value})


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_every_event_is_read(path: Path) -> None:
    """The envelope of each fixture holds what its body says."""
    value = json.loads(path.read_bytes())
    expected = Envelope(
        id=value["id"],
        webhook_id=value["webhookId"],
        event=value["event"],
        created_ms=value["createdAt"],
        timestamp_ms=value["timestamp"],
        stream=fitted(Stream, value["stream"]) if "stream" in value else None,
        payload=fitted(Payload, value["payload"]) if "payload" in value else None,
        documented_form=False,
    )
    assert expected == read_envelope(path.read_bytes()) == envelope_of(decode(path.read_bytes()))


def test_a_minimal_envelope_is_enough() -> None:
    """An event unknown to us, without stream and payload, is understood."""
    envelope = read_envelope(wire(MINIMAL))
    assert ("x.y", None, None) == (envelope.event, envelope.stream, envelope.payload)


def test_null_parts_count_as_absent() -> None:
    """`stream` and `payload` are absent or objects at the sender; null means no more than absent."""
    envelope = read_envelope(wire({**MINIMAL, "stream": None, "payload": None}))
    assert (None, None) == (envelope.stream, envelope.payload)


@pytest.mark.parametrize("key", ["id", "webhookId", "event"])
@pytest.mark.parametrize(
    "value", [None, True, 1, 1.5, [], {}, [1], "", "x" * 201, "a\x00b", "a\nb", "\x7f", "a\u2028b", "\u200b"]
)
def test_a_name_of_the_wrong_kind_is_not_understood(key: str, value: object) -> None:
    """Names are printable texts of 1 to 200 characters."""
    with pytest.raises(NotUnderstood, match=f"`{key}`"):
        read_envelope(with_field(key, value))


@pytest.mark.parametrize("key", ["createdAt", "timestamp"])
@pytest.mark.parametrize("value", [None, True, False, "1726153200184", 1.0, 1.5, -1, LATEST_MS + 1, 10**4000, [], {}])
def test_a_time_of_the_wrong_kind_is_not_understood(key: str, value: object) -> None:
    """Times are whole milliseconds between 1970 and 9999."""
    with pytest.raises(NotUnderstood, match=f"`{key}`"):
        read_envelope(with_field(key, value))


@pytest.mark.parametrize("key", ["stream", "payload", "event_object"])
@pytest.mark.parametrize("value", [True, 0, 1.5, "x", [], [{}]])
def test_a_part_of_the_wrong_kind_is_not_understood(key: str, value: object) -> None:
    """The parts are objects."""
    with pytest.raises(NotUnderstood, match=f"`{key}`"):
        read_envelope(with_field(key, value))


@pytest.mark.parametrize("key", ["webhookId", "event", "createdAt", "timestamp"])
def test_a_missing_field_is_not_understood(key: str) -> None:
    """All but `id`, `stream` and `payload` are required."""
    with pytest.raises(NotUnderstood, match=f"`{key}`"):
        read_envelope(wire({name: value for name, value in MINIMAL.items() if name != key}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"id":',
        wire(MINIMAL) + b"x",
        wire(MINIMAL)[:-1],
        b"\xef\xbb\xbf" + wire(MINIMAL),
        wire(MINIMAL).decode().encode("utf-16"),
        b'{"id":"\xff"}',
        b'{"id":"\xed\xa0\x80"}',
        b'{"id":"\\ud800"}',
        b'{"id":"\\udc00x"}',
        b'{"id":"a\x00"}',
        b'{"id":NaN}',
        b'{"id":Infinity}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"9" * 100_000,
        b'{"id":' + b"9" * 5000 + b"}",
        b"\x00" * 100,
        b"t=1&v1=2",
        b"<xml/>",
    ],
)
def test_what_is_no_json_is_not_understood(body: bytes) -> None:
    """Truncated, deep, huge, wrongly encoded or foreign bodies raise the documented error only."""
    with pytest.raises(NotUnderstood, match="not JSON"):
        read_envelope(body)


@pytest.mark.parametrize("body", [b"null", b"true", b"1", b"1e999", b'"x"', b"[]", b"[{}]"])
def test_what_is_no_object_is_not_understood(body: bytes) -> None:
    """The top of a body is an object."""
    with pytest.raises(NotUnderstood, match="not an object"):
        read_envelope(body)


def test_of_a_duplicated_key_the_last_one_counts() -> None:
    """As it does for the sender's own parser."""
    body = wire(MINIMAL)[:-1] + b',"event":"stream.idle","event":"stream.started"}'
    assert "stream.started" == read_envelope(body).event


@given(st.binary(max_size=200))
def test_random_bytes_are_not_understood(body: bytes) -> None:
    """Whatever arrives, nothing but the documented exception comes out."""
    with pytest.raises(NotUnderstood):
        read_envelope(body)


@given(st.dictionaries(st.sampled_from([*MINIMAL, "stream", "payload", "event_object"]), json_values))
def test_any_values_in_any_field_are_read_or_not_understood(fields: dict[str, JsonValue]) -> None:
    """Wrong types in every field at once."""
    try:
        envelope = read_envelope(wire({**MINIMAL, **fields}))
    except NotUnderstood:
        return
    value = {**MINIMAL, **fields}
    assert (value["id"], value["webhookId"], value["event"]) == (envelope.id, envelope.webhook_id, envelope.event)


@given(json_values)
def test_any_value_can_be_a_stream(inner: JsonValue) -> None:
    """What a stream object holds is not the envelope's business; what has not its type is absent."""
    expected = Stream(id=inner if isinstance(inner, str) else None)
    assert expected == read_envelope(with_field("stream", {"id": inner})).stream


def test_an_envelope_does_not_show_its_contents() -> None:
    """Its representation may end in a log; a stream can hold credentials (FACTS 2.1)."""
    assert "hunter2" not in repr(read_envelope(with_field("stream", {"pull": {"headers": {"a": "hunter2"}}})))


def test_the_error_does_not_show_values() -> None:
    """Its message names keys only."""
    with pytest.raises(NotUnderstood) as caught:
        read_envelope(with_field("id", ["hunter2"]))
    assert "hunter2" not in str(caught.value)


def documented(event: str, part: object, timestamp: int = 7) -> bytes:
    """A body as the public documentation describes it."""
    return wire({"webhookId": "w1", "createdAt": 5, "timestamp": timestamp, "event": event, "event_object": part})


def test_the_documented_form_of_a_stream_event_is_read() -> None:
    """No `id`, and the stream under `event_object`."""
    envelope = read_envelope(documented("stream.idle", {"id": "s1"}))
    assert (True, Stream(id="s1"), None) == (envelope.documented_form, envelope.stream, envelope.payload)


@pytest.mark.parametrize(
    ("event", "part", "payload"),
    [
        ("recording.ready", {"session": {"id": "r1"}}, Payload(session=Session(id="r1"))),
        ("recording.ready", {"id": "r1", "parentId": "s1"}, Payload(session=Session(id="r1", parent_id="s1"))),
        ("task.failed", {"task": {"snapshot": {"id": "t1"}}}, Payload(task=Work(Snapshot(id="t1")))),
    ],
)
def test_the_documented_form_of_other_events_is_read(event: str, part: object, payload: object) -> None:
    """What they hold is the payload; a bare session is put where the sender puts it."""
    envelope = read_envelope(documented(event, part))
    assert (None, payload) == (envelope.stream, envelope.payload)


def test_the_id_made_for_the_documented_form_is_the_same_for_every_attempt() -> None:
    """Only `timestamp` differs between attempts, so repetitions are recognised."""
    first = read_envelope(documented("stream.idle", {"id": "s1", "name": "ü"}, 7)).id
    assert first == read_envelope(documented("stream.idle", {"name": "ü", "id": "s1"}, 8)).id
    assert first != read_envelope(documented("stream.idle", {"id": "s2", "name": "ü"}, 7)).id
    assert ("doc_", 36) == (first[:4], len(first))


@pytest.mark.parametrize("event", ["asset.ready", "task.failed"])
def test_both_shapes_of_work_are_read_alike(event: str) -> None:
    """A webhook made before 2024-07-28 gets `id` and `snapshot` at the top of the payload (FACTS 3)."""
    value = json.loads((FIXTURES / "events" / f"{event}.json").read_bytes())
    old = {**value, "payload": value["payload"][event.partition(".")[0]]}
    new, flattened = (read_envelope(wire(one)) for one in (value, old))
    assert flattened.payload != new.payload
    assert (route(new), read_event(new, 0, None)) == (route(flattened), read_event(flattened, 0, None))


def test_an_unreadable_body_has_an_id_of_its_bytes() -> None:
    """The same bytes have the same id."""
    assert unreadable_id(b"x") == unreadable_id(b"x") != unreadable_id(b"y")
    assert ("raw_", 36) == (unreadable_id(b"x")[:4], len(unreadable_id(b"x")))


@pytest.mark.parametrize("path", sorted((FIXTURES / "gate").glob("playback*.json")), ids=lambda path: path.stem)
def test_a_gate_request_is_told_apart(path: Path) -> None:
    """Both forms of the gate's body have a telling key and no envelope."""
    assert is_gate_request(decode(path.read_bytes()))
    assert looks_like_livepeer(path.read_bytes()) is None


@pytest.mark.parametrize("key", ["context", "accessKey"])
@pytest.mark.parametrize("value", [None, "", {}, "x"])
def test_an_event_forged_through_a_gate_is_told_apart(key: str, value: object) -> None:
    """A whole envelope with a gate's key at its top, whatever the key holds (FACTS 12)."""
    body = with_field(key, value)
    assert is_gate_request(decode(body))
    assert looks_like_livepeer(body) is None


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_no_event_looks_like_a_gate_request(path: Path) -> None:
    """A genuine event never has those keys at its top."""
    assert not is_gate_request(decode(path.read_bytes()))


def test_a_claim_is_what_the_body_says_of_itself() -> None:
    """For the quarantine: who it says it is, without believing it."""
    assert Claim("e1", "w1", "x.y", 5, 7) == looks_like_livepeer(wire(MINIMAL))


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"[" * 100_000, wire({}), documented("stream.idle", {}), with_field("timestamp", 10**30)],
)
def test_what_has_not_the_shape_claims_nothing(body: bytes) -> None:
    """Other bodies, and a form that nobody sends, are strangers'."""
    assert looks_like_livepeer(body) is None
