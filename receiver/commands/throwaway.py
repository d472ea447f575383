"""A service for one story: a temporary folder, an embedded database, a free port, and a clock that is moved by hand."""

import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TextIO

from aiohttp import web

from receiver.app import Service
from receiver.clock import ManualClock
from receiver.keys import Keys, all_secrets
from receiver.logs import configure, protect
from receiver.settings import Settings
from receiver.simulation.client import Client
from receiver.storage.cases import next_deadline_ms
from receiver.storage.coverage import LONGEST_SILENCE_MS
from receiver.storage.schema import migrate
from receiver.tokens import ApiToken

BEAT_MS: Final = LONGEST_SILENCE_MS - 5_000
"""How far the clock moves without a heartbeat: a longer silence would be a gap in coverage."""
_HOST: Final = "127.0.0.1"


@cache
def throwaway_keys() -> Keys:
    """The keys of all throwaway services of this process."""
    secret, token, digest_key = (secrets.token_urlsafe(32) for _ in range(3))
    return Keys((f"whsec_{secret}",), (ApiToken(f"rcv_{token}"),), digest_key.encode())


class Throwaway:
    """A stage that passes time by moving the clock from one deadline or heartbeat to the next. It has the default
    settings, whatever the environment says."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.start_ms = clock.now_ms()
        self.secret = throwaway_keys().webhook_secrets[0]
        self.client = Client("", throwaway_keys().api_tokens[0].token)
        self._settings = Settings(data_dir=folder)
        self._clock = clock
        self._running: tuple[Service, web.AppRunner] | None = None

    def now_ms(self) -> int:
        """The moment that the clock was last moved to."""
        return self._clock.now_ms()

    async def until(self, now_ms: int) -> AsyncIterator[None]:
        """Move the clock; comes back after each deadline, when all that was due is done."""
        if self._running is None:
            self._clock.set(now_ms)
            return
        service, _ = self._running
        while (here_ms := self._clock.now_ms()) < now_ms:
            due_ms = await service.database.read(next_deadline_ms)
            self._clock.set(min(now_ms, here_ms + BEAT_MS, max(due_ms or now_ms, here_ms + 1)))
            if self._clock.now_ms() in {now_ms, due_ms}:
                await service.settle()
                yield
            else:
                await service.beat()

    async def settle(self) -> None:
        """Do all that is due, unless the service is down."""
        if self._running is not None:
            await self._running[0].settle()

    async def stop(self) -> bool:
        """Stop the service as SIGTERM does."""
        if self._running is not None:
            await self._running[1].cleanup()
            self._running = None
        return True

    async def begin(self) -> None:
        """Start a service on the folder, on a port that is free."""
        service = Service.build(self._settings, throwaway_keys(), self._clock)
        runner = service.web_runner(attended=True)
        await runner.setup()
        self._running = service, runner
        await web.TCPSite(runner, _HOST, 0).start()
        self.client.url = f"http://{_HOST}:{runner.addresses[0][1]}"
        await self.settle()


class Workshop:
    """Makes throwaway services in `folder`, of one empty database that is migrated once. From then on the process's
    log is theirs: it goes to `log`, with the times of the story."""

    def __init__(self, folder: Path, log: TextIO) -> None:
        self._folder = folder
        self._log = log
        self._empty = Settings(data_dir=folder / "empty")
        configure(None, "info", log)
        protect(*all_secrets(self._empty, throwaway_keys()))
        self._empty.data_dir.mkdir()
        migrate(self._empty.url)

    @asynccontextmanager
    async def throwaway(self, clock: ManualClock) -> AsyncIterator[Throwaway]:
        """A service that runs, and is gone afterwards with all that it knew."""
        configure(None, "info", self._log, clock)
        with TemporaryDirectory(dir=self._folder) as folder:
            shutil.copytree(self._empty.data_dir, folder, dirs_exist_ok=True)
            stage = Throwaway(Path(folder), clock)
            try:
                await stage.begin()
                yield stage
            finally:
                await stage.stop()
                await stage.client.close()
