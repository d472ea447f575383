"""Which webhook has told of which stream: lists ask for the streams of a webhook that fails."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, bindparam, select

from receiver.storage.bulk import Rows, chunks
from receiver.storage.one_of import one_of
from receiver.storage.tables import CallerRow, table_of

_callers = table_of(CallerRow)
_CALLERS: Final = Rows(_callers)
_TOLD_OF: Final = select(_callers.c.stream_id).where(
    _callers.c.webhook_id == bindparam("webhook_id"), one_of(_callers.c.stream_id, "ids")
)


def save(connection: Connection, pairs: Iterable[tuple[str, str]]) -> None:
    """These webhooks (by id) have told of these streams (by id), now or before. The streams are the caller's alone."""
    streams: dict[str, set[str]] = defaultdict(set)
    for webhook_id, stream_id in pairs:
        streams[webhook_id].add(stream_id)
    for webhook_id in sorted(streams):
        for chunk in chunks(sorted(streams[webhook_id])):
            known = connection.execute(_TOLD_OF, {"webhook_id": webhook_id, "ids": chunk}).scalars()
            new = set(chunk).difference(known)
            _CALLERS.insert(connection, [(webhook_id, stream_id) for stream_id in sorted(new)])
