"""Which events are here, and when the first attempt at each was made that we know of."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, select

from receiver.storage import inbox
from receiver.storage.bulk import OfKeys
from receiver.storage.event_keys import event_key
from receiver.storage.tables import SignalRow, table_of

_signals = table_of(SignalRow)
_ATTEMPTED: Final = OfKeys(select(_signals.c.key, _signals.c.attempted_ms), _signals.c.key)
_MOST_WAITING: Final = 1000
_MOST_BYTES: Final = 16 << 20


def attempted(connection: Connection, keys: Collection[bytes]) -> dict[bytes, int]:
    """Of the events with these keys (`receiver.storage.event_keys`), those that are here: when the first attempt at
    each was made (`_ms`). What was taken in and is not filed yet counts, as far as little is: with 0, as no earlier
    attempt is to be filed before it."""
    found: dict[bytes, int] = {row.key: row.attempted_ms for row in _ATTEMPTED.rows(connection, sorted(keys))}
    if len(found) < len(keys):
        found = {**dict.fromkeys(_waiting(connection).intersection(keys), 0), **found}
    return found


def _waiting(connection: Connection) -> set[bytes]:
    taken = inbox.read(connection, inbox.oldest(connection, _MOST_WAITING), _MOST_BYTES)
    return {event_key(one.id, one.webhook_id) for one in taken}
