"""Where the store of a soak is, what can befall it, and how it is copied."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from receiver.storage.schema import migrate

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

    def empty(self, name: str) -> str:
        """The URL of another database, with the schema and nothing in it."""
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

    def empty(self, name: str) -> str:
        """Another file."""
        data = self._folder / name
        data.mkdir()
        url = f"sqlite:///{data / FILE}"
        migrate(url)
        return url
