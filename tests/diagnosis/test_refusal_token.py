import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from receiver.diagnosis.refusal import CHECKS, Access, Asked, Explained, explain
from tests.tokens import DAY_S, NOW_MS, NOW_S, PLAYBACK_ID, STREAM_ID, Signer, assembled, b64url

SIGNER = Signer.fresh()
OTHER = Signer.fresh()
P384 = Signer.fresh(ec.SECP384R1())
K1 = Signer.fresh(ec.SECP256K1())
RSA = rsa.generate_private_key(65537, 2048)
RSA_PUB = base64.b64encode(RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).decode()
RIGHT = SIGNER.token()


def explained(token: str, now_ms: int = NOW_MS) -> Explained:
    """What is found with nothing known but the token."""
    return explain(Asked(PLAYBACK_ID, jwt=token), Access(), now_ms)


def detail(found: Explained, check: str) -> str:
    """What a check says."""
    return next(one.detail for one in found.checks if one.check == check)


def failing(found: Explained) -> list[str]:
    """The names of the checks that fail."""
    return [one.check for one in found.checks if one.verdict == "fail"]


def tampered(token: str, **changes: object) -> str:
    """The token with other claims, under the old signature."""
    header, claims, signature = token.split(".")
    told = {**json.loads(base64.urlsafe_b64decode(claims + "===")), **changes}
    return f"{header}.{b64url(json.dumps(told).encode())}.{signature}"


def with_signature(token: str, signature: bytes) -> str:
    """The token with another signature."""
    return f"{token.rpartition('.')[0]}.{b64url(signature)}"


def in_der(token: str) -> str:
    """The token with its signature as OpenSSL writes it."""
    raw = base64.urlsafe_b64decode(token.rpartition(".")[2] + "===")
    return with_signature(token, encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:])))


MISTAKES = {
    "no JWT at all": ("hello", "jwt_form", "JwtMalformed", "1 part between dots"),
    "two parts": (RIGHT.rpartition(".")[0], "jwt_form", "JwtMalformed", "2 parts"),
    "five parts, as if encrypted": (f"{RIGHT}.a.b", "jwt_form", "JwtMalformed", "5 parts"),
    "with Bearer": (f"Bearer {RIGHT}", "jwt_form", "JwtMalformed", "`Bearer `"),
    "with a line end": (f"{RIGHT}\n", "jwt_form", "JwtMalformed", "line ends"),
    "in quotation marks": (f'"{RIGHT}"', "jwt_form", "JwtMalformed", "quotation marks"),
    "padded": ("e30=.e30.AA", "jwt_form", "JwtMalformed", "padded"),
    "base64, not base64url": ("e30.ab+/.AA", "jwt_form", "JwtMalformed", "not base64url: it holds `+` or `/`"),
    "no base64url": ("e30.é.AA", "jwt_form", "JwtMalformed", "claims is not base64url"),
    "cut off": ("e30.e30.A", "jwt_form", "JwtMalformed", "signature is not base64url: it is cut off"),
    "no JSON": (f"{b64url(b'no')}.e30.AA", "jwt_form", "JwtMalformed", "header holds no JSON object"),
    "no object": (f"{RIGHT.split('.')[0]}.{b64url(b'[]')}.AA", "jwt_form", "JwtMalformed", "claims holds no JSON"),
    "not UTF-8": (f"e30.{b64url(bytes([255]))}.AA", "jwt_form", "JwtMalformed", "claims holds no JSON"),
    "nested without end": (f"e30.{b64url(b'[' * 4000)}.AA", "jwt_form", "JwtMalformed", "claims holds no JSON"),
    "oversized": (SIGNER.token(custom="x" * 9000), "jwt_form", "JwtMalformed", "more than 8192"),
    "none": (assembled({"alg": "none"}, SIGNER.claims(), b""), "jwt_algorithm", "JwtAlgorithm", '"none"'),
    "no algorithm": (assembled({}, SIGNER.claims()), "jwt_algorithm", "JwtAlgorithm", "names no algorithm"),
    "HS256": (
        jwt.encode(SIGNER.claims(), "a-shared-secret-of-enough-bytes-1234", algorithm="HS256"),
        "jwt_algorithm", "JwtAlgorithm", '"HS256"; only ES256',
    ),
    "RS256": (
        jwt.encode(SIGNER.claims(), RSA, algorithm="RS256"), "jwt_algorithm", "JwtAlgorithm", '"RS256"'
    ),
    "ES384": (
        jwt.encode(SIGNER.claims(), P384.private, algorithm="ES384"), "jwt_algorithm", "JwtAlgorithm", '"ES384"'
    ),
    "a number as algorithm": (assembled({"alg": 7}, SIGNER.claims()), "jwt_algorithm", "JwtAlgorithm", "names no"),
    "no pub": (SIGNER.token(pub=...), "jwt_pub", "JwtMalformed", "`pub` is missing"),
    "an empty pub": (SIGNER.token(pub=""), "jwt_pub", "JwtMalformed", "`pub` is missing"),
    "a pub that is no text": (SIGNER.token(pub=7), "jwt_pub", "JwtMalformed", "no text"),
    "the PEM as pub": (SIGNER.token(pub=SIGNER.pem.decode()), "jwt_pub", "JwtMalformed", "is a PEM itself"),
    "pub in base64url": (
        SIGNER.token(pub=base64.urlsafe_b64encode(b"\xff\xfe\xfd" * 9).decode()),
        "jwt_pub", "JwtMalformed", "is base64url",
    ),
    "pub unpadded": (SIGNER.token(pub="QQ"), "jwt_pub", "JwtMalformed", "not base64, or lacks"),
    "pub no base64": (SIGNER.token(pub="é!"), "jwt_pub", "JwtMalformed", "not base64"),
    "pub without the PEM's lines": (
        SIGNER.token(pub="".join(SIGNER.pem.decode().split("\n")[1:-2])), "jwt_pub", "JwtMalformed", "holds no PEM"
    ),
    "a broken PEM": (
        SIGNER.token(pub=base64.b64encode(SIGNER.pem.replace(b"M", b"N")).decode()),
        "jwt_pub", "JwtMalformed", "no public key, or a broken one",
    ),
    "the private key as pub": (
        SIGNER.token(pub=base64.b64encode(SIGNER.private_pem).decode()), "jwt_pub", "JwtMalformed", "PRIVATE key"
    ),
    "a key on P-384": (SIGNER.token(pub=P384.pub), "jwt_pub", "JwtMalformed", "curve secp384r1"),
    "a key on secp256k1": (SIGNER.token(pub=K1.pub), "jwt_pub", "JwtMalformed", "curve secp256k1"),
    "an RSA key": (SIGNER.token(pub=RSA_PUB), "jwt_pub", "JwtMalformed", "another kind (RSA)"),
    "another's pub": (SIGNER.token(pub=OTHER.pub), "jwt_signature", "JwtSignatureInvalid", "not made over"),
    "claims changed afterwards": (tampered(RIGHT, custom=1), "jwt_signature", "JwtSignatureInvalid", "not made over"),
    "no signature": (with_signature(RIGHT, b""), "jwt_signature", "JwtSignatureInvalid", "no signature"),
    "a short signature": (with_signature(RIGHT, b"1"), "jwt_signature", "JwtSignatureInvalid", "has 1 bytes"),
    "a signature in DER": (in_der(RIGHT), "jwt_signature", "JwtSignatureInvalid", "in DER"),
    "a signature of zeros": (with_signature(RIGHT, bytes(64)), "jwt_signature", "JwtSignatureInvalid", "not made over"),
    "no sub": (SIGNER.token(sub=...), "jwt_sub", "JwtMalformed", "`sub` is missing"),
    "an empty sub": (SIGNER.token(sub=""), "jwt_sub", "JwtMalformed", "`sub` is missing"),
    "a sub that is null": (SIGNER.token(sub=None), "jwt_sub", "JwtMalformed", "`sub` is missing"),
    "a sub that is no text": (SIGNER.token(sub=[PLAYBACK_ID]), "jwt_sub", "JwtMalformed", "no text"),
    "the stream's id as sub": (SIGNER.token(sub=STREAM_ID), "jwt_sub", "JwtSubjectMismatch", "the id of a stream"),
    "sub in capitals": (SIGNER.token(sub=PLAYBACK_ID.upper()), "jwt_sub", "JwtSubjectMismatch", "letters are large"),
    "sub with a blank": (SIGNER.token(sub=f"{PLAYBACK_ID} "), "jwt_sub", "JwtSubjectMismatch", "blanks around it"),
    "sub with the media server's prefix": (
        SIGNER.token(sub=f"video+{PLAYBACK_ID}"), "jwt_sub", "JwtSubjectMismatch", "more than the id"
    ),
    "another sub": (SIGNER.token(sub="ab12cd34ef56gh78"), "jwt_sub", "JwtSubjectMismatch", '"ab12cd34ef56gh78"'),
    "a stream key as sub": (SIGNER.token(sub="7c1e-abcd-efgh-ijkl"), "jwt_sub", "JwtSubjectMismatch", "a stream key"),
    "no exp": (SIGNER.token(exp=...), "jwt_exp", "JwtMalformed", "`exp` is missing"),
    "an exp that is null": (SIGNER.token(exp=None), "jwt_exp", "JwtMalformed", "`exp` is missing"),
    "an exp in words": (SIGNER.token(exp="tomorrow"), "jwt_exp", "JwtMalformed", "not a number"),
    "an exp that is a text of digits": (SIGNER.token(exp=str(NOW_S + 60)), "jwt_exp", "JwtMalformed", "not a number"),
    "an exp that is true": (SIGNER.token(exp=True), "jwt_exp", "JwtMalformed", "not a number"),
    "expired": (SIGNER.token(exp=NOW_S - 600), "jwt_exp", "JwtExpired", "2024-09-12T14:50:00Z: it passed 10 min ago."),
    "expired at this moment": (SIGNER.token(exp=NOW_S), "jwt_exp", "JwtExpired", "less than a second ago"),
    "just expired": (SIGNER.token(exp=NOW_S - 3), "jwt_exp", "JwtExpired", "3 s ago. So little is often"),
    "a lifetime as exp": (SIGNER.token(exp=3600), "jwt_exp", "JwtExpired", "3600, which looks like a lifetime"),
    "a negative exp": (SIGNER.token(exp=-1), "jwt_exp", "JwtExpired", "-1"),
    "exp in milliseconds": (
        SIGNER.token(exp=NOW_MS + 3_600_000), "jwt_lifetime", "JwtLifetimeTooLong",
        "in milliseconds (2024-09-12T16:00:00Z); it must be in seconds",
    ),
    "exp in microseconds": (SIGNER.token(exp=NOW_MS * 1000), "jwt_lifetime", "JwtLifetimeTooLong", "finer than milli"),
    "exp beyond all calendars": (SIGNER.token(exp=10**30), "jwt_lifetime", "JwtLifetimeTooLong", "finer than milli"),
    "thirty days": (SIGNER.token(exp=NOW_S + 30 * DAY_S), "jwt_lifetime", "JwtLifetimeTooLong", "552 h more than"),
    "a little over seven days": (
        SIGNER.token(exp=NOW_S + 7 * DAY_S + 5), "jwt_lifetime", "JwtLifetimeTooLong", "5 s more than the 7 days"
    ),
    "not yet": (SIGNER.token(nbf=NOW_S + 600), "jwt_begun", "JwtNotYetValid", "2024-09-12T15:10:00Z: 10 min ahead."),
    "issued by a clock that is ahead": (
        SIGNER.token(iat=NOW_S + 5), "jwt_begun", "JwtNotYetValid", "5 s ahead. So little is often"
    ),
    "issued in milliseconds": (SIGNER.token(iat=NOW_MS), "jwt_begun", "JwtNotYetValid", "`iat` is 1726153200000: that"),
    "issued in words": (SIGNER.token(iat="now"), "jwt_begun", "JwtMalformed", "`iat` is not a number"),
}  # fmt: skip
"""Every mistake of FACTS 7.3: the check that finds it, the reason, and what is said."""


@pytest.mark.parametrize(("token", "check", "reason", "said"), MISTAKES.values(), ids=MISTAKES)
def test_every_mistake_is_explained_from_the_token_alone(token: str, check: str, reason: str, said: str) -> None:
    """With nothing else known: denied, by which check, for which reason, and in which words."""
    found = explained(token)
    assert ("denied", reason, [check]) == (found.verdict, found.reason, failing(found))
    assert said in detail(found, check)
    assert found.message == detail(found, check)
    assert found.fix.startswith("Check the JWT or the webhook playback policy. ")


def test_a_token_without_a_mistake_is_not_denied() -> None:
    """All its own checks pass; what it depends on besides is not known, and it is said what that takes."""
    found = explained(RIGHT)
    assert ("unknown", "AccessUnknown", []) == (found.verdict, found.reason, failing(found))
    assert {"pass"} == {one.verdict for one in found.checks if one.check.startswith("jwt_")}
    assert "RECEIVER_STUDIO_API_KEY" in detail(found, "signing_key")


def test_checks_come_in_order() -> None:
    """All of them, whatever is asked."""
    for asked in (Asked(PLAYBACK_ID), Asked(PLAYBACK_ID, jwt="x"), Asked(PLAYBACK_ID, jwt=RIGHT, access_key="k")):
        assert CHECKS == tuple(one.check for one in explain(asked, Access(), NOW_MS).checks)


def test_the_first_mistake_is_the_reason_and_the_others_are_named() -> None:
    """A token with three mistakes."""
    found = explained(SIGNER.token(sub="another", exp=NOW_S - 60, nbf=NOW_S + 60))
    assert ("JwtSubjectMismatch", ["jwt_sub", "jwt_exp", "jwt_begun"]) == (found.reason, failing(found))
    assert found.message.endswith(" Besides: `jwt_exp`, `jwt_begun`.")


def test_the_streams_own_id_is_known_again() -> None:
    """Where the id of the stream is known."""
    found = explain(Asked(PLAYBACK_ID, jwt=SIGNER.token(sub="any-id")), Access(stream_id="any-id"), NOW_MS)
    assert detail(found, "jwt_sub").endswith(": it is the stream's id.")


@pytest.mark.parametrize(
    ("changes", "check", "said"),
    [
        ({"exp": NOW_S + 2}, "jwt_exp", "2024-09-12T15:00:02Z, in 2 s."),
        ({"exp": NOW_S + 7 * DAY_S}, "jwt_lifetime", "only less than a second less than the most"),
        ({"exp": NOW_S + 0.5}, "jwt_exp", "in less than a second"),
        ({"iat": ...}, "jwt_begun", "`iat` is missing, which is allowed"),
        ({"iat": NOW_S, "nbf": NOW_S}, "jwt_begun", "Neither `nbf` nor `iat` lies ahead."),
        ({"iss": ..., "action": ..., "video": ...}, "jwt_form", "can be read"),
    ],
)
def test_what_is_near_or_odd_passes_and_is_told(changes: dict[str, object], check: str, said: str) -> None:
    """No claim but three is needed, and the limits themselves are allowed."""
    found = explained(SIGNER.token(**changes))
    assert [] == failing(found)
    assert said in detail(found, check)


def test_a_key_with_line_ends_is_a_key() -> None:
    """As base64 is often written."""
    folded = base64.encodebytes(SIGNER.pem).decode()
    assert [] == failing(explained(SIGNER.token(pub=folded)))


@given(st.text(max_size=300))
def test_no_text_makes_it_fail(text: str) -> None:
    """Whatever is given as a token, it is no token, and that is told."""
    found = explained(text)
    assert found.verdict == ("denied" if text else "unknown")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit"]), JSON),
    st.dictionaries(st.sampled_from(["sub", "pub", "exp", "nbf", "iat", "custom"]), JSON),
    st.binary(max_size=80),
)
def test_no_token_that_nobody_signed_passes(header: dict[str, object], claims: dict[str, object], sig: bytes) -> None:
    """Whatever it says, and nothing is raised."""
    assert "denied" == explained(assembled(header, claims, sig)).verdict


@given(st.sampled_from(["sub", "pub", "exp"]), JSON)
def test_no_other_claim_passes(name: str, value: object) -> None:
    """Properly signed, with one of the three claims changed to anything: denied. (No number drawn is such a time.)"""
    in_time = isinstance(value, int | float) and not isinstance(value, bool) and NOW_S < value <= NOW_S + 7 * DAY_S
    if name != "exp" or not in_time:
        assert "denied" == explained(SIGNER.token(**{name: value})).verdict


@given(st.integers(0, len(RIGHT) - 1), st.characters(categories=["L", "N", "P"]))
def test_no_letter_may_be_changed(at: int, letter: str) -> None:
    """A token with any other letter is denied, but for the last one, of which four bits do not count."""
    changed = RIGHT[:at] + letter + RIGHT[at + 1 :]
    last = at == len(RIGHT) - 1
    if changed != RIGHT and not last:
        assert "denied" == explained(changed).verdict
