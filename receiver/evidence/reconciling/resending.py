"""Lets the sender send again what its log has without a body that could be used (FACTS 1.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from receiver.evidence.reconciling.ours import leads_here
from receiver.evidence.reconciling.tally import Tally
from receiver.evidence.reconciling.values import RefusedAs
from receiver.livepeer.studio import StudioClient
from receiver.livepeer.studio.failures import NotFound
from receiver.livepeer.studio.webhooks import LogEntry, Webhook

MOST: Final = 20
"""In one run."""
_UNREADABLE: Final = frozenset({"no_body", "not_an_event"})
"""What was forged or belongs elsewhere is not asked for."""


@dataclass(slots=True)
class Resending:
    """A resend goes to the logged URL, with the logged secret: it is asked for where that leads here and our endpoint
    would verify it, where the sender itself says that the attempt failed, and once: of what was logged after
    `read_until_ms`. After one that did not arrive, none is asked for any more in this run: each makes an entry in the
    log of its own."""

    client: StudioClient
    tally: Tally
    read_until_ms: int
    enabled: bool = False
    asked: int = 0

    async def again(self, webhook: Webhook, refused: Sequence[tuple[LogEntry, RefusedAs]]) -> None:
        """Ask for those of these attempts whose body cannot be read. Raises StudioError."""
        for entry, code in refused:
            if self._wanted(webhook, entry, code):
                self.asked += 1
                await self._ask(webhook.id, entry.id)

    def _wanted(self, webhook: Webhook, entry: LogEntry, code: RefusedAs) -> bool:
        if not self.enabled or self.asked >= MOST or self.tally.not_resent or code not in _UNREADABLE:
            return False
        if webhook.secret not in {"current", "ours"} or not leads_here(webhook):
            return False
        to_us = entry.request is not None and entry.request.url == webhook.url
        return to_us and entry.success is not True and (entry.created_ms or 0) > self.read_until_ms

    async def _ask(self, webhook_id: str, log_id: str) -> None:
        try:
            made = await self.client.resend(webhook_id, log_id)
        except NotFound:
            self.tally.not_resent += 1
            return
        if made.success:
            self.tally.resent += 1
        else:
            self.tally.not_resent += 1
