"""Whose a session is, and whose a playback id, as far as any event has said it; of several streams the lowest, whatever
came first.

One of which something came before that was said has a row as well, of no stream yet. Whoever brings more of it, and
whoever finds out whose it is, locks that row: neither misses what the other writes.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import Column, Connection, bindparam, select, update

from receiver.storage.bulk import Bulk, Rows, chunks
from receiver.storage.one_of import one_of
from receiver.storage.tables import PlaybackStreamRow, SessionStreamRow, table_of

NOBODYS: Final = ""
"""The stream of what is no stream's yet."""


class Links:
    """What leads from ids of one kind to streams."""

    def __init__(self, ids: Column[str]) -> None:
        table = ids.table
        self._locked = select(ids, table.c.stream_id).where(one_of(ids, "ids")).order_by(ids).with_for_update()
        self._new = Rows(table)
        self._change = Bulk(update(table).where(ids == bindparam("_id")).values(stream_id=bindparam("_stream_id")))

    def lock(self, connection: Connection, ids: Iterable[str]) -> dict[str, str]:
        """The streams of those that are known, `NOBODYS` where that was not said yet: as they stay until the
        transaction ends."""
        found: dict[str, str] = {}
        for chunk in chunks(sorted(set(ids))):
            rows = connection.execute(self._locked, {"ids": chunk})
            found.update((linked, stream_id) for linked, stream_id in rows)
        return found

    def put(self, connection: Connection, streams: Mapping[str, str], known: Mapping[str, str]) -> None:
        """Write down the streams of these, or that they are nobody's yet, where that says more than what is known:
        what `lock` gave."""
        self._new.insert(connection, sorted((i, stream_id) for i, stream_id in streams.items() if i not in known))
        lower = {i: stream_id for i, stream_id in streams.items() if i in known and _is_better(stream_id, known[i])}
        self._change.run(connection, [{"_id": i, "_stream_id": stream_id} for i, stream_id in sorted(lower.items())])


def _is_better(stream_id: str, than: str) -> bool:
    return stream_id != NOBODYS and (than == NOBODYS or stream_id < than)


SESSIONS: Final = Links(table_of(SessionStreamRow).c.session_id)
PLAYBACKS: Final = Links(table_of(PlaybackStreamRow).c.playback_id)
