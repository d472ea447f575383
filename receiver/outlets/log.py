"""The outlet that writes notices to the log: each transition once, after the commit that made it (P7)."""

import contextlib
import json
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from receiver.background import Background
from receiver.errors import StoreUnavailable
from receiver.ids import public_id
from receiver.logs import get_logger, together
from receiver.storage import episodes
from receiver.storage.engine import Database
from receiver.times import rfc3339

NAME = "log"
AT_ONCE = 1000
LOOK_S = 1.0
"""Other processes (`receiver replay`) put notices into the outbox without waking us."""
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.ERROR}
_log = get_logger("receiver")


class LogOutlet:
    """Reads the outbox and writes one line for each notice. A kill between the line and its mark repeats the line,
    with the same `notice_id`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._background = Background("log outlet", self._turn)

    def wake(self) -> None:
        """There is something to tell."""
        self._background.wake()

    async def start(self) -> None:
        """Begin with what an earlier process left untold."""
        await self._background.start()

    async def stop(self) -> None:
        """Tell what is left, and stop."""
        await self._background.stop()
        with contextlib.suppress(StoreUnavailable):
            await self.tell()

    async def tell(self) -> None:
        """Write a line for each notice that waits. Raises StoreUnavailable."""
        while notices := await self._database.read(partial(episodes.due_notices, outlet=NAME, most=AT_ONCE)):
            with together():
                for notice in notices:
                    _write(notice)
            told = [notice["seq"] for notice in notices]
            await self._database.write(partial(episodes.told, outlet=NAME, seqs=told))

    async def _turn(self) -> float:
        await self.tell()
        return LOOK_S


def _write(notice: Mapping[str, Any]) -> None:
    fields = json.loads(notice["payload"])
    since_ms = fields.pop("since_ms", None)
    if since_ms is not None:
        fields["since"] = rfc3339(since_ms)
    level = logging.INFO if fields.get("muted_by") or notice["kind"] == "diagnosis.resolved" else _level(fields)
    _log.log(level, notice["kind"], notice_id=public_id("nt", notice["seq"]), at=rfc3339(notice["at_ms"]), **fields)


def _level(fields: Mapping[str, Any]) -> int:
    return _LEVELS.get(fields.get("severity", "info"), logging.INFO)
