"""What an event is known again by: 16 bytes in place of its id and its webhook's, which are four times as long.

The index that every new event is looked for in, and inserted into at random, is that much smaller. The first ten bytes
are of the id alone, so that an event is found whoever brought it: two different ids among a thousand million share
them with a probability of one in a million, and would have to come from one webhook to be taken for each other.
"""

import hashlib
from functools import lru_cache
from typing import Final

_ID_BYTES: Final = 10
_WEBHOOK_BYTES: Final = 6
_NOBODY: Final = bytes(_WEBHOOK_BYTES)
_LAST: Final = b"\xff" * _WEBHOOK_BYTES


def event_key(event_id: str, webhook_id: str) -> bytes:
    """The key of an event that a webhook brought; of what no webhook brought, `webhook_id` is empty."""
    return _of_id(event_id) + _of_webhook(webhook_id)


def keys_of_id(event_id: str) -> tuple[bytes, bytes]:
    """The lowest and the highest key that an event with this id can have."""
    mine = _of_id(event_id)
    return mine + _NOBODY, mine + _LAST


def _of_id(event_id: str) -> bytes:
    return hashlib.blake2b(event_id.encode(), digest_size=_ID_BYTES).digest()


@lru_cache(maxsize=256)
def _of_webhook(webhook_id: str) -> bytes:
    return hashlib.blake2b(webhook_id.encode(), digest_size=_WEBHOOK_BYTES).digest()
