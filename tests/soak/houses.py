"""Where the store of a soak is, what can befall it, and how it is copied."""

import asyncio
import shutil
import signal
from collections.abc import Mapping
from itertools import cycle, islice
from pathlib import Path
from typing import Final, Protocol

from receiver.storage.schema import migrate
from tests.postgres import Postgres
from tests.soak.replicas import is_over

FILE: Final = "receiver.sqlite3"


class House(Protocol):
    """The store of all replicas."""

    name: str
    goes_away: bool
    """Whether it is restarted, so that a start may find it away."""
    restarts: int

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        ...

    def settings(self, replica: Path) -> Mapping[str, str]:
        """Those that lead a replica with this folder to it."""
        ...

    async def disturb(self, until: asyncio.Event) -> None:
        """Do to it what is to be survived."""
        ...

    def copy(self, name: str) -> tuple[str, Mapping[str, str]]:
        """A copy while nobody writes: its URL, and the settings of a command that is to use it."""
        ...


class SqliteHouse:
    """One file, in one replica's data directory."""

    name = "sqlite"
    goes_away = False
    restarts = 0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._data.mkdir()

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        return f"sqlite:///{self._data / FILE}"

    def settings(self, replica: Path) -> Mapping[str, str]:
        """Those that lead the replica to it."""
        return {"RECEIVER_DATA_DIR": str(self._data)}

    async def disturb(self, until: asyncio.Event) -> None:
        """Nothing befalls a file but what befalls who writes it."""

    def copy(self, name: str) -> tuple[str, Mapping[str, str]]:
        """The file with its log."""
        data = self._folder / name
        shutil.copytree(self._data, data)
        return f"sqlite:///{data / FILE}", {"RECEIVER_DATA_DIR": str(data)}


class PostgresHouse:
    """A database on a server that is restarted again and again: in order, and as after a crash (`immediate`)."""

    name = "postgresql"
    goes_away = True

    def __init__(self, server: Postgres, restart_every_s: float, most: int | None = None) -> None:
        """It is restarted `most` times."""
        self._server, self._every_s, self._most = server, restart_every_s, most
        self.restarts = 0
        self._made: list[str] = []
        self._url = self._create(_SOAKED)
        migrate(self.url)

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        return _driven(self._url)

    def settings(self, replica: Path) -> Mapping[str, str]:
        """Those that lead a replica with this folder to it."""
        return {"RECEIVER_DATABASE_URL": self._url, "RECEIVER_DATA_DIR": str(replica / "data")}

    async def disturb(self, until: asyncio.Event) -> None:
        """Restart it, each time the other way."""
        for how in islice(cycle((signal.SIGQUIT, signal.SIGINT)), self._most):
            if await is_over(until, self._every_s):
                return
            await asyncio.to_thread(self._server.restart, how)
            self.restarts += 1

    def copy(self, name: str) -> tuple[str, Mapping[str, str]]:
        """Another database of the same server."""
        url = self._create(name, _SOAKED)
        return _driven(url), {"RECEIVER_DATABASE_URL": url}

    def drop(self) -> None:
        """Remove the databases."""
        for name in self._made:
            self._server.drop(name)

    def _create(self, name: str, template: str = "template1") -> str:
        self._made.append(name)
        return self._server.create(name, template)


def _driven(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


_SOAKED: Final = "soaked"
