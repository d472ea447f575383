"""SQLite's write-ahead log is kept short beside those who write.

By itself SQLite moves what was committed from the log to the database file within a commit, once the log has a thousand
pages: its deliveries wait for two syncs more, and for writing all over the file. Here another connection does it, four
times a second while anything is written; SQLite's own turn comes only where the log has grown long all the same
(`receiver.storage.sqlite`).

The log begins anew when somebody writes who finds all of it moved, and nobody reading from it. So what is written while
most of it is moved is moved once more, at once, between two transactions and while nothing is read. A log that begins
anew is written over: where it grows instead, every commit waits for the file system to give it room, and takes twice as
long.
"""

import contextlib
from collections.abc import Hashable
from typing import Final

from receiver.background import Background
from receiver.errors import StoreUnavailable
from receiver.storage.engine import Database
from receiver.storage.sqlite import move_log

EACH_S: Final = 0.25
IDLE_S: Final = 1.0
"""While nothing is written."""


class WriteAhead:
    """Started where there is such a log."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found: Hashable = None
        self._background = Background("write-ahead log", self._turn)

    async def start(self) -> None:
        """Begin to keep it short."""
        await self._background.start()

    async def stop(self) -> None:
        """What is left in it is moved when the database is closed."""
        await self._background.stop()

    async def move(self) -> bool:
        """Move what can be moved now. Returns whether the log had changed since the last time."""
        before = self._found
        with contextlib.suppress(StoreUnavailable):  # it stays in the log, where it is as safe: who writes will say so
            self._found = await self._database.read(move_log)
            self._found = await self._database.read_alone(move_log) or self._found
        return self._found != before

    async def _turn(self) -> float:
        return EACH_S if await self.move() else IDLE_S
