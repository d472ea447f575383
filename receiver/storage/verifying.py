"""What a table holds, in a number and a digest: the same for the same rows, whatever database they are in."""

import hashlib
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from receiver.storage.bulk import Values
from receiver.storage.pages import encoded

_BYTES: Final = 16


class Tally(Struct, frozen=True):
    """How many rows there are, and a digest over all of them in the order of their keys."""

    rows: int
    digest: str


class Count:
    """Takes the rows of a table in the order of its key, in parts of any size."""

    def __init__(self) -> None:
        self.rows = 0
        self._digest = hashlib.blake2b(digest_size=_BYTES)

    def add(self, rows: Sequence[Values]) -> None:
        """The next rows."""
        self.rows += len(rows)
        self._digest.update(encoded(rows))

    @property
    def tally(self) -> Tally:
        """Of what was added so far."""
        return Tally(self.rows, self._digest.hexdigest())
