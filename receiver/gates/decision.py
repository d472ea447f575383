"""What a gate decided, and how that is read from the answer of the operator's own service. Pure.

Livepeer allows a viewer for a 2xx whose JSON has no truthy `ret` outside 200 to 299, and denies for all else (FACTS
7.1).
"""

import json
import math
import zlib
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Raw, Struct
from pydantic import JsonValue

from receiver.livepeer.signature import Refusal

MAX_ANSWER_BYTES: Final = 64 * 1024
Outcome: TypeAlias = Literal["allowed", "denied", "failed", "slow", "refused", "no_key"]
"""`denied`: the operator's service said no, by a 4xx or by `ret`; `no_key`: so it did, and the player had sent no key.
`failed`: it gave no decision: another status, or no answer; `slow`: none in time. `refused`: not a genuine call."""

_SUPPORTS: Final[Mapping[Outcome, str]] = {
    "denied": "GateDenied",
    "no_key": "AccessKeyMissing",
    "failed": "GateEndpointFailed",
    "slow": "GateEndpointSlow",
}
_OF_SIGNATURE: Final = frozenset({Refusal.SIGNATURE_MISSING, Refusal.SIGNATURE_MALFORMED, Refusal.SIGNATURE_MISMATCH})
_RANGE: Final = range(200, 300)
_ENCODED: Final = {"gzip": 31, "x-gzip": 31, "deflate": 47}
"""Window bits for zlib; that of `deflate` is found out."""


class Decision(Struct, frozen=True, gc=False):
    """One call, and what came of it.

    `status` and `ret` are what the operator's service answered, None where it did not; `latency_ms` is from the call's
    head to its answer. `playback_id` and `origin` (a host) are claims of the body, None where the call is not genuine.
    `code` says why nothing was decided.
    """

    gate: str
    at_ms: int
    outcome: Outcome
    latency_ms: int
    status: int | None = None
    ret: int | None = None
    playback_id: str | None = None
    origin: str | None = None
    code: str | None = None

    @property
    def reason(self) -> str | None:
        """The reason in the catalogue that this supports (`receiver.diagnosis.reasons_playback`)."""
        if self.outcome == "refused":
            return "GateSignatureRejected" if self.code in _OF_SIGNATURE else None
        return _SUPPORTS.get(self.outcome)


class _Answered(Struct, gc=False):
    ret: Raw = Raw()


_DECODER: Final = msgspec.json.Decoder(_Answered)


def decides(status: int) -> bool:
    """Whether an answer with this status is the decision of the operator's service; else it is a fault."""
    return status in _RANGE or 400 <= status < 500


def outcome_of(status: int, body: bytes, encoding: str | None = None) -> tuple[Outcome, int | None]:
    """What an answer means to Livepeer, and its `ret` where that is a whole number. `encoding` is its
    `Content-Encoding`."""
    if status not in _RANGE:
        return ("denied" if decides(status) else "failed"), None
    ret = _ret(_decoded(body, encoding))
    truthy = bool(ret) or isinstance(ret, dict | list)  # as in JavaScript
    return ("denied" if truthy and _number(ret) not in _RANGE else "allowed"), _whole(ret)


def _ret(body: bytes) -> JsonValue:
    """None too for what is no JSON object. Text that is no UTF-8 is mended before it is read, as the sender does."""
    try:
        raw = _DECODER.decode(body.decode("utf-8", "replace")).ret
        value: JsonValue = json.loads(bytes(raw)) if raw else None
    except (ValueError, RecursionError):
        return None
    return value


def _number(ret: JsonValue) -> float:
    """As JavaScript compares it: a text counts as the number that it shows."""
    if isinstance(ret, int | float | str):
        try:
            number = float(ret)
        except (ValueError, OverflowError):
            return math.nan
        return math.floor(number) if math.isfinite(number) else number
    return math.nan


def _whole(ret: JsonValue) -> int | None:
    return ret if type(ret) is int and abs(ret) < 1_000_000 else None


def _decoded(body: bytes, encoding: str | None) -> bytes:
    """We ask for no encoding; an answer that has one all the same is passed on with it, and read here within bounds."""
    bits = _ENCODED.get((encoding or "").strip().lower())
    if bits is None:
        return body
    try:
        return zlib.decompressobj(bits).decompress(body, MAX_ANSWER_BYTES)
    except zlib.error:
        return b""
