"""Reads a delivery that came whole: head and body in one piece, and nothing unusual about either. So genuine ones come
(FACTS 12), from the sender as from a proxy.

What is not certain to mean the same to everybody is not read here, but by aiohttp: this knows one request line, and no
body but one whose length is what was announced.
"""

import re
from typing import Final

from msgspec import Struct

from receiver.reception import PATH

_START: Final = f"POST {PATH} HTTP/1.1\r\n".encode()
_END: Final = b"\r\n\r\n"
_LONGEST_HEAD: Final = 8190
_MOST_LINES: Final = 100
_LINES: Final = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [ -~]*\r\n)+")
"""Each with one name and printable ASCII: no line that goes on in the next, no lone CR or LF, no space before a colon
(RFC 9112, 5)."""
_UNUSUAL: Final = frozenset(
    {b"transfer-encoding", b"content-encoding", b"expect", b"upgrade", b"trailer"}
    | {b"proxy-connection", b"sec-websocket-key1"}
)
_STAYS_OPEN: Final = {b"": True, b"keep-alive": True, b"close": False}
"""By the value of `Connection`."""


class Whole(Struct, frozen=True, gc=False):
    """A delivery, and whether its connection stays open. `signature` is the value of `Livepeer-Signature`."""

    body: bytes
    signature: str | None
    stays_open: bool


def read_whole(data: bytes) -> Whole | None:
    """The delivery that `data` is, if it is exactly one and nothing else."""
    if not data.startswith(_START):
        return None
    end = data.find(_END, len(_START) - 2, _LONGEST_HEAD)
    head = data[len(_START) : end + 2]
    if end < 0 or _LINES.fullmatch(head) is None:
        return None
    fields = _fields(head)
    if fields is None or fields.get(b"content-type") != b"application/json":
        return None
    body, stays_open = data[end + 4 :], _STAYS_OPEN.get(fields.get(b"connection", b"").lower())
    if stays_open is None or fields.get(b"content-length") != b"%d" % len(body):
        return None
    signature = fields.get(b"livepeer-signature")
    return Whole(body, None if signature is None else signature.decode(), stays_open)


def _fields(head: bytes) -> dict[bytes, bytes] | None:
    """The header's, by their names in small letters; None where one is given twice, is missing, or is unusual, or where
    they are many."""
    lines = head[:-2].split(b"\r\n")
    if len(lines) > _MOST_LINES:
        return None
    fields = {}
    for line in lines:
        name, _, value = line.partition(b": ")
        fields[name.lower()] = value.strip(b" ")
    usual = len(fields) == len(lines) and b"host" in fields and _UNUSUAL.isdisjoint(fields)
    return fields if usual else None
