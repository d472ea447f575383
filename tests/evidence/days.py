"""A day of stories, told by a fake Studio to a receiver that is there, or is not, or refuses all of it."""

import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from receiver.clock import ManualClock
from receiver.evidence.reconciling.values import Report
from receiver.keys import Keys
from receiver.settings import Settings
from receiver.simulation import stories
from receiver.simulation.script import Deliver
from receiver.simulation.sender import Event
from receiver.storage.coverage import LONGEST_SILENCE_MS
from tests.running import KEYS, SECRET, Running, configured, running
from tests.sender import T0_MS
from tests.soak.conclusions import conclusions
from tests.soak.stored import Stored
from tests.studio import KEY, FakeStudio, fake_studio
from tests.studio_rows import Row

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEBHOOK_ID = "d94ad7e9-3ed7-4b13-8da1-4b7a8ed2a9a2"
TOLD = ("healthy", "recording-failed", "lost-idle", "recording-not-queued", "reconnect", "no-recording")


@dataclass(frozen=True)
class Told:
    """An event and when the sender has it ready."""

    at_ms: int
    event: Event


def told(start_ms: int, every_ms: int, names: Sequence[str] = TOLD, seed: int = 0) -> list[Told]:
    """The events of stories, each beginning some time after the one before, in the order of their times."""
    found: dict[str, Told] = {}
    for number, name in enumerate(names, seed):
        began_ms = start_ms + (number - seed) * every_ms
        for step in stories.build(name, began_ms, seed=number).steps:
            if isinstance(step, Deliver):
                found.setdefault(step.event.id, Told(began_ms + step.event.emitted_ms + 300, step.event))
    return sorted(found.values(), key=lambda one: one.at_ms)


def free_port() -> int:
    """One that nobody listens on at this moment."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def settings_of(database_url: str, folder: Path, studio: FakeStudio) -> Settings:
    """Those of a service with the key of this Studio."""
    return configured(database_url, folder, studio_url=studio.url, studio_api_key=KEY, probes=False)


@dataclass
class World:
    """A sender, its time, and what it has yet to tell."""

    studio: FakeStudio
    clock: ManualClock
    port: int
    left: list[Told]
    service: Running | None = None
    lost: frozenset[str] = frozenset()
    """The names of events that something else answers, with 404."""

    async def until(self, at_ms: int, *, judged: bool = True) -> None:
        """Let time pass: what is told is told, retries are made, and whoever is up lives through it."""
        while self.clock.now_ms() < at_ms:
            due = [self.studio.sender.next_retry_ms(), self.left[0].at_ms if self.left else None, at_ms]
            if self.service is not None:
                due.append(self.clock.now_ms() + LONGEST_SILENCE_MS)
            self.clock.set(max(min(one for one in due if one is not None), self.clock.now_ms() + 1))
            if self.service is not None:
                await self.service.service.beat()
            await self._send()
        if self.service is not None and judged:
            await self.service.service.settle()

    async def _send(self) -> None:
        now_ms = self.clock.now_ms()
        sent = len(await self.studio.sender.retry_due())
        while self.left and self.left[0].at_ms <= now_ms:
            sent += await self._tell(self.left.pop(0).event)
        if sent and self.service is not None:
            await self.service.service.settle()

    async def _tell(self, event: Event) -> int:
        row = self.studio.webhooks[WEBHOOK_ID]
        url = row["url"]
        if event.name in self.lost:
            row["url"] = f"{url}/elsewhere"
        try:
            return len(await self.studio.sender.deliver(event))
        finally:
            row["url"] = url

    @asynccontextmanager
    async def up(self, settings: Settings, keys: Keys = KEYS) -> AsyncIterator[Running]:
        """Meanwhile a receiver is there."""
        async with running(settings, self.clock, attended=True, port=self.port, keys=keys) as service:
            self.service = service
            try:
                yield service
            finally:
                self.service = None

    async def reconcile(self) -> Report:
        """What the service does by itself, now; and all that follows from it."""
        assert self.service is not None
        service = self.service.service
        assert service.reconciliation is not None
        report = await service.reconciliation.once()
        assert report is not None
        await service.settle()
        return report

    def logged(self) -> set[str]:
        """The ids of all events that the sender's log has."""
        return {_event_id(row) for rows in self.studio.sender.logs.values() for row in rows}


def _event_id(row: Row) -> str:
    return str(json.loads(row["request"]["body"])["id"])


@asynccontextmanager
async def world(left: Sequence[Told] = (), **webhook: object) -> AsyncIterator[World]:
    """A Studio with one webhook that leads to where a receiver may be."""
    clock, port = ManualClock(T0_MS), free_port()
    async with fake_studio(clock) as studio:
        row = {"id": WEBHOOK_ID, "sharedSecret": SECRET, "createdAt": T0_MS - DAY_MS, **webhook}
        studio.add_webhook(f"http://127.0.0.1:{port}/webhooks/livepeer", **row)
        yield World(studio, clock, port, list(left))


def concluded(url: str) -> dict[tuple[str, ...], Any]:
    """What was concluded of streams and sessions, with evidence and open diagnoses."""
    found = conclusions(Stored.read(url))
    return {about: said for about, said in found.items() if not {"webhook", "endpoint"}.intersection(about)}


def stored_ids(url: str) -> list[str]:
    """The ids of all events that are stored."""
    return [key[1] for key, rows in Stored.read(url).events.items() for _ in rows]


def with_secret(secret: str) -> Keys:
    """The keys with another webhook secret."""
    return replace(KEYS, webhook_secrets=(secret,))
