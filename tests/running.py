"""The whole service on a real socket, started and stopped by the test, with its log."""

import asyncio
import io
import json
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import structlog
from aiohttp import web

from receiver.app import Service
from receiver.clock import Clock, ManualClock
from receiver.keys import Keys
from receiver.logs import LogFormat, configure
from receiver.settings import Settings
from receiver.simulation.sender import Attempt, Event, attempt
from receiver.storage.coverage import LONGEST_SILENCE_MS
from receiver.tokens import ApiToken

SECRET = "whsec_of-the-running-service"
TOKEN = "rcv_of-the-running-service"
RAW_TOKEN = "rcv_of-who-may-read-all"
KEYS = Keys(
    (SECRET,),
    (ApiToken(TOKEN), ApiToken(RAW_TOKEN, frozenset({"read", "raw"}))),
    digest_key=b"the-digest-key-of-the-running-service",
)
PATIENCE_S = 10.0
"""How long a test waits for what comes within milliseconds, before it fails."""
Line = dict[str, Any]
T = TypeVar("T")


class Log(io.StringIO):
    """A log that is read while it is written."""

    @property
    def lines(self) -> list[Line]:
        """Every line so far."""
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def of(self, *events: str) -> list[Line]:
        """The lines of these events."""
        return [line for line in self.lines if line["event"] in events]

    def events(self) -> list[str]:
        """The names of all lines' events."""
        return [line["event"] for line in self.lines]


@contextmanager
def logged(clock: Clock | None = None, log_format: LogFormat = "json", level: str = "info") -> Iterator[Log]:
    """The process's log for a while; then it is as it was."""
    root = logging.getLogger()
    handlers, before = list(root.handlers), root.level
    log = Log()
    configure(log_format, level, log, clock)
    try:
        yield log
    finally:
        root.handlers[:] = handlers
        root.setLevel(before)
        structlog.reset_defaults()


@contextmanager
def signals_kept() -> Iterator[None]:
    """What this process does when it is told to stop is afterwards as it was before."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@dataclass
class Running:
    """A service that runs, as its callers see it."""

    service: Service
    runner: web.AppRunner
    http: aiohttp.ClientSession
    url: str

    async def deliver(self, *events: Event, secret: str = SECRET, webhook_id: str = "wh-1") -> list[int]:
        """What one attempt at each of these, signed now, is answered."""
        now_ms = self.service.clock.now_ms()
        return [(await self.post(attempt(event, webhook_id, secret, now_ms)))[0] for event in events]

    async def post(self, made: Attempt) -> tuple[int, Mapping[str, str]]:
        """Status and headers of the answer to a delivery."""
        headers = {"Content-Type": "application/json", "Livepeer-Signature": made.signature}
        async with self.http.post(f"{self.url}/webhooks/livepeer", data=made.body, headers=headers) as response:
            await response.read()
            return response.status, dict(response.headers)

    async def ask(
        self, path: str, *, method: str = "GET", token: str | None = TOKEN, body: Mapping[str, object] | None = None
    ) -> tuple[int, Any, str]:
        """Status, JSON and text of an answer of the API; `body` is sent as JSON."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with self.http.request(method, f"{self.url}{path}", headers=headers, json=body) as response:
            text = await response.text()
            return response.status, json.loads(text), text

    async def get(self, path: str) -> dict[str, Any]:
        """What a GET that succeeds gives."""
        status, value, text = await self.ask(path)
        assert 200 == status, text
        return dict(value)

    async def report(self, **observation: object) -> dict[str, Any]:
        """What is answered to an observation that is taken."""
        status, value, text = await self.ask("/v1/observations", method="POST", body=observation)
        assert 201 == status, text
        return dict(value)

    async def diagnosed(self, status: str = "open") -> list[tuple[str, str]]:
        """Condition and reason of the diagnoses, newest first."""
        return [
            (one["condition"], one["reason"]) for one in (await self.get(f"/v1/diagnoses?status={status}"))["items"]
        ]

    async def pass_time(self, ms: int) -> None:
        """Move the clock on, with heartbeats, and do all that is due then."""
        clock = self.service.clock
        assert isinstance(clock, ManualClock)
        until_ms = clock.now_ms() + ms
        while clock.now_ms() < until_ms:
            clock.set(min(until_ms, clock.now_ms() + LONGEST_SILENCE_MS))
            await self.service.beat()
        await self.service.settle()

    async def stop(self) -> None:
        """Stop as SIGTERM does."""
        await self.http.close()
        await self.runner.cleanup()


def configured(database_url: str, data_dir: Path, **more: object) -> Settings:
    """Settings for a database that is migrated already."""
    plain = database_url.replace("postgresql+psycopg://", "postgresql://", 1)
    return Settings.model_validate({"database_url": plain, "data_dir": data_dir, **more})


@asynccontextmanager
async def running(
    settings: Settings, clock: Clock, *, attended: bool = False, port: int = 0, keys: Keys = KEYS
) -> AsyncIterator[Running]:
    """A service that is stopped at the end."""
    service = Service.build(settings, keys, clock)
    runner = service.web_runner(attended=attended)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    started = Running(service, runner, aiohttp.ClientSession(), f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        yield started
    finally:
        await started.stop()


async def soon(found: Callable[[], Awaitable[T]]) -> T:
    """What `found` gives as soon as it gives something: tried again and again, with a moment between."""
    async with asyncio.timeout(PATIENCE_S):
        while not (value := await found()):  # noqa: ASYNC110 -- what it asks has no event for it
            await asyncio.sleep(0.005)
        return value


async def until(holds: Callable[[], object]) -> None:
    """Comes back when it holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0.005)
