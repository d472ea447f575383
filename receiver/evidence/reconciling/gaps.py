"""Events that a stream's sequence lacks: whether the sender's log has them, or they were never fired (FACTS 10.5)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from receiver.diagnosis.rules.deliveries import GAP_FADES_MS, Missing
from receiver.evidence.reconciling.bodies import Logged, read_logged
from receiver.evidence.reconciling.ours import Ours
from receiver.evidence.reconciling.taking import Taking
from receiver.evidence.reconciling.tally import Tally
from receiver.evidence.reconciling.values import NeverFired
from receiver.livepeer.studio import StudioClient
from receiver.livepeer.studio.failures import NotFound, PagesEndless

MOST: Final = 20
"""Gaps that are looked at in one run, the newest."""
MOST_ENTRIES: Final = 200
NEAR_MS: Final = 600_000
"""A start belongs to the session that began so shortly before or after it."""
BACK_MS: Final = 26 * 3_600_000
_OF_SESSION: Final = "recording."


@dataclass(frozen=True, slots=True)
class Gaps:
    """Looks into the log for what streams lack."""

    client: StudioClient
    mine: Ours
    taking: Taking
    tally: Tally

    async def look(self, now_ms: int) -> None:
        """For each gap of our webhooks that has not faded. What is there after all is taken in. Raises StudioError,
        StoreUnavailable."""
        due = sorted(self._due(now_ms), key=lambda gap: gap.due_ms, reverse=True)
        for gap in due[:MOST]:
            if await self._found(gap) is False:
                never = NeverFired(gap.webhook_id, gap.stream_id, gap.session_id, gap.event)
                self.tally.never_fired.append(never)
        await self.taking.flush()

    def _due(self, now_ms: int) -> Iterator[Missing]:
        for webhook in self.mine.found:
            state = self.mine.states.get(webhook.id)
            if state is not None:
                subscribed = (gap for gap in state.missing if gap.event in webhook.events)
                yield from (gap for gap in subscribed if gap.due_ms <= now_ms < gap.due_ms + GAP_FADES_MS)

    async def _found(self, gap: Missing) -> bool | None:
        """Whether the log has it; None where that is too much to read."""
        of_session = gap.event.startswith(_OF_SESSION)
        log = self.client.webhook_log(
            gap.webhook_id,
            since_ms=gap.because.at_ms - BACK_MS,
            event=gap.event,
            resource_id=gap.session_id if of_session else gap.stream_id,
        )
        read = 0
        try:
            async for entry in log:
                logged = read_logged(entry, gap.webhook_id, self.taking.max_body_bytes)
                near_ms = abs(logged.envelope.created_ms - gap.because.at_ms) if isinstance(logged, Logged) else None
                if near_ms is not None and (of_session or near_ms <= NEAR_MS):
                    await self.taking.take(gap.webhook_id, [entry])
                    return True
                read += 1
                if read == MOST_ENTRIES:
                    return None
        except (NotFound, PagesEndless):
            return None
        return False
