"""Cursors: where a list goes on, told by the last item's key, so that rows may arrive meanwhile.

A cursor is opaque to callers: base64url of a JSON array, whose first member is a mark of the list and its filters.
"""

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass

from pydantic import BaseModel

from receiver.errors import BadRequest
from receiver.routes.parameters import storable

_FORM = re.compile(r"[A-Za-z0-9_-]{1,1000}")
_GREATEST = 2**63 - 1
Key = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Cursors:
    """Writes and reads the cursors of one list under one set of filters. `kinds` are the types of the key's parts."""

    mark: str
    kinds: tuple[type[int] | type[str], ...]

    @classmethod
    def of(cls, name: str, query: BaseModel, kinds: tuple[type[int] | type[str], ...]) -> "Cursors":
        """Those of the list `name`, filtered as `query` says."""
        filters = query.model_dump_json(exclude={"cursor", "limit"})
        return cls(hashlib.sha256(f"{name} {filters}".encode()).hexdigest()[:8], kinds)

    def write(self, key: Key) -> str:
        """The cursor of what follows the item with this key."""
        text = json.dumps([self.mark, *key], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    def read(self, cursor: str | None) -> Key | None:
        """The key in a cursor, or None for no cursor. Raises BadRequest for one that this list did not write."""
        if cursor is None:
            return None
        parts = _parts(cursor)
        if not parts or parts[0] != self.mark or not _fits(parts[1:], self.kinds):
            raise BadRequest(
                "The cursor does not belong to this list. Give `next` of the part before unchanged and with the same "
                "filters, or leave the cursor out to begin at the start."
            )
        return tuple(parts[1:])


def _parts(cursor: str) -> list[int | str] | None:
    if not _FORM.fullmatch(cursor):
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        parts = json.loads(text)
    except (binascii.Error, ValueError, RecursionError):
        return None
    return parts if isinstance(parts, list) else None


def _fits(key: list[int | str], kinds: tuple[type[int] | type[str], ...]) -> bool:
    return len(key) == len(kinds) and all(_is(part, kind) for part, kind in zip(key, kinds, strict=True))


def _is(part: int | str, kind: type[int] | type[str]) -> bool:
    if type(part) is not kind:
        return False
    return -1 <= part <= _GREATEST if isinstance(part, int) else storable(part)
