"""The calm run: the same signals, in another order, given to one service that nothing disturbs; and the disturbed store
looked at by the same service at the same moments.

What was covered is a signal too: the calm store begins with the disturbed one's coverage, or silence would mean other
things in the two. Each attempt at an event has the time that it had; each report is of the time that it was of.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from sqlalchemy import insert

from receiver.clock import ManualClock
from receiver.simulation.sender import attempt
from receiver.storage.engine import Database
from receiver.storage.schema import migrate
from receiver.storage.tables import CoverageRow, table_of
from tests.running import SECRET, Running, configured, logged, running
from tests.soak.conclusions import conclusions, differences
from tests.soak.ledger import Entry, Ledger
from tests.soak.operating import Operator, plan
from tests.soak.receipts import attempts_that_count
from tests.soak.stored import Row, Stored

MINUTE_MS: Final = 60_000
LATER_MS: Final = (0, 3 * MINUTE_MS, 20 * MINUTE_MS, 120 * MINUTE_MS)
"""The moments at which the two are compared, counted from the soak's end: between them failures are concluded from
silence, and others fade."""
AT_ONCE: Final = 64
TOLERANCE_S: Final = 3600.0
"""Attempts are as old as the soak was long."""


@dataclass(frozen=True)
class Calm:
    """What a calm run is made of: the ledger of a soak, what its store holds, the settings (`limits`, as
    `receiver.settings` names them) and the moment at which it ended."""

    ledger: Ledger
    stored: Stored
    operator: Operator
    limits: dict[str, float]
    ended_ms: int

    async def compare(self, disturbed_url: str, folder: Path) -> tuple[list[str], Stored]:
        """How the two differ at each of the moments; and what the disturbed store has come to at the last of them.
        `disturbed_url` is a copy of the soak's store. The calm one is a SQLite file whatever that is: what is concluded
        does not depend on where it is kept."""
        found: list[str] = []
        calm_url = f"sqlite:///{folder / 'calm.sqlite3'}"
        migrate(calm_url)
        _cover(calm_url, self.stored.coverage)
        async with self._service(disturbed_url, folder) as disturbed, self._service(calm_url, folder) as calm:
            await self._feed(calm)
            for later_ms in LATER_MS:
                for service in (disturbed, calm):
                    await service.pass_time(self.ended_ms + later_ms - service.service.clock.now_ms())
                    await service.service.settle()
                if later_ms == 0:
                    await self._act(calm, calm_url)
                here, there = Stored.read(disturbed_url), Stored.read(calm_url)
                found += [f"{later_ms // MINUTE_MS} min later: {what}" for what in _differences(here, there)]
            return found, Stored.read(disturbed_url)

    @asynccontextmanager
    async def _service(self, url: str, folder: Path) -> AsyncIterator[Running]:
        clock = ManualClock(self.ended_ms)
        settings = configured(url, folder, tolerance_s=TOLERANCE_S, **self.limits)
        with logged(clock, level="error"):
            async with running(settings, clock, attended=True) as service:
                yield service

    async def _feed(self, calm: Running) -> None:
        """All that was taken in, shuffled."""
        work: list[tuple[Entry, int]] = [*attempts_that_count(self.ledger, self.stored)]
        work += [(entry, entry.tried_ms[0]) for entry in self.ledger.reports if entry.acknowledged_ms]
        Random(1).shuffle(work)  # noqa: S311 -- an order
        for some in _pieces(work, AT_ONCE):
            await asyncio.gather(*(_give(calm, entry, at_ms) for entry, at_ms in some))
            await calm.service.settle()

    async def _act(self, calm: Running, calm_url: str) -> None:
        """What callers had done of the diagnoses, once they are all there."""
        acted_on = set(self.operator.subjects.values())
        for row in Stored.read(calm_url).diagnoses:
            if row["subject_id"] in acted_on and row["condition"] == "rtmp_push_rejected":
                for act in plan(row["subject_id"]):
                    status, _, text = await calm.ask(f"/v1/diagnoses/{row['id']}/{act}", method="POST")
                    assert 200 == status, text


def _differences(disturbed: Stored, calm: Stored) -> Iterable[str]:
    return differences(conclusions(disturbed), conclusions(calm))


async def _give(calm: Running, entry: Entry, at_ms: int) -> None:
    errand = entry.errand
    if errand.event is None:
        await calm.report(**errand.report)
        return
    status, _ = await calm.post(attempt(errand.event, errand.webhook_id, SECRET, at_ms))
    assert 204 == status, errand


def _cover(url: str, coverage: Sequence[Row]) -> None:
    database = Database.open(url)
    try:
        if coverage:
            database.write_now(lambda connection: connection.execute(insert(table_of(CoverageRow)), [*coverage]))
    finally:
        database.close_now()


def _pieces(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
