"""The `Livepeer-Signature` header: its grammar, its HMAC, and what a proxy does to it.

Pure: bytes and text in, values out. The rule (FACTS 1.2): `v1` is the lowercase hex of HMAC-SHA256 over the raw
body alone, keyed with the UTF-8 bytes of the shared secret; `t` is not signed, it repeats the body's `timestamp`.
"""

import hmac
import json
import re
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct
from pydantic_core import from_json

MAX_HEADER_CHARS = 4096
MAX_SIGNATURES = 16
MAX_TIMESTAMP_DIGITS = 16
MAX_RESERIALISED_BYTES = 65_536
"""Genuine bodies have 0.9 to 4 KB (FACTS 12); a stranger's larger one is not worth writing anew."""

_HEX = frozenset("0123456789abcdef")
_USUAL = re.compile(rf"t=([0-9]{{1,{MAX_TIMESTAMP_DIGITS}}}),v1=([0-9a-f]{{64}})")
"""What Livepeer sends (FACTS 1.2)."""


class Refusal(StrEnum):
    """Why a delivery is refused: the public codes of DESIGN section 8."""

    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_MALFORMED = "signature_malformed"
    SIGNATURE_MISMATCH = "signature_mismatch"
    TIMESTAMP_MISMATCH = "timestamp_mismatch"
    TIMESTAMP_OUT_OF_TOLERANCE = "timestamp_out_of_tolerance"
    TIMESTAMP_IN_SECONDS = "timestamp_in_seconds"
    GATE_REQUEST = "gate_request"


class MalformedSignature(ValueError):
    """The header does not follow the grammar; the message says how, and holds nothing of the header."""


class SignatureHeader(Struct, frozen=True, gc=False):
    """A header that follows the grammar: `t` in milliseconds, and every `v1` in lowercase."""

    t_ms: int
    v1: tuple[str, ...]


def parse_header(value: str) -> SignatureHeader:
    """Read `t=<decimal ms>,v1=<64 hex>` (FACTS 1.2), raising `MalformedSignature`.

    Livepeer sends one of each and no spaces; its documentation allows for more. So: unknown and empty elements are
    ignored, spaces and tabs around an element too (a proxy may fold headers), several `v1` are kept, uppercase hex
    means the same as lowercase. Not taken: no `t` or two of them, no `v1` or more than 16, either in another form, a
    header above 4096 characters.
    """
    usual = _USUAL.fullmatch(value)
    if usual is not None:
        t_ms, v1 = usual.groups()
        return SignatureHeader(int(t_ms), (v1,))
    if len(value) > MAX_HEADER_CHARS:
        raise MalformedSignature(f"the header is longer than {MAX_HEADER_CHARS} characters")
    elements = [element.strip(" \t").partition("=") for element in value.split(",")]
    times = [text for key, _, text in elements if key == "t"]
    signatures = [text for key, _, text in elements if key == "v1"]
    if len(times) != 1:
        raise MalformedSignature(f"the header has {len(times)} elements `t`, not one")
    if not 1 <= len(signatures) <= MAX_SIGNATURES:
        raise MalformedSignature(f"the header has {len(signatures)} elements `v1`, not 1 to {MAX_SIGNATURES}")
    return SignatureHeader(_read_time(times[0]), tuple(_read_signature(text) for text in signatures))


def _read_time(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_TIMESTAMP_DIGITS):
        raise MalformedSignature("`t` is not a decimal number of milliseconds")
    return int(text)


def _read_signature(text: str) -> str:
    signature = text.lower()
    if len(signature) != 64 or not _HEX.issuperset(signature):
        raise MalformedSignature("`v1` is not 64 hexadecimal digits")
    return signature


class Keyring:
    """The shared secrets that a delivery may be signed with, the current one first.

    Several are needed: for a day retries are signed with the secret of the event's time, and resends for ever with
    that of the log entry (FACTS 1.2). Each is keyed once; a request costs one copy for each secret tried. Raises
    `ValueError` for an empty secret.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        if not all(secrets):
            raise ValueError("a webhook secret is empty")
        unique = dict.fromkeys(secrets)
        self._keyed = tuple((secret_id(secret), hmac.new(secret.encode(), digestmod="sha256")) for secret in unique)

    def match(self, body: bytes, v1: Sequence[str]) -> str | None:
        """The id of the secret that one of the signatures was made with, or None.

        Signatures are compared in constant time. Stopping at the first match tells only which secret is in use.
        """
        for name, keyed in self._keyed:
            code = keyed.copy()
            code.update(body)
            digest = code.hexdigest()
            for signature in v1:
                if hmac.compare_digest(digest, signature):
                    return name
        return None


def secret_id(secret: str) -> str:
    """A name for a secret that does not give it away: 8 hex digits."""
    return hmac.digest(secret.encode(), b"receiver secret id", "sha256").hex()[:8]


def sign(secret: str, body: bytes, t_ms: int) -> str:
    """The header's value that Livepeer would send with the body; `t_ms` must be the body's `timestamp`."""
    return f"t={t_ms},v1={hmac.digest(secret.encode(), body, 'sha256').hex()}"


def looks_reserialised(body: bytes, header: SignatureHeader, keyring: Keyring) -> bool:
    """Whether a body whose signature does not match would match if it were written as Livepeer writes it: a proxy
    in between parsed it and wrote it anew, with other spaces or escapes.

    Only what keeps the order of the keys can be recognised. Bodies above 64 KiB are not tried.
    """
    if len(body) > MAX_RESERIALISED_BYTES:
        return False
    try:
        value = from_json(body, allow_inf_nan=False)
        rewritten = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:
        return False
    return keyring.match(rewritten, header.v1) is not None
