"""Which webhooks are ours: those that have called us, and those whose URL leads to where deliveries are taken in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import Connection

from receiver.diagnoser.records import WEBHOOK, read
from receiver.diagnosis.senders import WebhookState
from receiver.livepeer.studio import StudioClient
from receiver.livepeer.studio.failures import NotFound
from receiver.livepeer.studio.webhooks import Webhook
from receiver.reception import PATH
from receiver.storage.cases import load_subjects, webhook_ids
from receiver.storage.engine import Database

MOST_MISSING: Final = 20
"""Webhooks that have called us and are not in the list are each asked for; of more, those that called last."""


@dataclass(frozen=True, slots=True)
class Ours:
    """Our webhooks as the Studio API has them, and those that have called us and that it does not find: deleted, or of
    another project than the key's (FACTS 9). `states` are what is known here, by webhook."""

    found: tuple[Webhook, ...]
    missing: tuple[str, ...]
    states: Mapping[str, WebhookState]

    def last_call_ms(self, webhook_id: str) -> int:
        """When the webhook last called us; 0 for never."""
        state = self.states.get(webhook_id)
        return 0 if state is None else state.last_ms or 0


def known_webhooks(connection: Connection) -> dict[str, WebhookState]:
    """What is known here of every webhook, by its id; of one that cannot be read, until the diagnoser has mended it,
    nothing but that."""
    rows = load_subjects(connection, "webhook", webhook_ids(connection))
    return {webhook_id: _read(webhook_id, row["folded"]) for webhook_id, row in rows.items()}


def _read(webhook_id: str, folded: str | None) -> WebhookState:
    try:
        return WebhookState(webhook_id) if folded is None else read(WEBHOOK, folded)
    except ValueError:
        return WebhookState(webhook_id)


def leads_here(webhook: Webhook) -> bool:
    """Whether its URL has the path at which deliveries are taken in, perhaps below another."""
    try:
        return urlsplit(webhook.url or "").path.rstrip("/").endswith(PATH)
    except ValueError:
        return False


async def ours(client: StudioClient, database: Database) -> Ours:
    """Those that are ours. Raises StudioError, StoreUnavailable."""
    states = await database.read(known_webhooks)
    found = [webhook async for webhook in client.webhooks() if webhook.id in states or leads_here(webhook)]
    left = states.keys() - {webhook.id for webhook in found}
    missing: list[str] = []
    for webhook_id in sorted(left, key=lambda one: (-(states[one].last_ms or 0), one))[:MOST_MISSING]:
        try:
            found.append(await client.webhook(webhook_id))
        except NotFound:
            missing.append(webhook_id)
    return Ours(tuple(found), tuple(missing), states)
