import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.diagnosis.catalogue import CATALOGUE
from receiver.diagnosis.refusal import (
    CHECKS,
    Access,
    Asked,
    Explained,
    GateHistory,
    Known,
    Probed,
    SigningKey,
    explain,
)
from receiver.diagnosis.refusal.origins import entry_fault
from tests.tokens import DAY_S, NOW_MS, NOW_S, PLAYBACK_ID, Signer

SIGNER = Signer.fresh()
OTHER = Signer.fresh()
RIGHT = SIGNER.token()
HOUR_MS = 3_600_000
PAGE = "https://watch.example.com"
PLAIN = Access(
    policy_type=Known("public", "studio_api"),
    allowed_origins=Known((), "studio_api"),
    suspended=Known(False, "studio_api"),  # noqa: FBT003 -- a fact
    deleted=Known(False, "studio_api"),  # noqa: FBT003 -- a fact
)
BY_JWT = replace(
    PLAIN,
    policy_type=Known("jwt", "studio_api"),
    signing_keys=Known((SigningKey(OTHER.pub), SigningKey(SIGNER.pub)), "studio_api"),
)
BY_WEBHOOK = replace(
    PLAIN,
    policy_type=Known("webhook", "studio_api"),
    webhook_known=Known(True, "studio_api"),  # noqa: FBT003 -- a fact
    gate=GateHistory(asked=3, decision="allowed"),
)
ASKED = Asked(PLAYBACK_ID, jwt=RIGHT, origin=PAGE)
KEYED = Asked(PLAYBACK_ID, access_key="the-viewers-key", origin=PAGE)
BOTH = replace(ASKED, access_key="the-viewers-key")
NONE = Asked(PLAYBACK_ID, origin=PAGE)


def found(asked: Asked, access: Access) -> tuple[str, str]:
    """Verdict and reason."""
    explained = explain(asked, access, NOW_MS)
    return explained.verdict, explained.reason


def told(explained: Explained, check: str) -> tuple[str, str]:
    """Verdict and detail of a check."""
    return next((one.verdict, one.detail) for one in explained.checks if one.check == check)


def listing(*origins: str) -> Access:
    """Public content with these allowed origins."""
    return replace(PLAIN, allowed_origins=Known(origins, "studio_api"))


@pytest.mark.parametrize(
    ("asked", "access"),
    [
        (ASKED, BY_JWT),
        (KEYED, BY_WEBHOOK),
        (BOTH, BY_WEBHOOK),
        (replace(BOTH, jwt="no token at all"), BY_WEBHOOK),
        (NONE, PLAIN),
        (ASKED, PLAIN),
        (BOTH, PLAIN),
        (NONE, listing("*")),
        (NONE, listing("https://a.example", PAGE)),
        (replace(NONE, error="Stream open failed"), PLAIN),
        (NONE, Access(probe=Probed(played=True, at_ms=NOW_MS))),
        (ASKED, replace(BY_JWT, policy_changed_ms=NOW_MS - HOUR_MS)),
        (ASKED, replace(BY_JWT, suspended=None, deleted=None, playback_status=200)),
    ],
)
def test_what_stands_against_nothing_is_allowed(asked: Asked, access: Access) -> None:
    """Everything that it depends on is known and passes; a webhook policy and an access key do without the token."""
    assert ("allowed", "AccessAllowed") == found(asked, access)


@pytest.mark.parametrize(
    ("asked", "access", "reason", "check"),
    [
        (NONE, replace(PLAIN, suspended=Known(True, "store")), "ContentSuspended", "content"),  # noqa: FBT003
        (NONE, replace(PLAIN, deleted=Known(True, "studio_api")), "ContentSuspended", "content"),  # noqa: FBT003
        (NONE, replace(PLAIN, playback_status=404), "ContentSuspended", "content"),
        (NONE, replace(PLAIN, user_disabled=Known(True, "studio_api")), "ContentSuspended", "account"),  # noqa: FBT003
        (NONE, listing("https://a.example"), "OriginNotAllowed", "origin"),
        (replace(ASKED, origin="https://b.example"), replace(BY_JWT, allowed_origins=Known((PAGE,), "studio_api")),
         "OriginNotAllowed", "origin"),
        (NONE, replace(PLAIN, policy_type=Known("lit", "studio_api")), "PolicyUnknown", "policy"),
        (NONE, BY_JWT, "AccessKeyMissing", "credential"),
        (KEYED, BY_JWT, "AccessKeyMissing", "credential"),
        (replace(NONE, jwt=""), BY_JWT, "AccessKeyMissing", "credential"),
        (BOTH, BY_JWT, "BothCredentials", "credential"),
        (replace(BOTH, jwt="no token"), BY_JWT, "BothCredentials", "credential"),
        (NONE, BY_WEBHOOK, "AccessKeyMissing", "credential"),
        (ASKED, BY_WEBHOOK, "AccessKeyMissing", "credential"),
        (replace(NONE, access_key=""), BY_WEBHOOK, "AccessKeyMissing", "credential"),
        (ASKED, replace(BY_JWT, signing_keys=Known((), "studio_api")), "JwtKeyUnknown", "signing_key"),
        (ASKED, replace(BY_JWT, signing_keys=Known((SigningKey(SIGNER.pub, disabled=True),), "studio_api")),
         "JwtKeyUnknown", "signing_key"),
        (ASKED, replace(BY_JWT, signing_keys=Known((SigningKey(SIGNER.pub),) * 2, "studio_api")),
         "JwtKeyUnknown", "signing_key"),
        (KEYED, replace(BY_WEBHOOK, webhook_known=Known(False, "studio_api")), "GateWebhookMissing", "webhook"),  # noqa: FBT003
        (KEYED, replace(BY_WEBHOOK, webhook_last_failure_ms=NOW_MS - 9000, webhook_last_triggered_ms=NOW_MS - 9000),
         "GateEndpointFailed", "webhook"),
        (KEYED, replace(BY_WEBHOOK, gate=GateHistory(asked=1, decision="denied")), "GateDenied", "gate"),
        (KEYED, replace(BY_WEBHOOK, gate=GateHistory(asked=1, decision="failed")), "GateEndpointFailed", "gate"),
        (KEYED, replace(BY_WEBHOOK, gate=GateHistory(asked=1, decision="slow")), "GateEndpointSlow", "gate"),
        (KEYED, replace(BY_WEBHOOK, gate=GateHistory(asked=4, failed=4)), "GateEndpointFailed", "gate"),
        (KEYED, replace(BY_WEBHOOK, gate=GateHistory(asked=4, failed=1, slow=3)), "GateEndpointSlow", "gate"),
        (KEYED, replace(BY_WEBHOOK, gate=GateHistory(rejected=4)), "GateSignatureRejected", "gate"),
        (replace(ASKED, error="Content is gated and requires a public key"), BY_JWT, "AccessKeyMissing", "error"),
        (replace(NONE, error="unknown playbackPolicy type: lit"), Access(), "PolicyUnknown", "error"),
        (replace(NONE, error="#EXT-X-ERROR: not allowed to view this stream"), PLAIN, "Forbidden", "error"),
    ],
)  # fmt: skip
def test_every_refusal_of_the_gate_is_explained(asked: Asked, access: Access, reason: str, check: str) -> None:
    """Each row of FACTS 7.2, and what may be known of the operator's endpoint (FACTS 10.3)."""
    explained = explain(asked, access, NOW_MS)
    failing = [one.check for one in explained.checks if one.verdict == "fail"]
    assert ("denied", reason, [check]) == (explained.verdict, explained.reason, failing)
    assert explained.message == told(explained, check)[1]
    assert explained.fix.endswith(CATALOGUE["playback_forbidden"].reasons[reason].next_step)


@pytest.mark.parametrize(
    ("asked", "access", "missing"),
    [
        (NONE, Access(), ["content", "origin", "policy", "credential"]),
        (ASKED, Access(), ["content", "origin", "policy", "credential", "signing_key"]),
        (ASKED, replace(BY_JWT, signing_keys=None), ["signing_key"]),
        (NONE, replace(PLAIN, suspended=None), ["content"]),
        (NONE, replace(PLAIN, policy_type=None), ["policy", "credential"]),
        (NONE, replace(PLAIN, allowed_origins=None), ["origin"]),
        (NONE, replace(PLAIN, policy_changed_ms=NOW_MS - 599_000), ["cache"]),
        (replace(NONE, origin=None), listing("https://a.example"), ["origin"]),
        (replace(NONE, origin="null"), listing("https://a.example"), ["origin"]),
        (KEYED, replace(BY_WEBHOOK, webhook_known=None), ["webhook"]),
        (KEYED, replace(BY_WEBHOOK, webhook_last_failure_ms=NOW_MS - 9000, webhook_last_triggered_ms=NOW_MS),
         ["webhook"]),
        (KEYED, replace(BY_WEBHOOK, gate=None), ["gate"]),
        (KEYED, replace(BY_WEBHOOK, gate=GateHistory()), ["gate"]),
        (KEYED, replace(BY_WEBHOOK, gate=GateHistory(asked=3, denied=2, failed=1)), ["gate"]),
        (NONE, Access(probe=Probed(played=False, at_ms=NOW_MS)), ["content", "origin", "policy", "credential"]),
    ],
)  # fmt: skip
def test_what_depends_on_what_is_not_known_is_unknown(asked: Asked, access: Access, missing: list[str]) -> None:
    """Absence of evidence is never reported as health; what it depends on is named."""
    explained = explain(asked, access, NOW_MS)
    assert ("unknown", "AccessUnknown") == (explained.verdict, explained.reason)
    assert f"({', '.join(f'`{name}`' for name in missing)})" in explained.message
    assert {"unknown"} == {told(explained, name)[0] for name in missing}


def test_with_both_credentials_the_token_is_told_of_and_counts_for_nothing() -> None:
    """The node looks at the access key alone (FACTS 7.3); what is wrong with the token is of use later."""
    explained = explain(replace(BOTH, jwt=SIGNER.token(exp=NOW_S - 120)), BY_WEBHOOK, NOW_MS)
    verdict, detail = told(explained, "jwt_exp")
    assert ("allowed", "unknown") == (explained.verdict, verdict)
    assert detail.startswith("Not looked at, for the access key wins. ")
    assert "it passed 2 min ago" in detail


def test_a_bad_token_is_refused_even_where_none_is_wanted() -> None:
    """The node reads whatever token it gets, before anybody is asked (FACTS 7.3)."""
    bad = replace(ASKED, jwt=SIGNER.token(exp=NOW_S - 1))
    assert {("denied", "JwtExpired")} == {found(bad, access) for access in (PLAIN, BY_JWT, BY_WEBHOOK, Access())}


def test_the_same_key_written_in_another_way_is_told_apart() -> None:
    """The gate compares the text of `pub` with its own."""
    other_text = SIGNER.pub[:40] + "\n" + SIGNER.pub[40:]
    explained = explain(replace(ASKED, jwt=SIGNER.token(pub=other_text)), BY_JWT, NOW_MS)
    assert "JwtKeyUnknown" == explained.reason
    assert "writes it in another way" in explained.message


def test_a_disabled_key_counts_only_if_the_policy_is_jwt() -> None:
    """While the policy is not known, that is told, and nothing is concluded."""
    access = Access(signing_keys=Known((SigningKey(SIGNER.pub, disabled=True),), "studio_api"))
    explained = explain(ASKED, access, NOW_MS)
    assert "unknown" == explained.verdict
    expected = ("unknown", "The key is disabled. That counts if the policy is `jwt`.")
    assert expected == told(explained, "signing_key")


def test_the_gates_order_decides_between_reasons() -> None:
    """The node's rules come first, then content, origin, policy, credential (FACTS 7.2)."""
    worst = replace(
        BY_JWT,
        suspended=Known(True, "studio_api"),  # noqa: FBT003 -- a fact
        allowed_origins=Known(("https://a.example",), "studio_api"),
        signing_keys=Known((), "studio_api"),
    )
    asked = replace(ASKED, jwt=SIGNER.token(sub="x"), error="Content not found")
    steps = []
    for changes in ({}, {"jwt": RIGHT}):
        asked = replace(asked, **changes)
        steps.append(found(asked, worst)[1])
    better = replace(worst, suspended=PLAIN.suspended)
    steps += [found(asked, better)[1], found(replace(asked, origin="https://a.example"), better)[1]]
    assert ["JwtSubjectMismatch", "ContentSuspended", "OriginNotAllowed", "JwtKeyUnknown"] == steps


MALFORMED = {
    f"{PAGE}/": "ends in a slash",
    f"{PAGE}/watch": "a path",
    f"{PAGE}?a=b": "more than scheme, host and port",
    "watch.example.com": "scheme is missing",
    "watch.example.com:443": "scheme is missing",
    "https://Watch.example.com": "capital letters",
    "https://watch.example.com:443": "the usual port",
    "http://watch.example.com:80": "the usual port",
    f" {PAGE}": "a blank",
    "https://*.example.com": "left open",
    "https://[": "no origin",
    "https://": "no origin",
    "": "scheme is missing",
    "null": "`Referer`",
}


@pytest.mark.parametrize(("entry", "said"), MALFORMED.items(), ids=list(MALFORMED))
def test_a_malformed_entry_is_listed(entry: str, said: str) -> None:
    """Livepeer stores such entries, and no origin ever equals them (FACTS 7.5): named, whether it matters or not."""
    refused, allowed = explain(NONE, listing(entry), NOW_MS), explain(NONE, listing(entry, PAGE), NOW_MS)
    assert ("OriginNotAllowed", "allowed") == (refused.reason, allowed.verdict)
    for explained in (refused, allowed):
        _, _, faults = told(explained, "origin")[1].partition("Entries that can never match: ")
        assert said in faults


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000", "https://a.example:8443", "capacitor://localhost"])
def test_an_origin_that_browsers_send_is_no_malformed_entry(origin: str) -> None:
    """Scheme, host, and a port that is not the usual one."""
    assert entry_fault(origin) is None
    assert "allowed" == explain(replace(NONE, origin=origin), listing(origin), NOW_MS).verdict


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("https://WATCH.example.com", "not letter by letter the same"),
        (f"{PAGE}/live?x=1", "not letter by letter the same. No browser sends it so"),
        (f"{PAGE}:443", "No browser sends it so: browsers leave the usual port out."),
        ("http://watch.example.com", "is not listed."),
        ("", "sends no `Origin`"),
    ],
)
def test_an_origin_is_compared_letter_by_letter(origin: str, said: str) -> None:
    """What nearly matches does not, and it is told how near it is."""
    explained = explain(replace(NONE, origin=origin), listing(PAGE), NOW_MS)
    assert "OriginNotAllowed" == explained.reason
    assert said in explained.message


def test_of_many_malformed_entries_some_are_shown() -> None:
    """An answer stays short."""
    detail = told(explain(NONE, listing(*(f"host-{number}" for number in range(50))), NOW_MS), "origin")[1]
    assert 5 == detail.count("scheme is missing")
    assert detail.endswith("; and 45 more.")


def test_the_cache_is_told_of() -> None:
    """How long a change takes to show (FACTS 7.4), and what is shared without a credential."""
    without, with_one = (told(explain(one, PLAIN, NOW_MS), "cache")[1] for one in (NONE, ASKED))
    assert "A change made now shows after up to 10 minutes" in with_one
    assert (True, False) == ("share one decision" in without, "share one decision" in with_one)


MUTATIONS: dict[str, Any] = {
    "sub": "another",
    "pub": OTHER.pub,
    "exp": NOW_S - 1,
    "exp ": NOW_S + 8 * DAY_S,
    "exp  ": NOW_MS,
    "nbf": NOW_S + 1,
    "iat": NOW_S + 1,
}
FACTS: dict[str, list[Any]] = {
    "policy_type": [None, Known("webhook", "studio_api"), Known("odd", "studio_api")],
    "allowed_origins": [None, Known(("https://a.example",), "studio_api")],
    "policy_changed_ms": [NOW_MS, NOW_MS - 1000],
    "suspended": [None, Known(True, "store")],  # noqa: FBT003 -- a fact
    "deleted": [None, Known(True, "store")],  # noqa: FBT003 -- a fact
    "user_disabled": [Known(True, "studio_api")],  # noqa: FBT003 -- a fact
    "playback_status": [404],
    "signing_keys": [
        None,
        Known((), "studio_api"),
        Known((SigningKey(SIGNER.pub, disabled=True),), "studio_api"),
        Known((SigningKey(OTHER.pub),), "studio_api"),
    ],
}
QUESTIONS: dict[str, list[Any]] = {
    "playback_id": ["another", PLAYBACK_ID.upper()],
    "jwt": [None, "", "x", RIGHT[:-9], RIGHT + "x"],
    "access_key": ["a-key"],
    "error": ["not allowed to view this stream", "Content not found"],
}


@given(
    st.one_of(
        st.sampled_from([("claim", name.strip(), value) for name, value in MUTATIONS.items()]),
        st.sampled_from([("fact", name, value) for name, values in FACTS.items() for value in values]),
        st.sampled_from([("asked", name, value) for name, values in QUESTIONS.items() for value in values]),
    )
)
def test_any_single_change_to_what_is_right_is_never_allowed(change: tuple[str, str, Any]) -> None:
    """A correct token with correct facts is allowed; one thing wrong or unknown, and it is denied or unknown."""
    what, name, value = change
    asked, access = ASKED, BY_JWT
    if what == "claim":
        asked = replace(asked, jwt=SIGNER.token(**{name: value}))
    elif what == "fact":
        access = replace(access, **{name: value})
    else:
        asked = replace(asked, **{name: value})
    assert "allowed" == explain(ASKED, BY_JWT, NOW_MS).verdict
    assert explain(asked, access, NOW_MS).verdict in {"denied", "unknown"}


TEXT = st.none() | st.text(max_size=80)


@given(TEXT, TEXT, TEXT, TEXT, st.lists(st.text(max_size=30), max_size=4), st.text(max_size=20), st.text(max_size=40))
def test_nothing_that_is_said_makes_it_fail(
    jwt: str | None, key: str | None, origin: str | None, error: str | None, listed: list[str], policy: str, pub: str
) -> None:
    """Any text anywhere, half surrogate pairs too; what is told can be written and printed."""
    access = replace(
        PLAIN,
        policy_type=Known(policy, "studio_api"),
        allowed_origins=Known(tuple(listed), "studio_api"),
        signing_keys=Known((SigningKey(pub),), "studio_api"),
    )
    explained = explain(Asked(PLAYBACK_ID, jwt, key, origin, error), access, NOW_MS)
    texts = [explained.message, explained.fix, *(one.detail for one in explained.checks)]
    assert all(text.isprintable() and text.encode() for text in texts)
    assert CHECKS == tuple(one.check for one in explained.checks)


SECRET_KEY = "planted-access-key-0001"


@pytest.mark.parametrize(
    "jwt", [RIGHT, SIGNER.token(sub=SECRET_KEY, custom="planted-custom"), f"{RIGHT}.x", "planted.x"]
)
def test_no_credential_is_shown(jwt: str) -> None:
    """Not the token, nor a part of it, nor the access key, nor a token's `custom`, wherever they stand."""
    asked = Asked(
        PLAYBACK_ID, jwt, SECRET_KEY, origin=f"{PAGE}?jwt={jwt}", error=f"GET /x?accessKey={SECRET_KEY} {jwt}"
    )
    for one in (asked, replace(asked, access_key=None)):
        for access in (Access(), BY_JWT, BY_WEBHOOK, listing(f"https://u:{SECRET_KEY}@h")):
            shown = f"{explain(one, access, NOW_MS)} {one}"
            hidden = [part for part in jwt.split(".") if len(part) >= 8]
            hidden += ["planted-custom", SIGNER.pub, *([SECRET_KEY] if one.access_key else [])]
            assert [] == [part for part in hidden if part in shown]


def test_a_stream_key_as_sub_is_not_shown() -> None:
    """It is a secret, and a likely mistake (FACTS 2.3)."""
    explained = explain(replace(ASKED, jwt=SIGNER.token(sub="7c1e-abcd-efgh-ijkl")), BY_JWT, NOW_MS)
    assert "looks like a stream key" in explained.message
    assert "abcd-efgh" not in str(explained)


def test_every_check_and_its_reasons_are_documented() -> None:
    """In order, and with no reason that the catalogue does not have."""
    text = (Path(__file__).parents[2] / "docs" / "playback.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", text, re.MULTILINE)
    assert CHECKS == tuple(name for name, _ in rows)
    reasons = {reason for _, told in rows for reason in re.findall(r"`(\w+)`", told)}
    assert set() == reasons - set(CATALOGUE["playback_forbidden"].reasons)
