"""Reconciliation on a schedule, by one process of those that share a store."""

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial
from typing import Final

from receiver.background import Background
from receiver.errors import StoreUnavailable
from receiver.evidence.reconciling.ours import known_webhooks, ours
from receiver.evidence.reconciling.reach import Reach
from receiver.evidence.reconciling.registered import look_at_all, suspended
from receiver.evidence.reconciling.run import Reconciler
from receiver.evidence.reconciling.values import Report
from receiver.evidence.reconciling.windows import SETTLED_MS
from receiver.livepeer.studio.failures import StudioError, UserSuspended
from receiver.logs import get_logger
from receiver.seeing import Seen, note
from receiver.storage import bases, coverage, leases
from receiver.times import rfc3339

LEASE: Final = "reconciliation"
LEASE_MS: Final = 180_000
"""Renewed before each piece of time that is read, and behind each log: longer than that takes. Who loses it only does
what another does, too."""
START_AFTER_S: Final = 5.0
AGAIN_S: Final = 60.0
"""After a failure, or while another process is at it."""
AFTER_GAP_S: Final = 75.0
"""A run cannot read the last minute, so a gap in coverage is closed by the next."""
_log = get_logger("receiver.reconciliation")


class Reconciliation:
    """Reads the sender's log a moment after the start, and then every `every_s` seconds: sooner after a gap in
    coverage, and after a failure. It also notes a snapshot of each of our webhooks."""

    def __init__(self, reconciler: Reconciler, every_s: float, start_after_s: float = START_AFTER_S) -> None:
        self.by, self._every_s, self._start_after_s = reconciler, every_s, start_after_s
        self._background = Background("reconciliation", self._turn)
        self._begun = self._stopping = False
        self._urgent = True
        self._at_hand: asyncio.Task[float] | None = None
        self._failing: tuple[str, str] | None = None

    @property
    def store_fault(self) -> StoreUnavailable | None:
        """Why the last turn failed, if it did for the store."""
        return self._background.store_fault

    @property
    def running(self) -> bool:
        """Whether turns are taken."""
        return self._background.running

    async def start(self) -> None:
        """Begin to take turns."""
        await self._background.start()

    async def stop(self) -> None:
        """Give up what is at hand: what was taken in stays, and the rest is for the next start."""
        self._stopping = True
        if self._at_hand is not None:
            self._at_hand.cancel()
        await self._background.stop()

    async def once(self) -> Report | None:
        """Reconcile now, unless another process is at it. Raises StoreUnavailable."""
        if not await self._have_lease():
            return None
        try:
            return await self._reconcile()
        finally:
            with contextlib.suppress(StoreUnavailable):
                await self.by.database.write(partial(leases.give_back, name=LEASE, node=self.by.ids.node), bears=False)

    async def _turn(self) -> float:
        """One turn as a task of its own, so that it can be given up."""
        if not self._begun:
            self._begun = True
            return self._start_after_s
        self._at_hand = asyncio.create_task(self._work())
        try:
            return await self._at_hand
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            return self._every_s
        finally:
            self._at_hand = None

    async def _work(self) -> float:
        if not self._urgent and await self._just_done():
            return self._every_s
        report = await self.once()
        if report is None or report.failure is not None:
            return min(AGAIN_S, self._every_s)
        self._urgent = await self._gap_left(report.until_ms)
        return min(AFTER_GAP_S, self._every_s) if self._urgent else self._every_s

    async def _just_done(self) -> bool:
        """Whether another process has done it lately."""
        read_until_ms = await self.by.database.read(partial(bases.bookmark, name=bases.RECONCILED))
        return 0 <= self.by.clock.now_ms() - SETTLED_MS - read_until_ms < self._every_s * 500

    async def _gap_left(self, until_ms: int) -> bool:
        """Whether a time in which we were away, or not there yet, ended behind what could be read."""
        up = await self.by.database.read(coverage.load)
        return bool(up) and up[-1][0] > until_ms

    async def _have_lease(self) -> bool:
        """Whether it is ours to do for the next while."""
        now_ms, node = self.by.clock.now_ms(), self.by.ids.node
        taking = partial(leases.take, name=LEASE, node=node, now_ms=now_ms, for_ms=LEASE_MS)
        return await self.by.database.write(taking, bears=False)

    async def _reconcile(self) -> Report:
        by, now_ms = self.by, self.by.clock.now_ms()
        try:
            mine = await ours(by.client, by.database)
            async with Reach() as reach:
                await self._note(await look_at_all(by.client, mine, reach, now_ms))
            report = await by.run(go_on=self._have_lease, seen=mine)
        except StudioError as error:
            if isinstance(error, UserSuspended):
                await self._note(suspended(list(await by.database.read(known_webhooks))))
            report = Report(now_ms, now_ms, failure=error.code, detail=error.detail)
        self._tell(report)
        return report

    async def _note(self, seen: Sequence[Seen]) -> None:
        await note(self.by.database, self.by.ids, self.by.clock.now_ms(), seen)
        self.by.on_taken()

    def _tell(self, report: Report) -> None:
        """What was done, where anything was; a failure once, until it is another or none."""
        failing = None if report.failure is None else (report.failure, report.detail or "")
        if failing is not None and failing != self._failing:
            _log.warning("reconciliation.failed", code=failing[0], detail=failing[1])
        self._failing = failing
        refused = sum(report.refused.values())
        if report.missing or report.earlier or refused or report.resent or report.not_resent:
            _log.info(
                "reconciliation.done",
                read_from=rfc3339(report.from_ms),
                read_until=rfc3339(report.until_ms),
                whole=report.whole,
                attempts_read=report.attempts,
                missing=report.missing,
                taken_in=report.taken_in,
                answered=sum(report.answered.values()),
                unanswered=report.unanswered,
                not_stored=report.not_stored,
                unusable=refused,
                resent=report.resent,
            )
