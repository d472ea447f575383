"""Whether a delivery is taken in: the whole order of the checks, in one pure function.

    header grammar ─► HMAC over the raw body ─► JSON ─► no gate's body ─► `t` equals `timestamp` ─► `timestamp` is fresh

Freshness is judged on the signed `timestamp`, never on `createdAt` (FACTS 1.1, 1.2). A stale one is answered 503: the
true sender comes back with a fresh one, a replayer gains nothing.
"""

from msgspec import Struct
from pydantic import JsonValue

from receiver.livepeer.envelope import (
    Claim,
    Envelope,
    NotUnderstood,
    claimed_ms,
    envelope_of,
    is_gate_request,
    looked_at,
    looks_like_livepeer,
)
from receiver.livepeer.signature import (
    Keyring,
    MalformedSignature,
    Refusal,
    SignatureHeader,
    looks_reserialised,
    parse_header,
)

_STATUS = {
    Refusal.SIGNATURE_MISSING: 401,
    Refusal.SIGNATURE_MALFORMED: 401,
    Refusal.SIGNATURE_MISMATCH: 401,
    Refusal.TIMESTAMP_MISMATCH: 401,
    Refusal.GATE_REQUEST: 403,
    Refusal.TIMESTAMP_OUT_OF_TOLERANCE: 503,
    Refusal.TIMESTAMP_IN_SECONDS: 503,
}
_SECONDS = range(1_000_000_000, 10_000_000_000)
"""Seconds from 2001 to 2286; as milliseconds these would lie in early 1970."""


class Verified(Struct, frozen=True, gc=False):
    """A delivery that is taken in.

    `secret_id` is None where it came unsigned and that is allowed. `envelope` is None where the body is not understood;
    `problem` then says why.
    """

    secret_id: str | None
    envelope: Envelope | None
    problem: str | None = None


class Refused(Exception):
    """A delivery that is not taken in.

    `detail` is for the log and the answer: what is wrong and how to mend it, without anything secret. `claim` is what
    the body says of itself, where it has the shape of Livepeer's; it can be trusted only where `secret_id` names the
    secret that signed it. `offset_ms` is how far the body's time is ahead of ours. `body_altered` tells that the body
    would match if it were written as Livepeer writes it: a proxy wrote it anew.
    """

    def __init__(
        self,
        code: Refusal,
        detail: str,
        *,
        offset_ms: int | None = None,
        claim: Claim | None = None,
        secret_id: str | None = None,
        body_altered: bool = False,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = _STATUS[code]
        self.offset_ms = offset_ms
        self.claim = claim
        self.secret_id = secret_id
        self.body_altered = body_altered


def verify(
    body: bytes,
    header: str | None,
    *,
    keyring: Keyring,
    now_ms: int,
    tolerance_ms: int | None,
    allow_unsigned: bool = False,
) -> Verified:
    """Check one delivery; `header` is the value of `Livepeer-Signature`, raising `Refused`.

    `tolerance_ms` None judges no age. With `allow_unsigned` a delivery without the header is taken as if it were
    signed; one with a header is checked all the same. A signed body that is not understood is taken in too, without
    envelope; where it has a readable `timestamp`, that must agree and be fresh as well.
    """
    if header is None and allow_unsigned:
        return _read(body, None, None, now_ms, tolerance_ms)
    signature = _signature(body, header)
    secret = keyring.match(body, signature.v1)
    if secret is None:
        raise _mismatch(body, signature, keyring)
    return _read(body, signature.t_ms, secret, now_ms, tolerance_ms)


def _signature(body: bytes, header: str | None) -> SignatureHeader:
    if header is None:
        raise Refused(
            Refusal.SIGNATURE_MISSING,
            "The delivery has no Livepeer-Signature header: set a shared secret on the webhook in Livepeer Studio.",
            claim=looks_like_livepeer(body),
        )
    try:
        return parse_header(header)
    except MalformedSignature as error:
        detail = (
            f"The Livepeer-Signature header cannot be read: {error}. Livepeer sends `t=<milliseconds>,v1=<64 hex>`:"
            " look for what rewrites the header on its way here."
        )
        raise Refused(Refusal.SIGNATURE_MALFORMED, detail, claim=looks_like_livepeer(body)) from None


def _mismatch(body: bytes, signature: SignatureHeader, keyring: Keyring) -> Refused:
    claim = looks_like_livepeer(body)
    altered = claim is not None and looks_reserialised(body, signature, keyring)
    detail = _ALTERED if altered else _MISMATCH
    return Refused(Refusal.SIGNATURE_MISMATCH, detail, claim=claim, body_altered=altered)


_MISMATCH = (
    "The signature fits none of the configured secrets. Compare the shared secret of the webhook in Livepeer Studio"
    " with RECEIVER_WEBHOOK_SECRETS."
)
_ALTERED = (
    "The signature matches the JSON but not the bytes of the body: something between Livepeer and this service wrote"
    " the body anew. Let the proxy pass it on unchanged."
)


def _read(body: bytes, t_ms: int | None, secret: str | None, now_ms: int, tolerance_ms: int | None) -> Verified:
    try:
        value = looked_at(body)
    except NotUnderstood as error:
        return Verified(secret, None, str(error))
    if is_gate_request(value):
        raise Refused(
            Refusal.GATE_REQUEST,
            "The body is that of an access control gate: this address takes events only. Give the gate a URL of its own"
            " in Livepeer Studio.",
            secret_id=secret,
        )
    _check_time(value, t_ms, secret, now_ms, tolerance_ms)
    try:
        return Verified(secret, envelope_of(value))
    except NotUnderstood as error:
        return Verified(secret, None, str(error))


def _check_time(
    value: Envelope | JsonValue, t_ms: int | None, secret: str | None, now_ms: int, tolerance_ms: int | None
) -> None:
    timestamp = claimed_ms(value)
    if timestamp is None:
        return
    if t_ms is not None and t_ms != timestamp:
        detail = (
            "`t` of the Livepeer-Signature header differs from the body's `timestamp`, which it repeats: look for what"
            " rewrites the header on its way here, or sends genuine bodies once more."
        )
        raise Refused(Refusal.TIMESTAMP_MISMATCH, detail, claim=_signed_claim(value), secret_id=secret)
    if tolerance_ms is not None and abs(timestamp - now_ms) > tolerance_ms:
        raise _stale(value, timestamp, secret, now_ms, tolerance_ms)


def _stale(value: Envelope | JsonValue, timestamp: int, secret: str | None, now_ms: int, tolerance_ms: int) -> Refused:
    code, offset_ms = Refusal.TIMESTAMP_OUT_OF_TOLERANCE, timestamp - now_ms
    detail = (
        f"The body's `timestamp` is {abs(offset_ms)} ms {'ahead of' if offset_ms > 0 else 'behind'} this service's"
        f" clock, more than the {tolerance_ms} ms allowed: check the clock of this machine, and what lies in between."
    )
    if timestamp in _SECONDS:
        code, offset_ms = Refusal.TIMESTAMP_IN_SECONDS, timestamp * 1000 - now_ms
        detail = "The body's `timestamp` is in seconds: it must be in milliseconds."
    return Refused(code, detail, offset_ms=offset_ms, claim=_signed_claim(value), secret_id=secret)


def _signed_claim(value: Envelope | JsonValue) -> Claim | None:
    try:
        return envelope_of(value).claim()
    except NotUnderstood:
        return None
