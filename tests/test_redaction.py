import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.redaction import _PLAIN, MASK, Redactor, is_secret_name, redact_text

KEY = "2f8a-x1k9-zz0q-7bb3"
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhYmMifQ.c2lnbmF0dXJl"
SECRET = "lp-demo-secret-41c7"

secrets = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=4, max_size=40).filter(
    lambda s: s not in MASK
)
anything = st.text(st.characters(codec="utf-8"), max_size=40)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"key {KEY} refused", "key [redacted] refused"),
        (f"KEY {KEY.upper()}", "KEY [redacted]"),
        (f"my-{KEY}-test", "my-[redacted]"),
        (f"jwt {JWT}.", "jwt [redacted]"),
        ("ey eyJhbGciOiJFUzI1NiJ9 cut", "ey [redacted] cut"),
        ("rtmp://rtmp.livepeer.com/live/wrong_key", "rtmp://rtmp.livepeer.com/live/[redacted]"),
        ("rtmps://host:1935/app/secret?x=1 refused", "rtmps://host:1935/[redacted] refused"),
        ("rtmp://rtmp.livepeer.com/live refused", "rtmp://rtmp.livepeer.com/live refused"),
        ("path /live/abc?x=1", "path /live/[redacted]?x=1"),
        ("srt://host:2935?streamid=abc", "srt://host:2935?streamid=[redacted]"),
        ("index.m3u8?jwt=abc&v=1", "index.m3u8?jwt=[redacted]&v=1"),
        ("0_1/index.m3u8?tkn=123", "0_1/index.m3u8?tkn=[redacted]"),
        ("?v=1&accessKey=abc#x", "?v=1&accessKey=[redacted]"),
        ("?url=https%3A%2F%2Fh%2F%3Fjwt%3Dabc", "?url=https%3A%2F%2Fh%2F%3Fjwt%3D[redacted]"),
        ("?key=abc&sig=def", "?key=[redacted]&sig=[redacted]"),
        ("secret=abc, next", "secret=[redacted], next"),
        ("token: abc", "token: [redacted]"),
        ("my_api_key => 'a b'", "my_api_key => '[redacted]'"),
        ("{'sharedSecret': 'a b', 'id': 'x'}", "{'sharedSecret': '[redacted]', 'id': 'x'}"),
        ('{"streamKey":"a \\" b","id":"x"}', '{"streamKey":"[redacted]","id":"x"}'),
        ('"{\\"accessKey\\":\\"abc d\\",\\"id\\":1}"', '"{\\"accessKey\\":\\"[redacted]\\",\\"id\\":1}"'),
        ("tokens=['a', 'b'] next", "tokens=[redacted] next"),
        ("('Livepeer-Jwt', 'abc')", "('Livepeer-Jwt', '[redacted]')"),
        ("Authorization: Bearer abc def", "Authorization: [redacted]"),
        ("{'authorization': 'Basic dTpw', 'a': 'b'}", "{'authorization': '[redacted]', 'a': 'b'}"),
        ("(b'Authorization', b'Bearer abc')", "(b'Authorization', b'[redacted]')"),
        ("Cookie: a=1; b=2\nHost: h", "Cookie: [redacted]\nHost: h"),
        ("sent Bearer abc.def-123 twice", "sent Bearer [redacted] twice"),
        ("postgresql://user:p@ss@db/x", "postgresql://[redacted]@db/x"),
        ("whsec_abcdefgh12 rcv_abcdefgh-_2", "[redacted] [redacted]"),
        ("no token 1234-5678 found", "no token [redacted] found"),
        ("-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----", "[redacted] EC PRIVATE KEY-----"),
        ("-----BEGIN PRIVATE KEY-----\nMHc", "[redacted]"),
        ("token=[redacted]rest", "token=[redacted]"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, expected: str) -> None:
    """Keys, tokens and credentials go, and the rest of the text stays readable."""
    assert expected == redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "1bde4o2i6xycudoy",
        "7f3ac0de-1a2b-3c4d-5e6f-0123456789ab",
        "11112222-3333-4444-5555-666677778888",
        "doc_0123456789abcdef0123456789abcdef",
        "dg_01hx7d0000000",
        "stream.started",
        "live-2024-09-12T15:00Z",
        "2024-09-12T15:00:00.000Z",
        "https://livepeercdn.studio/hls/1bde4o2i6xycudoy/index.m3u8",
        "secret_id=0123abcd",
        "the token does not carry the scope raw",
        "Add the secret of the webhook to RECEIVER_WEBHOOK_SECRETS and restart.",
        "t=1726153200000,v1=mismatch",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Ids, event names, times, public URLs and plain sentences come out as they went in."""
    assert (text, text) == (redact_text(text), Redactor().text(text))


@given(st.lists(st.sampled_from([KEY, JWT, "token=", "jwt%3D", '"', "\\", "[redacted]", "rtmp://h/", " ", "a"])))
def test_redacting_twice_changes_nothing(parts: list[str]) -> None:
    """A stored message that is shown again stays as it is."""
    once = redact_text("".join(parts))
    assert once == redact_text(once)


@given(secrets, anything, anything)
def test_a_known_secret_never_comes_out_of_a_text(secret: str, before: str, after: str) -> None:
    """Wherever a registered secret stands, in whatever company, it is taken out."""
    assert secret not in Redactor([secret]).text(f"{before}{secret}{after}").replace(MASK, "\0")


@given(st.lists(st.text("abcdefgh-", min_size=4, max_size=12), min_size=1, max_size=4), anything, anything)
def test_secrets_that_hold_each_other_are_all_taken_out(known: list[str], before: str, after: str) -> None:
    """One secret may be part of another: the longer goes first and nothing of it stays."""
    redacted = Redactor(known).text(before + after.join(known))
    assert [] == [secret for secret in known if secret in redacted.replace(MASK, "\0")]


@given(secrets, st.recursive(anything, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(anything, inner)))
def test_a_known_secret_never_comes_out_of_a_value(secret: str, company: object) -> None:
    """Keys, values, bytes, sets, exceptions and any nesting of them are searched."""
    value = {
        secret: [company, (secret, {secret}), secret.encode()],
        "nested": {"deep": [{"x": secret}, ValueError(secret), Path("x", secret)]},
        "company": company,
    }
    redacted = Redactor([secret]).value(value)
    assert secret not in flat(redacted).replace(MASK, "\0")


def flat(value: object) -> str:
    """All texts within a value."""
    match value:
        case dict():
            return "\0".join(f"{flat(key)}\0{flat(inner)}" for key, inner in value.items())
        case list():
            return "\0".join(flat(inner) for inner in value)
        case _:
            return str(value)


@pytest.mark.parametrize(
    "shown",
    [
        json.dumps('s€cret "x"\n'),
        json.dumps('s€cret "x"\n', ensure_ascii=False),
        json.dumps(json.dumps('s€cret "x"\n')),
        repr('s€cret "x"\n'),
        repr('s€cret "x"\n'.encode()),
        quote('s€cret "x"\n'),
        quote('s€cret "x"\n').lower(),
        f"Basic {base64.b64encode(b'u:p').decode()} for " + 's€cret "x"\n',
    ],
)
def test_a_known_secret_is_known_in_other_forms(shown: str) -> None:
    """JSON, Python and URLs escape what they show; the escaped secret is a secret still."""
    redacted = Redactor(['s€cret "x"\n']).text(shown)
    assert MASK in redacted
    assert "cret" not in redacted


def test_a_secret_too_short_to_find_leaves_texts_alone() -> None:
    """Three letters would take half of the words apart."""
    assert "an abc of things" == Redactor(["abc", ""]).text("an abc of things")


def test_more_secrets_can_be_learned() -> None:
    """What was known before stays known."""
    assert "[redacted] [redacted]" == Redactor(["first-one"]).protecting("second-one").text("first-one second-one")


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "api_token",
        "accessKey",
        "Livepeer-Access-Key",
        "streamKey",
        "stream_key",
        "sharedSecret",
        "PASSWORD",
        "jwt",
        "Authorization",
        "Set-Cookie",
        "webhookContext",
        "pull",
        "key",
        "tkn",
        "webhook_secrets",
        "credentials",
    ],
)
def test_a_secrets_name_hides_what_stands_under_it(name: str) -> None:
    """Whatever the value looks like, and however deep it stands."""
    assert is_secret_name(name)
    assert {"a": [{name: MASK}]} == Redactor().value({"a": [{name: {"x": [1, "harmless"]}}]})


@pytest.mark.parametrize(
    "name", ["id", "event_id", "secret_id", "stream_id", "webhook_id", "token_ids", "playback_id", "code", "remote"]
)
def test_ids_are_no_secrets(name: str) -> None:
    """The documented id fields come out, the id of a secret too."""
    assert {name: "0123abcd"} == Redactor().value({name: "0123abcd"})


@pytest.mark.parametrize("value", [None, True, False, ""])
def test_whether_there_is_a_secret_may_be_told(value: object) -> None:
    """Yes, no and nothing under a secret's name are not the secret."""
    assert {"token": value} == Redactor().value({"token": value})


def test_any_value_becomes_json() -> None:
    """What JSON cannot hold becomes text, so that no line is lost to it."""
    value = (1, 1.5, float("nan"), None, True, {1: b"\xff"}, frozenset({"x"}), Path("/x"), ValueError("no"))
    expected = [1, 1.5, "nan", None, True, {"1": "\\xff"}, ["x"], "/x", "ValueError('no')"]
    assert expected == Redactor().value(value)


def test_an_object_that_cannot_show_itself_is_named() -> None:
    """Logging does not fail for a broken `__str__`."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    assert "<Broken>" == Redactor().value(Broken())


def test_a_value_without_bottom_ends() -> None:
    """A list that holds itself is cut off."""
    endless: list[object] = ["x"]
    endless.append(endless)
    assert "[too deep]" in flat(Redactor().value(endless))


def test_a_long_list_is_cut_off() -> None:
    """A line stays a line: a thousand items of a list are enough."""
    assert list(range(1000)) == Redactor().value(list(range(5000)))


def test_hostile_texts_are_redacted_in_linear_time() -> None:
    """Texts that would make a careless pattern try every pair of places are done at once."""
    hostile = [
        "token" * 50_000,
        "://" * 90_000,
        "rtmp://a" * 30_000,
        "secret " * 40_000,
        "eyJ" * 90_000,
        "a-" * 120_000,
    ]
    assert [len(text) > 0 for text in hostile] == [len(redact_text(text)) > 0 for text in hostile]


UUID = "7d9dd189-8cff-48e5-aafc-7daae308dad4"
NAMES = ["event_id", "at", "bytes", "secret_id", "token", "key", "a b", "a\nb", "eyJhbGciOi", SECRET]
PIECES = [
    UUID,
    "2024-09-12T15:00:00.000Z",
    KEY,
    JWT,
    SECRET,
    "plain",
    ".",
    "-",
    ":",
    "whsec_",
    "rcv_",
    "eyJ",
    "\n",
    '"',
]
fields = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(PIECES), max_size=3).map("".join), min_size=1)


@given(fields)
def test_what_is_let_pass_at_a_glance_has_nothing_to_redact(line: dict[str, str]) -> None:
    """The short way is taken only by what the long way would leave as it is, and JSON too."""
    redactor = Redactor([SECRET])
    if redactor.leaves(frozenset(line), list(line.values())):
        assert line == redactor.mapping(line)
        assert [f'"{text}"' for text in line.values()] == [json.dumps(text) for text in line.values()]


def test_most_lines_pass_at_a_glance() -> None:
    """Ids, times and addresses under names that tell of no secret."""
    line = {"at": "2024-09-12T15:00:00.000Z", "event_id": UUID, "remote": "2001:db8::1", "code": "not_understood"}
    assert Redactor([SECRET]).leaves(frozenset(line), list(line.values()))


@given(st.from_regex(_PLAIN, fullmatch=True))
def test_no_rule_matches_what_is_plain(text: str) -> None:
    """The rules need not be tried: they would leave the text as it is."""
    assert text == redact_text(text)


@pytest.mark.parametrize("text", ["a\nb", "eyJhbGciOi", "my_rcv_abcdefgh", SECRET, KEY, 'a"b', "é", "a b"])
def test_one_odd_text_is_seen_among_many(text: str) -> None:
    """Texts are looked at all at once, and each by itself."""
    assert not Redactor([SECRET]).leaves(frozenset({"at"}), ["plain", text, UUID])
