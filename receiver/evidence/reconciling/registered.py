"""Snapshots of our webhooks, as the Studio API has them and as we see their URLs: signals like any other."""

from collections.abc import Sequence
from typing import Final

from receiver.diagnosis.looks import SecretStanding, WebhookLook
from receiver.evidence.reconciling.ours import Ours
from receiver.evidence.reconciling.reach import Reach
from receiver.livepeer.studio import StudioClient
from receiver.livepeer.studio.failures import StudioError
from receiver.livepeer.studio.webhooks import Webhook
from receiver.seeing import Seen

MOST_STREAMS: Final = 200
"""How many active streams are looked at for when media was last seen: a page."""
FRESH_MS: Final = 1_800_000
"""A webhook that has called us so lately is not asked whether it redirects: its bodies arrive."""
_SECRETS: Final[dict[str, SecretStanding]] = {"current": "ours", "ours": "ours", "other": "other", "none": "none"}


async def last_active_ms(client: StudioClient) -> int | None:
    """When Livepeer last saw media of any stream that is active; None where there is none, or it does not say."""
    newest, read = 0, 0
    try:
        async for stream in client.streams(active=True):
            newest = max(newest, stream.last_seen_ms or 0)
            read += 1
            if read == MOST_STREAMS:
                break
    except StudioError:
        return newest or None
    return newest or None


async def look_at(webhook: Webhook, reach: Reach, active_ms: int | None, *, ask: bool = True) -> WebhookLook:
    """The snapshot of a webhook; only with `ask` is its URL asked."""
    reached = await reach.look(webhook.url, ask=ask)
    status = webhook.status
    failure = None if status is None else status.last_failure
    return WebhookLook(
        "found",
        url=webhook.shown_url,
        url_public=reached.public,
        redirects=reached.redirects,
        events=tuple(sorted(webhook.events)),
        secret=_SECRETS[webhook.secret],
        project=webhook.project_id,
        created_ms=webhook.created_ms,
        triggered_ms=None if status is None else status.last_triggered_ms,
        failed_ms=None if failure is None else failure.at_ms,
        failed_status=None if failure is None else failure.status_code,
        failed_error=None if failure is None else failure.error,
        active_ms=active_ms,
    )


async def look_at_all(client: StudioClient, mine: Ours, reach: Reach, now_ms: int) -> Sequence[Seen]:
    """Snapshots of our webhooks, and of those that have called us and are not found."""
    active_ms = await last_active_ms(client) if mine.found else None
    seen = [
        Seen(
            await look_at(webhook, reach, active_ms, ask=now_ms - mine.last_call_ms(webhook.id) > FRESH_MS),
            webhook_id=webhook.id,
        )
        for webhook in mine.found
    ]
    return [*seen, *(Seen(WebhookLook("missing"), webhook_id=webhook_id) for webhook_id in mine.missing)]


def suspended(webhook_ids: Sequence[str]) -> Sequence[Seen]:
    """Snapshots of webhooks of an account that is suspended."""
    return [Seen(WebhookLook("user_suspended"), webhook_id=webhook_id) for webhook_id in webhook_ids]
