"""One reconciliation: reads the sender's own log of our webhooks, and takes in what never reached us."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Connection

from receiver.clock import Clock
from receiver.diagnoser.senders import Senders
from receiver.evidence.reconciling.gaps import Gaps
from receiver.evidence.reconciling.ours import Ours, ours
from receiver.evidence.reconciling.resending import Resending
from receiver.evidence.reconciling.taking import Taking
from receiver.evidence.reconciling.tally import Tally
from receiver.evidence.reconciling.values import Report
from receiver.evidence.reconciling.windows import FIRST_MS, PIECE_MS, SHORTEST_PIECE_MS, pieces, window
from receiver.ids import Ids
from receiver.livepeer.studio import StudioClient
from receiver.livepeer.studio.failures import NotFound, PagesEndless, StudioError
from receiver.livepeer.studio.webhooks import LogEntry, Webhook
from receiver.storage import bases, coverage
from receiver.storage.engine import Database

AT_ONCE: Final = 200
"""Entries that are looked at together: a page."""


async def always() -> bool:
    """Nobody else takes over."""
    return True


@dataclass(frozen=True, slots=True)
class Reconciler:
    """What it takes: the Studio API, the store, for how long events are kept (`keep_ms`), how large a body may be, and
    what is called when something was taken in. It asks for things to be sent again only with `resends`: somebody must
    be there to take them in."""

    client: StudioClient
    database: Database
    ids: Ids
    clock: Clock
    keep_ms: int
    max_body_bytes: int
    on_taken: Callable[[], None] = lambda: None
    resends: bool = False

    async def run(
        self,
        *,
        since_ms: int | None = None,
        dry_run: bool = False,
        go_on: Callable[[], Awaitable[bool]] = always,
        seen: Ours | None = None,
    ) -> Report:
        """Read the log since then, or on from where the last run ended, and take in what is missing; with `dry_run`,
        only say what would be. `go_on` is asked between two pieces of time; `seen` are our webhooks where they are
        known. A StudioError ends it early, and stands in the report. Raises StoreUnavailable."""
        now_ms, tally = self.clock.now_ms(), Tally()
        read_until_ms = await self.database.read(partial(bases.bookmark, name=bases.RECONCILED))
        from_ms, until_ms = window(now_ms, read_until_ms, self.keep_ms, since_ms)
        try:
            mine = seen or await ours(self.client, self.database)
            made = [webhook.created_ms for webhook in mine.found]
            if made and None not in made:
                made_ms = min(at_ms for at_ms in made if at_ms is not None)
                from_ms, until_ms = window(now_ms, read_until_ms, self.keep_ms, since_ms, made_ms)
            taking = Taking(
                self.database, self.ids, self.clock, tally, self.max_body_bytes, self.on_taken, dry_run=dry_run
            )
            resending = Resending(self.client, tally, read_until_ms, enabled=self.resends and not dry_run)
            reading = _Reading(self, mine, taking, resending, tally)
            await reading.all(from_ms, until_ms, go_on)
            await Gaps(self.client, mine, taking, tally).look(now_ms)
        except StudioError as error:
            tally.failed(error)
        return tally.report(from_ms, until_ms)


@dataclass(slots=True)
class _Reading:
    """Goes through the time, piece by piece."""

    by: Reconciler
    mine: Ours
    taking: Taking
    resending: Resending
    tally: Tally

    async def all(self, from_ms: int, until_ms: int, go_on: Callable[[], Awaitable[bool]]) -> None:
        """All of it. Raises StudioError, StoreUnavailable; what was read before is noted as read."""
        self.tally.webhooks = len(self.mine.found)
        self.tally.unread.update(one for one in self.mine.missing if self._may_tell(one, from_ms))
        whole, piece_ms = True, PIECE_MS
        while from_ms < until_ms:
            if not await go_on():
                return
            piece = next(pieces(from_ms, until_ms, piece_ms))
            try:
                whole = await self._piece(*piece, go_on) and whole
            except PagesEndless:
                piece_ms = (piece[1] - piece[0]) // 2
                if piece_ms < SHORTEST_PIECE_MS:
                    raise
                continue
            from_ms = piece[1]
        self.tally.whole = whole

    async def _piece(self, from_ms: int, until_ms: int, go_on: Callable[[], Awaitable[bool]]) -> bool:
        """Read this time of every log, to its end, whoever else may have begun to. Whether all that was to be heard
        is."""
        try:
            for webhook in self.mine.found:
                await self._log(webhook, from_ms, until_ms)
                await go_on()
        finally:
            await self.taking.flush()
        whole = bool(self.mine.found) and not any(self._may_tell(one, from_ms) for one in self.tally.unread)
        if not self.taking.dry_run:
            await self.by.database.write(partial(self._note, from_ms=from_ms, until_ms=until_ms, whole=whole))
        return whole

    def _may_tell(self, webhook_id: str, from_ms: int) -> bool:
        """Whether a webhook whose log is not to be had may have had something to tell: it called us not long before.
        One that has been silent for longer was deleted."""
        return self.mine.last_call_ms(webhook_id) >= from_ms - FIRST_MS

    def _note(self, connection: Connection, *, from_ms: int, until_ms: int, whole: bool) -> None:
        """The time counts as heard where nothing of it is left unread; that of a webhook which the key does not find is
        not to be had, however often it is asked for."""
        if whole:
            covered = Senders.load(connection, now_ms := self.by.clock.now_ms()).coverage(now_ms).intervals
            news = not any(begun_ms <= from_ms and until_ms <= ended_ms for begun_ms, ended_ms in covered)
            coverage.note_heard(connection, self.by.ids, from_ms, until_ms, news=news)
        if until_ms > bases.bookmark(connection, bases.RECONCILED):
            bases.move_bookmark(connection, bases.RECONCILED, until_ms)

    async def _log(self, webhook: Webhook, from_ms: int, until_ms: int) -> None:
        try:
            async for entries in in_parts(self.by.client.webhook_log(webhook.id, since_ms=from_ms, until_ms=until_ms)):
                refused = await self.taking.take(webhook.id, entries)
                await self.resending.again(webhook, refused)
        except NotFound:
            self.tally.unread.add(webhook.id)


async def in_parts(entries: AsyncIterator[LogEntry]) -> AsyncIterator[list[LogEntry]]:
    """The same entries, some at a time; those before a failure, too, which is raised behind them."""
    part: list[LogEntry] = []
    failed: StudioError | None = None
    try:
        async for entry in entries:
            part.append(entry)
            if len(part) == AT_ONCE:
                yield part
                part = []
    except StudioError as error:
        failed = error
    if part:
        yield part
    if failed is not None:
        raise failed
