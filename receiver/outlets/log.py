"""The outlet that writes notices to the log: each transition once, after the commit that made it (P7)."""

import contextlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection
from structlog.typing import EventDict

from receiver.background import Background
from receiver.errors import StoreUnavailable
from receiver.ids import public_id
from receiver.logs import Level, log_all
from receiver.storage import episodes
from receiver.storage.engine import Database
from receiver.times import rfc3339

NAME = "log"
AT_ONCE = 128
"""In one transaction: on SQLite, deliveries wait meanwhile."""
LOOK_S = 1.0
"""Other processes (`receiver replay`) put notices into the outbox without waking us."""
_LEVELS: Mapping[str, Level] = {"info": "info", "warning": "warning", "critical": "error"}


class LogOutlet:
    """Reads the outbox and writes one line for each notice. A kill between the line and its mark repeats the line,
    with the same `notice_id`; while marks cannot be written, no line is repeated."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._unmarked: set[int] = set()
        self._background = Background("log outlet", self._turn)

    def wake(self) -> None:
        """There is something to tell."""
        self._background.wake()

    @property
    def store_fault(self) -> StoreUnavailable | None:
        """Why nothing can be told, where the store is the cause."""
        return self._background.store_fault

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
        any_due = partial(episodes.due_notices, outlet=NAME, most=1)
        while await self._database.read(any_due):
            told = await self._database.write(self._tell, bears=False)
            self._unmarked.clear()
            if not told:
                break

    def _tell(self, connection: Connection) -> int:
        """Write lines for the first notices that no other process is telling. Returns how many."""
        notices = episodes.claim_notices(connection, NAME, AT_ONCE)
        log_all(_line(notice) for notice in notices if notice["seq"] not in self._unmarked)
        told = [notice["seq"] for notice in notices]
        self._unmarked.update(told)
        episodes.told(connection, NAME, told)
        return len(told)

    async def _turn(self) -> float:
        await self.tell()
        return LOOK_S


def _line(notice: Mapping[str, Any]) -> tuple[Level, EventDict]:
    fields = from_json(notice["payload"])
    since_ms = fields.pop("since_ms", None)
    if since_ms is not None:
        fields["since"] = rfc3339(since_ms)
    muted = fields.get("muted_by") or notice["kind"] == "diagnosis.resolved"
    told = {"event": notice["kind"], "notice_id": public_id("nt", notice["seq"]), "at": rfc3339(notice["at_ms"])}
    return "info" if muted else _LEVELS.get(fields.get("severity", "info"), "info"), {**told, **fields}
