"""The parts of reconciliation that are rules over many inputs."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from receiver.evidence.reconciling.bodies import Logged, read_logged
from receiver.evidence.reconciling.registering import with_path
from receiver.evidence.reconciling.windows import FIRST_MS, SETTLED_MS, pieces, window
from receiver.livepeer.studio.webhooks import LogEntry
from tests.sender import Event

MOMENTS = st.integers(0, 10**13)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def entry(body: bytes, webhook_id: str | None = "wh-1") -> LogEntry:
    """An entry of the log."""
    return LogEntry.model_validate({"id": "log-1", "webhookId": webhook_id, "request": {"body": body}})


@given(st.binary(max_size=300))
def test_whatever_a_body_is_it_is_read_or_refused(body: bytes) -> None:
    """Never an error."""
    assert read_logged(entry(body), "wh-1", 200) in {"no_body", "too_large", "not_an_event", "gate_request"}


@given(key=st.sampled_from(["context", "accessKey"]), value=JSON, first=st.booleans())
def test_a_body_with_a_gates_key_is_never_taken(key: str, value: object, *, first: bool) -> None:
    """Wherever the key stands at its top, and whatever its value is (P12, FACTS 12)."""
    genuine = json.loads(Event().body(1))
    body = {key: value, **genuine} if first else {**genuine, key: value}
    assert "gate_request" == read_logged(entry(json.dumps(body).encode()), genuine["webhookId"], 1 << 20)


@given(st.text(max_size=10), st.none() | st.text(min_size=1, max_size=10))
def test_a_body_belongs_to_the_webhook_in_whose_log_it_stands(webhook_id: str, logged: str | None) -> None:
    """As both say."""
    body = Event().body(1)
    mine = json.loads(body)["webhookId"]
    found = read_logged(entry(body, logged), webhook_id, 1 << 20)
    shown = entry(body, logged).webhook_id
    assert isinstance(found, Logged) is (webhook_id == mine and shown in {None, mine})


@given(MOMENTS, MOMENTS, st.integers(1, 10**10), st.none() | MOMENTS, st.none() | MOMENTS)
def test_a_window_is_bounded(
    now_ms: int, read_ms: int, keep_ms: int, since_ms: int | None, made_ms: int | None
) -> None:
    """It ends a minute ago, and begins no later than that, nor before what is kept."""
    from_ms, until_ms = window(now_ms, read_ms, keep_ms, since_ms, made_ms)
    assert until_ms == now_ms - SETTLED_MS
    assert from_ms <= until_ms
    assert from_ms == until_ms or from_ms >= max(now_ms - keep_ms, made_ms or 0, since_ms or 0)
    if read_ms > until_ms and since_ms is None:
        assert from_ms >= until_ms - FIRST_MS


@given(MOMENTS, st.integers(0, 10**9), st.integers(10**6, 10**8))
def test_pieces_are_the_whole(from_ms: int, length_ms: int, piece_ms: int) -> None:
    """In order, without a gap, none too long."""
    found = list(pieces(from_ms, from_ms + length_ms, piece_ms))
    assert length_ms == sum(end_ms - begin_ms for begin_ms, end_ms in found)
    assert all(one[1] == other[0] for one, other in pairwise(found))
    assert all(0 < end_ms - begin_ms <= piece_ms for begin_ms, end_ms in found)


def test_a_url_without_a_path_gets_ours() -> None:
    """Another path is the operator's own."""
    assert "https://a.example/webhooks/livepeer" == with_path("https://a.example") == with_path("https://a.example/")
    assert "https://a.example/x?y=z" == with_path("https://a.example/x?y=z")
