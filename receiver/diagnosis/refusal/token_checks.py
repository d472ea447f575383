"""What the playback node checks of a JWT, from the token alone (FACTS 7.3): Studio is not asked."""

import re
from collections.abc import Mapping
from typing import Any, Final

from receiver.diagnosis.refusal.public_key import ALGORITHM, MalformedKey, read_public_key, signature_fault
from receiver.diagnosis.refusal.token import MalformedToken, Token, read_token
from receiver.diagnosis.refusal.token_times import check_begun, check_exp, check_lifetime
from receiver.diagnosis.refusal.values import Access, Asked, Finding, Quote, aside, failed, passed, unknown

TOKEN_CHECKS: Final = (
    "jwt_form",
    "jwt_algorithm",
    "jwt_pub",
    "jwt_signature",
    "jwt_sub",
    "jwt_exp",
    "jwt_lifetime",
    "jwt_begun",
)
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_STREAM_KEY: Final = re.compile(r"[0-9a-z]{4}(-[0-9a-z]{4}){3}", re.IGNORECASE | re.ASCII)


def check_token(asked: Asked, access: Access, now_ms: int, quote: Quote) -> dict[str, Finding]:
    """A finding for each of `TOKEN_CHECKS`. Where an access key is given as well, nobody looks at the token: what is
    wrong with it is told, and counts for nothing."""
    if not asked.jwt:
        return dict.fromkeys(TOKEN_CHECKS, aside("No token was given."))
    found = _checked(asked, access, now_ms, quote)
    if asked.key_wins:
        return {name: aside(f"Not looked at, for the access key wins. {one.detail}") for name, one in found.items()}
    return found


def pub_of(jwt: str | None) -> str | None:
    """The `pub` of a token as it stands there, where it is a key; else None."""
    try:
        pub = read_token(jwt or "").claims.get("pub")
        read_public_key(str(pub))
    except (MalformedToken, MalformedKey):
        return None
    return str(pub)


def _checked(asked: Asked, access: Access, now_ms: int, quote: Quote) -> dict[str, Finding]:
    try:
        token = read_token(asked.jwt or "")
    except MalformedToken as fault:
        unread = dict.fromkeys(TOKEN_CHECKS, unknown("The token cannot be read."))
        return {**unread, "jwt_form": failed("JwtMalformed", f"The token is no JWT. {fault}")}
    return {
        "jwt_form": passed("Three parts; the header and the claims can be read."),
        "jwt_algorithm": _algorithm(token, quote),
        "jwt_pub": _pub(token.claims),
        "jwt_signature": _signature(token),
        "jwt_sub": _sub(token.claims.get("sub"), asked.playback_id, access.stream_id, quote),
        "jwt_exp": check_exp(token.claims, now_ms),
        "jwt_lifetime": check_lifetime(token.claims, now_ms),
        "jwt_begun": check_begun(token.claims, now_ms),
    }


def _algorithm(token: Token, quote: Quote) -> Finding:
    named = token.header.get("alg")
    if named == ALGORITHM:
        return passed(f"{ALGORITHM}.")
    if not isinstance(named, str):
        return failed("JwtAlgorithm", f"The header names no algorithm; it must be {ALGORITHM}.")
    return failed("JwtAlgorithm", f"The algorithm is {quote(named[:20])}; only {ALGORITHM} is taken.")


def _pub(claims: Mapping[str, Any]) -> Finding:
    pub = claims.get("pub")
    if pub is None or pub == "":
        return failed("JwtMalformed", "`pub` is missing; it must be the base64 of the public key's PEM.")
    if not isinstance(pub, str):
        return failed("JwtMalformed", "`pub` is no text; it must be the base64 of the public key's PEM.")
    try:
        read_public_key(pub)
    except MalformedKey as fault:
        return failed("JwtMalformed", str(fault))
    return passed("`pub` is the base64 of a P-256 public key's PEM.")


def _signature(token: Token) -> Finding:
    if token.header.get("alg") != ALGORITHM:
        return unknown(f"Not verified: the algorithm is not {ALGORITHM}.")
    try:
        key = read_public_key(str(token.claims.get("pub") or ""))
    except MalformedKey:
        return unknown("Not verified: `pub` is no key.")
    fault = signature_fault(key, token.signed, token.signature)
    return passed("Made with the private key of `pub`.") if fault is None else failed("JwtSignatureInvalid", fault)


def _sub(sub: object, playback_id: str, stream_id: str | None, quote: Quote) -> Finding:
    if sub is None or sub == "":
        return failed("JwtMalformed", "`sub` is missing; it must be the playback id.")
    if not isinstance(sub, str):
        return failed("JwtMalformed", "`sub` is no text; it must be the playback id.")
    if sub == playback_id:
        return passed("`sub` is the playback id.")
    what = _what_else(sub, playback_id, stream_id)
    return failed("JwtSubjectMismatch", f"`sub` is {quote(sub)}, not the playback id {quote(playback_id)}: {what}.")


def _what_else(sub: str, playback_id: str, stream_id: str | None) -> str:
    """What a `sub` is that is not the playback id."""
    kinds = (
        (sub == stream_id, "it is the stream's id"),
        (sub.strip() == playback_id, "there are blanks around it"),
        (sub.lower() == playback_id.lower(), "letters are large that must be small, or the other way round"),
        (_STREAM_KEY.fullmatch(sub), "it looks like a stream key, which is a secret: replace that key"),
        (_UUID.fullmatch(sub), "it looks like the id of a stream, an asset or a session"),
        (playback_id in sub, "there is more than the id in it"),
    )
    return next((kind for holds, kind in kinds if holds), "it is another id")
