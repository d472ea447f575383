"""Bodies and signatures as Livepeer makes them, for tests that deliver."""

import json
from dataclasses import dataclass

from receiver.livepeer.signature import sign

SECRET = "lp-demo-secret-41c7"
T0_MS = 1_726_153_200_000
"""The moment at which the fixtures' story begins."""


@dataclass(frozen=True)
class Event:
    """An event to be delivered, perhaps several times: `body` and `signature` differ with each attempt."""

    id: str = "ev-1"
    webhook_id: str = "wh-1"
    name: str = "stream.started"
    created_ms: int = T0_MS
    stream_id: str = "7c1ea8c3"

    def body(self, timestamp_ms: int = T0_MS, **more: object) -> bytes:
        """Compact JSON in raw UTF-8; `more` are further members at the top."""
        value = {
            "id": self.id,
            "webhookId": self.webhook_id,
            "createdAt": self.created_ms,
            "timestamp": timestamp_ms,
            "event": self.name,
            "stream": {"id": self.stream_id, "name": "town-hall"},
            **more,
        }
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    def signed(self, timestamp_ms: int = T0_MS, secret: str = SECRET, **more: object) -> tuple[bytes, str]:
        """The body and the signature's header of one attempt."""
        body = self.body(timestamp_ms, **more)
        return body, sign(secret, body, timestamp_ms)
