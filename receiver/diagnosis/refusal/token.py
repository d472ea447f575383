"""Reads a JWT without trusting it (FACTS 7.3)."""

import binascii
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import MsgspecError
from msgspec.json import Decoder

MAX_CHARS: Final = 8192
"""A token travels in a URL or a header; longer ones are cut or refused on their way."""
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_OBJECT: Final = Decoder(dict[str, Any])
_NAMES: Final = ("header", "claims", "signature")


class MalformedToken(ValueError):
    """This is no JWT; the message says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A JWT, of which nothing is verified: header, claims, the bytes that are signed, and the signature."""

    header: Mapping[str, Any] = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def read_token(text: str) -> Token:
    """Three parts of base64url, joined by dots; the first two hold JSON objects. Raises MalformedToken."""
    if len(text) > MAX_CHARS:
        raise MalformedToken(f"It has {len(text)} characters; more than {MAX_CHARS} do not travel in a URL.")
    if text[:7].lower() == "bearer ":
        raise MalformedToken("It begins with `Bearer `: give the token alone.")
    if text.strip("\"' \t\r\n") != text:
        raise MalformedToken("There are blanks, line ends or quotation marks around it: give the token alone.")
    parts = text.split(".")
    if len(parts) != 3:
        raise MalformedToken(f"It has {len(parts)} part{'' if len(parts) == 1 else 's'} between dots; a JWT has three.")
    header, claims, signature = (_bytes(name, part) for name, part in zip(_NAMES, parts, strict=True))
    signed = text.rpartition(".")[0].encode()
    return Token(_object("header", header), _object("claims", claims), signed, signature)


def _bytes(name: str, part: str) -> bytes:
    if part.endswith("="):
        raise MalformedToken(f"The part with the {name} is padded with `=`; base64url in a JWT is not.")
    if set(part) & {"+", "/"}:
        raise MalformedToken(f"The part with the {name} is base64, not base64url: it holds `+` or `/`.")
    if not _BASE64URL.fullmatch(part):
        raise MalformedToken(f"The part with the {name} is not base64url.")
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise MalformedToken(f"The part with the {name} is not base64url: it is cut off.") from None


def _object(name: str, text: bytes) -> Mapping[str, Any]:
    try:
        return _OBJECT.decode(text)
    except (MsgspecError, ValueError, RecursionError):
        raise MalformedToken(f"The part with the {name} holds no JSON object.") from None
