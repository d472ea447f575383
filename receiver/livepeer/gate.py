"""The call of an access gate (FACTS 7.1): whether it is genuine, and the little that is looked at of its body. Pure.

    header grammar ─► HMAC over the raw body ─► no event ─► `t` equals `timestamp` ─► `timestamp` is fresh

A genuine call proves only that Livepeer signed it: anybody can have any body signed for a gate (FACTS 12). All that it
says is a claim, and whatever is not as expected reads as absent.
"""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct
from pydantic import JsonValue

from receiver.livepeer.envelope import is_time
from receiver.livepeer.signature import (
    Keyring,
    MalformedSignature,
    Refusal,
    SignatureHeader,
    looks_reserialised,
    parse_header,
)

EVENT_DELIVERY: Final = "event_delivery"
"""The code of a refused event (P12)."""
_LONGEST_URL: Final = 4096
_PLAYBACK: Final = re.compile(r"/(?:asset/)?(?:hls|webrtc)/(?:[a-z]+(?:\+|%2[Bb]))?([a-z0-9]{16}(?:-test)?)(?:/.*)?")
"""The path of what is played (FACTS 7.5, 8), with the playback id (FACTS 2.3)."""
_HOST: Final = re.compile(r"[a-z0-9.:-]{1,253}")
_ABSENT: Final = Raw()


class Call(Struct, frozen=True, gc=False):
    """What a genuine call claims. `origin` is the host of the viewer's page, `viewer_ip` the viewer's address.
    `lacks_key` tells that the player sent no access key."""

    playback_id: str | None = None
    origin: str | None = None
    viewer_ip: str | None = None
    lacks_key: bool = False

    def __repr__(self) -> str:
        return f"Call(playback_id={self.playback_id!r})"


class CallRefused(Exception):
    """What is no genuine call of a gate, by a public `code`. `detail` is for the log and the answer: it holds nothing
    of the call."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = 403 if code == EVENT_DELIVERY else 401


class _Body(Struct, gc=False, rename="camel"):
    """The members that are looked at, each as it was written."""

    id: Raw = _ABSENT
    webhook_id: Raw = _ABSENT
    event: Raw = _ABSENT
    context: Raw = _ABSENT
    access_key: Raw = _ABSENT
    timestamp: Raw = _ABSENT
    user_ip: Raw = msgspec.field(default=_ABSENT, name="userIP")
    play_url: Raw = msgspec.field(default=_ABSENT, name="playURL")
    headers: Raw = _ABSENT


class _Headers(Struct, gc=False):
    origin: Raw = msgspec.field(default=_ABSENT, name="Origin")


_BODY: Final = msgspec.json.Decoder(_Body)
_HEADERS: Final = msgspec.json.Decoder(_Headers)
_FAULTS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Claims(Struct, frozen=True, gc=False):
    """What a call says, not read yet: that takes longer than to verify it, and nobody's answer waits for it. Of what is
    no JSON object, nothing is known."""

    members: _Body | None = None

    def __repr__(self) -> str:
        return "Claims()"

    def read(self) -> Call:
        """The little that is looked at. Raises nothing."""
        if self.members is None:
            return Call()
        return Call(
            _playback_id(_text(self.members.play_url)),
            _origin(self.members.headers),
            _address(_text(self.members.user_ip)),
            lacks_key=not _value(self.members.access_key),
        )


def verify_call(body: bytes, header: str | None, *, keyring: Keyring, now_ms: int, tolerance_ms: int) -> Claims:
    """Check one call; `header` is the value of `Livepeer-Signature`. Raises `CallRefused`.

    An object must have a `timestamp`, as every genuine call has. A signed body that is no JSON object is a call all the
    same, of which nothing is known; its age is judged by `t` alone.
    """
    signature = _signature(header)
    if keyring.match(body, signature.v1) is None:
        raise _mismatch(body, signature, keyring)
    try:
        members = _BODY.decode(body)
    except _FAULTS:
        _must_be_fresh(signature.t_ms, now_ms, tolerance_ms)
        return Claims()
    _must_be_no_event(members)
    timestamp = _value(members.timestamp)
    if not is_time(timestamp) or timestamp != signature.t_ms:
        raise CallRefused(
            Refusal.TIMESTAMP_MISMATCH,
            "`t` of the Livepeer-Signature header differs from the body's `timestamp`, which it repeats: look for what"
            " rewrites the header on its way here, or sends genuine calls once more.",
        )
    _must_be_fresh(timestamp, now_ms, tolerance_ms)
    return Claims(members)


def _signature(header: str | None) -> SignatureHeader:
    if header is None:
        raise CallRefused(
            Refusal.SIGNATURE_MISSING,
            "The call has no Livepeer-Signature header: set the gate's secret as the shared secret of its webhook in"
            " Livepeer Studio.",
        )
    try:
        return parse_header(header)
    except MalformedSignature as error:
        raise CallRefused(
            Refusal.SIGNATURE_MALFORMED,
            f"The Livepeer-Signature header cannot be read: {error}. Look for what rewrites it on its way here.",
        ) from None


def _mismatch(body: bytes, signature: SignatureHeader, keyring: Keyring) -> CallRefused:
    if looks_reserialised(body, signature, keyring):
        detail = (
            "The signature matches the JSON but not the bytes of the body: something between Livepeer and this service"
            " wrote the body anew. Let the proxy pass it on unchanged."
        )
    else:
        detail = (
            "The signature does not fit the gate's secret. Compare the shared secret of the gate's webhook in Livepeer"
            " Studio with RECEIVER_GATES."
        )
    return CallRefused(Refusal.SIGNATURE_MISMATCH, detail)


def _must_be_no_event(members: _Body) -> None:
    is_event = bool(members.id and members.event and members.webhook_id)
    if is_event and not members.context and not members.access_key:
        raise CallRefused(
            EVENT_DELIVERY,
            "The body is that of an event: this address takes the calls of an access gate only. Give the webhook of"
            " events its own URL and secret in Livepeer Studio.",
        )


def _must_be_fresh(timestamp: int, now_ms: int, tolerance_ms: int) -> None:
    offset_ms = timestamp - now_ms
    if abs(offset_ms) > tolerance_ms:
        raise CallRefused(
            Refusal.TIMESTAMP_OUT_OF_TOLERANCE,
            f"The call's time is {abs(offset_ms)} ms {'ahead of' if offset_ms > 0 else 'behind'} this service's clock,"
            f" more than the {tolerance_ms} ms allowed: check the clock of this machine, and what lies in between.",
        )


def _value(raw: Raw) -> JsonValue:
    if not raw:
        return None
    try:
        value: JsonValue = msgspec.json.decode(raw)
    except _FAULTS:
        return None
    return value


def _text(raw: Raw) -> str:
    value = _value(raw)
    return value if isinstance(value, str) else ""


def _playback_id(url: str) -> str | None:
    if len(url) > _LONGEST_URL:
        return None
    try:
        found = _PLAYBACK.fullmatch(urlsplit(url).path)
    except ValueError:
        return None
    return None if found is None else found[1]


def _origin(headers: Raw) -> str | None:
    try:
        text = _text(_HEADERS.decode(headers).origin) if headers else ""
        host = urlsplit(text).hostname or ""
    except (*_FAULTS, ValueError):
        return None
    return host if _HOST.fullmatch(host) else None


def _address(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None
