"""Which of Livepeer's ways to us are failing: that shows on every stream whose events come that way (DESIGN 5)."""

import json
from dataclasses import dataclass

from sqlalchemy import Connection

from receiver.diagnosis.values import ConditionType
from receiver.routes.shapes import Stored, stored_conditions
from receiver.storage.queries import Found, streams


@dataclass(frozen=True, slots=True)
class Ways:
    """The `webhook_not_firing` of our endpoint, and those of webhooks by their ids, where they are true."""

    endpoint: Stored | None
    webhooks: tuple[tuple[str, Stored], ...]

    @classmethod
    def read(cls, conn: Connection) -> "Ways":
        """As they are stored."""
        failing = [(row, condition) for row in streams.callers(conn) if (condition := _failing(row)) is not None]
        return cls(
            endpoint=next((condition for row, condition in failing if row.kind == "endpoint"), None),
            webhooks=tuple((row.id, condition) for row, condition in failing if row.kind == "webhook"),
        )

    @property
    def webhook_ids(self) -> tuple[str, ...]:
        """The webhooks that fail."""
        return tuple(webhook_id for webhook_id, _ in self.webhooks)

    def shut_for_all(self, condition: ConditionType) -> bool:
        """Whether the endpoint's failure makes `condition` true of every stream."""
        return condition == "webhook_not_firing" and self.endpoint is not None

    def failing_for(self, conn: Connection, stream_id: str) -> Stored | None:
        """What to show on a stream: the endpoint's, else that of a webhook that has told of it."""
        if self.endpoint is not None:
            return self.endpoint
        telling = (stored for webhook_id, stored in self.webhooks if streams.tells_of(conn, webhook_id, stream_id))
        return next(telling, None)


def _failing(row: Found) -> Stored | None:
    """Events that are missing are missing on the streams that say so themselves; where the webhook is late besides, it
    concerns all."""
    found = (one for one in stored_conditions(row) if one["type"] == "webhook_not_firing" and one["status"] == "true")
    late = bool(row.folded) and json.loads(row.folded).get("delaying", False)
    return next((one for one in found if late or one["reason"] != "EventsMissing"), None)
