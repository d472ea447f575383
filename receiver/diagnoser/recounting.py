"""The endpoint and the webhooks, folded anew from the log of deliveries, some at a time."""

from collections.abc import Iterator

from sqlalchemy import Connection

from receiver.diagnoser.bases import load_base
from receiver.diagnoser.records import receipts_of, registration_of
from receiver.diagnoser.senders import fold_receipts, fold_seen
from receiver.diagnosis.senders import EndpointState, Receipt, WebhookState
from receiver.ids import first_of
from receiver.storage import bases, inbox, pending, registrations

SETTLED_AFTER_MS = 15_000
"""What is numbered as long ago is committed, or never will be: no transaction takes a third of it."""

Recounted = tuple[EndpointState, dict[str, WebhookState]]


class Recount:
    """What the deliveries up to `until_seq` give. Of the webhooks, it knows what they delivered, and not what streams
    miss of it."""

    def __init__(self) -> None:
        self.until_seq = -1
        self._endpoint = EndpointState()
        self._webhooks: dict[str, WebhookState] = {}

    def read_on(self, connection: Connection, now_ms: int) -> int:
        """Take in the next deliveries before which none can appear any more, if there are any. Returns how many."""
        self._begin_behind_removed(connection)
        rows = pending.receipts(connection, self.until_seq, _settled_seq(connection, now_ms))
        if rows:
            webhooks = dict(self._webhooks)
            self._endpoint = fold_receipts(self._endpoint, webhooks, receipts_of(rows))
            self._webhooks, self.until_seq = webhooks, rows[-1].delivery_seq
        return len(rows)

    def complete(self, connection: Connection) -> Recounted:
        """The endpoint and the webhooks as all deliveries give them that were looked at."""
        self._begin_behind_removed(connection)
        webhooks = dict(self._webhooks)
        endpoint = fold_receipts(self._endpoint, webhooks, _left(connection, self.until_seq))
        fold_seen(webhooks, map(registration_of, registrations.looked_at(connection)))
        return endpoint, webhooks

    def _begin_behind_removed(self, connection: Connection) -> None:
        """What was removed, perhaps since this last read, is stood for."""
        if bases.bookmark(connection, bases.DELIVERIES) > self.until_seq:
            base = load_base(connection)
            self.until_seq, self._endpoint, self._webhooks = base.until, base.endpoint, base.webhooks


def _settled_seq(connection: Connection, now_ms: int) -> int:
    """Behind it others may be filed yet, or are still to be looked at."""
    waiting = (*inbox.oldest(connection, 1), *pending.oldest(connection, 1))
    return min((first_of(now_ms - SETTLED_AFTER_MS), *waiting)) - 1


def _left(connection: Connection, after_seq: int) -> Iterator[Receipt]:
    unseen = frozenset(pending.oldest(connection, pending.count(connection)))
    while rows := pending.receipts(connection, after_seq):
        after_seq = rows[-1].delivery_seq
        yield from receipts_of(row for row in rows if row.delivery_seq not in unseen)
