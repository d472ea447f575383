"""Registers our URL with Livepeer, or repairs its registration (FACTS 1.3, 9)."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from receiver.diagnosis.senders.registration import NEEDED
from receiver.livepeer.redaction import redact_text
from receiver.livepeer.studio import StudioClient
from receiver.livepeer.studio.webhooks import CURRENT, Webhook
from receiver.reception import PATH

NAME: Final = "receiver"
WANTED: Final = (
    *NEEDED,
    *(f"multistream.{what}" for what in ("connected", "error", "disconnected")),
    *(f"asset.{what}" for what in ("created", "updated", "failed", "ready", "deleted")),
    *(f"task.{what}" for what in ("spawned", "updated", "completed", "failed")),
)
"""All that the state machines read (FACTS 3)."""


class Registered(Struct, frozen=True, gc=False):
    """What was done, or with a dry run would be: `webhook_id` is None for one that would be made. `changes` say it in
    words, empty where all was in order; `others` are webhooks that have the same URL, too."""

    webhook_id: str | None
    url: str
    created: bool
    changes: tuple[str, ...]
    others: tuple[str, ...] = ()


def with_path(url: str) -> str:
    """A URL that names no path gets that at which deliveries are taken in."""
    parts = urlsplit(url)
    return parts._replace(path=PATH).geturl() if parts.path in {"", "/"} else url


async def register(
    client: StudioClient, url: str, secret: str, *, name: str | None, events: Sequence[str], dry_run: bool
) -> Registered:
    """See to it that there is a webhook with this URL, secret and name (None: any), subscribed to these events at
    least. Nothing else of it is changed. Raises StudioError."""
    same = [webhook async for webhook in client.webhooks() if webhook.url is not None and _same(webhook.url, url)]
    same.sort(key=lambda one: (-_last_triggered_ms(one), one.created_ms or 0, one.id))
    if not same:
        wanted = sorted(set(events))
        made_with = f"made, subscribed to {', '.join(wanted)}"
        if dry_run:
            return Registered(None, redact_text(url), created=True, changes=(made_with,))
        made = await client.create_webhook(name=name or NAME, url=url, events=wanted, secret=secret)
        return Registered(made.id, redact_text(url), created=True, changes=(made_with,))
    webhook, others = same[0], tuple(other.id for other in same[1:])
    lacking = [event for event in events if event not in webhook.events]
    renamed = name is not None and name != webhook.name
    foreign = webhook.secret not in CURRENT
    said = (
        (f"subscribed to {', '.join(lacking)}", bool(lacking)),
        ("given the current secret of this service", foreign),
        (f"named {name}", renamed),
    )
    changes = tuple(change for change, made in said if made)
    if changes and not dry_run:
        await client.update_webhook(
            webhook.id,
            name=name if renamed else None,
            events=sorted({*webhook.events, *lacking}) if lacking else None,
            secret=secret if foreign else None,
        )
    return Registered(webhook.id, redact_text(url), created=False, changes=changes, others=others)


def _same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _last_triggered_ms(webhook: Webhook) -> int:
    return 0 if webhook.status is None else webhook.status.last_triggered_ms or 0
