"""A reconciler on a store, beside a fake Studio whose deliveries go to a server that stores nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random

from aiohttp import web
from sqlalchemy import text

from receiver.evidence.reconciling.run import Reconciler, always
from receiver.evidence.reconciling.values import Report
from receiver.ids import Ids
from receiver.livepeer.studio import StudioClient
from receiver.livepeer.studio.budget import Patience
from receiver.reception import PATH
from receiver.simulation.scenes import go_live, make_recording
from receiver.simulation.sender import Event, Studio
from receiver.storage import bases, coverage
from receiver.storage.engine import Database
from tests.sender import T0_MS
from tests.studio import FakeStudio
from tests.studio_client import QUICK, Waits, asked
from tests.studio_rows import Row

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
KEEP_MS = 90 * DAY_MS
LARGEST = 1 << 20


@dataclass
class Sink:
    """Answers deliveries, the first with the first of `answers`, and so on; the last stays. Stores nothing."""

    answers: list[web.Response] = field(default_factory=list)
    came: list[str] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        """The next answer."""
        self.came.append(request.method)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=answer.status, headers=answer.headers)


@dataclass
class Room:
    """What is there, and what can be done in it."""

    studio: FakeStudio
    waits: Waits
    client: StudioClient
    database: Database
    sink: Sink
    webhook: Row
    by: Reconciler

    async def run(
        self,
        *,
        since_ms: int | None = None,
        dry_run: bool = False,
        by: Reconciler | None = None,
        go_on: Callable[[], Awaitable[bool]] = always,
    ) -> Report:
        """Reconcile, a while after what was told."""
        self.waits.clock.advance(2 * 60_000)
        return await (by or self.by).run(since_ms=since_ms, dry_run=dry_run, go_on=go_on)

    async def tell(self, *events: Event) -> None:
        """The sender tries to deliver them, a second apart."""
        for event in events:
            self.waits.clock.advance(1000)
            await self.studio.sender.deliver(event)

    async def retry(self, ms: int) -> None:
        """Time passes, and what is to be tried again is."""
        until_ms = self.waits.clock.now_ms() + ms
        while (due_ms := self.studio.sender.next_retry_ms()) is not None and due_ms <= until_ms:
            self.waits.clock.set(max(due_ms, self.waits.clock.now_ms()))
            await self.studio.sender.retry_due()
        self.waits.clock.set(until_ms)

    def log(self, webhook_id: str = "") -> list[Row]:
        """The sender's log, the oldest first."""
        return self.studio.sender.logs[webhook_id or self.webhook["id"]]

    def rows(self, query: str) -> list[Mapping[str, object]]:
        """What a query finds."""
        return [dict(row) for row in self.database.read_now(lambda c: c.execute(text(query)).mappings().all())]

    def stored(self) -> list[object]:
        """The ids of all events that are stored."""
        return [row["id"] for row in self.rows("SELECT id FROM signals WHERE source = 'webhook' ORDER BY id")]

    def heard(self) -> Sequence[tuple[int, int]]:
        """Which times count as heard."""
        return self.database.read_now(coverage.heard)

    def bookmark(self) -> int:
        """Up to when it was read."""
        return self.database.read_now(lambda c: bases.bookmark(c, bases.RECONCILED))


@asynccontextmanager
async def room(
    database: Database, status: int = 401, patience: Patience = QUICK, **headers: str
) -> AsyncIterator[Room]:
    """A webhook whose deliveries are answered so, an hour after it was made."""
    sink = Sink([web.Response(status=status, headers=headers)])
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", sink.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sink.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with asked(patience=patience) as (studio, client, waits):
            webhook = studio.add_webhook(f"{sink.url}{PATH}", createdAt=T0_MS - HOUR_MS)
            ids = Ids(waits.clock, node=3)
            by = Reconciler(client, database, ids, waits.clock, KEEP_MS, LARGEST)
            yield Room(studio, waits, client, database, sink, webhook, by)
    finally:
        await runner.cleanup()


def story(name: str = "a") -> list[Event]:
    """A broadcast and its recording."""
    studio = Studio(T0_MS, Random(name))  # noqa: S311 -- ids of a fiction
    return [*go_live(studio), studio.idle(60_000), *make_recording(studio, 60_000)]


def resending(here: Room) -> Reconciler:
    """One that may ask for things to be sent again."""
    return replace(here.by, resends=True)
