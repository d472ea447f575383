import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from receiver.livepeer.redaction import REDACTED, redact_body, redact_text

EVENTS = sorted((Path(__file__).parents[1] / "fixtures/events").glob("*.json"))
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI3YzFlIn0.c2lnbmF0dXJl"
STREAM_KEY = "7c1e-abcd-0123-wxyz"


@pytest.mark.parametrize(
    "path", [path for path in EVENTS if path.stem != "asset.created.url-upload"], ids=lambda path: path.stem
)
def test_a_body_without_secrets_is_shown_as_it_is(path: Path) -> None:
    """Nothing that helps is hidden: ids, times, URLs without secrets, user tags."""
    value = json.loads(path.read_bytes())
    assert value == redact_body(value)


@pytest.mark.parametrize(
    "body",
    [
        {"stream": {"streamKey": "hunter2"}},
        {"stream": {"pull": {"source": "https://a:hunter2@example.com/x", "headers": {"X-Any": "hunter2"}}}},
        {"stream": {"pull": {"source": "https://example.com/x?sig=hunter2"}}},
        {"stream": {"pull": {"source": "rtmp://example.com/live/hunter2"}}},
        {"stream": {"playbackPolicy": {"type": "webhook", "webhookContext": {"a": "hunter2"}}}},
        {"payload": {"task": {"snapshot": {"params": {"export": {"credentials": {"accessKeyId": "hunter2"}}}}}}},
        {"payload": [{"deep": [{"sharedSecret": "hunter2"}, {"api_key": ["hunter2"]}, {"Authorization": "hunter2"}]}]},
        {"context": {"a": "hunter2"}, "accessKey": "hunter2", "userIP": "hunter2", "playURL": "https://x/?k=hunter2"},
        {"headers": {"Livepeer-Access-Key": "hunter2", "Livepeer-Jwt": "hunter2", "Cookie": "hunter2"}},
        {"x": "failed: GET s3+https://hunter2:x@store.example.com/b#hunter2 said 403"},
        {"x": "srt://example.com:1935?streamid=hunter2"},
    ],
)
def test_what_a_body_can_carry_in_secret_is_hidden(body: JsonValue) -> None:
    """The places where bodies hold credentials or viewers' data (FACTS 2.1, 7.1)."""
    shown = json.dumps(redact_body(body))
    assert "hunter2" not in shown
    assert REDACTED in shown


@pytest.mark.parametrize("secret", [STREAM_KEY, STREAM_KEY.upper(), JWT])
def test_what_looks_like_a_secret_is_hidden_in_any_text(secret: str) -> None:
    """Stream keys and JWTs, wherever they stand."""
    assert f"rejected {REDACTED} (try again)" == redact_text(f"rejected {secret} (try again)")


@pytest.mark.parametrize(
    "text",
    [
        "7c1ea8c3-7aeb-4789-9460-a106bfc33508",
        "live-2024-09-12T15:00Z",
        "https://vod-cdn.example-storage.net/hls/cd14p3x4fpw41z3m/index.m3u8",
        "rtmp://example.com",
        "Município, sessão 9 ⚽",
    ],
)
def test_what_is_no_secret_is_shown(text: str) -> None:
    """Ids, names and plain URLs."""
    assert text == redact_text(text)


def test_what_is_empty_stays_as_it_is() -> None:
    """That there is no key is worth seeing."""
    body: JsonValue = {"streamKey": None, "isSecret": False, "pull": None}
    assert body == redact_body(body)


def test_an_infinite_number_becomes_null() -> None:
    """JSON has no word for it."""
    assert {"x": [None, None, 1.5]} == redact_body({"x": [float("inf"), float("-inf"), 1.5]})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    )
)
def test_any_body_can_be_shown(value: JsonValue) -> None:
    """The result is JSON whatever came, and hiding twice hides no more than once."""
    shown = redact_body(value)
    json.dumps(shown, allow_nan=False)
    assert shown == redact_body(shown)
