"""After a day away, or a day of refusing all, nothing is lost and all comes out as if nothing had been (the issue's
second point)."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.evidence.days import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Told,
    concluded,
    settings_of,
    stored_ids,
    told,
    with_secret,
    world,
)
from tests.running import configured
from tests.sender import T0_MS
from tests.soak.conclusions import differences
from tests.studio_faults import failing

GONE_MS = T0_MS + 10 * MINUTE_MS
BACK_MS = GONE_MS + DAY_MS
JUDGED_MS = BACK_MS + 80 * MINUTE_MS
NO_SNAPSHOTS = {"/stream": failing(501), "/session": failing(501)}
"""The log alone is to bring back what was lost: nothing else of the API is answered."""
Conclusions = Mapping[tuple[str, ...], Any]


@pytest.fixture(scope="module")
def events() -> Sequence[Told]:
    """Six stories, some hours apart: the first begins before all goes wrong, the last shortly before it ends. And one
    that begins when all is well again."""
    return [*told(T0_MS + 9 * MINUTE_MS, int(4.7 * HOUR_MS)), *told(BACK_MS + MINUTE_MS, 0, ["no-recording"], seed=99)]


@pytest.fixture(scope="module")
def calm(events: Sequence[Told], migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Conclusions:
    """What is concluded where all arrives, and nobody has a key of the Studio API."""
    folder = tmp_path_factory.mktemp("calm")
    url = f"sqlite:///{shutil.copy(migrated_file, folder / 'calm.db')}"

    async def live() -> None:
        async with world(events) as undisturbed, undisturbed.up(configured(url, folder)):
            await undisturbed.until(JUDGED_MS)

    asyncio.run(live())
    return concluded(url)


@pytest.mark.parametrize("later_ms", [0, 65 * MINUTE_MS], ids=["at once", "after retries"])
async def test_a_day_away(
    later_ms: int, events: Sequence[Told], calm: Conclusions, sqlite_url: str, tmp_path: Path
) -> None:
    """Every event that the log has is stored, once, and states, conditions and diagnoses are those of a calm run. So
    they are where some of it had come meanwhile, hours late."""
    async with world(events) as around:
        settings = settings_of(sqlite_url, tmp_path, around.studio)
        around.studio.faults |= NO_SNAPSHOTS
        async with around.up(settings):
            await around.until(GONE_MS)
        await around.until(BACK_MS)
        async with around.up(settings):
            await around.until(BACK_MS + later_ms)
            report = await around.reconcile()
            await around.until(BACK_MS + later_ms + 2 * MINUTE_MS)
            await around.reconcile()
            await around.until(JUDGED_MS)
        logged = around.logged()
    assert report.whole
    assert report.missing == report.taken_in
    assert report.earlier > 0 if later_ms else report.missing == report.unanswered > 0
    assert sorted(logged) == sorted(stored_ids(sqlite_url)) == sorted(one.event.id for one in events)
    assert [] == list(differences(concluded(sqlite_url), calm))


async def test_a_day_of_refusing_all(
    events: Sequence[Told], calm: Conclusions, sqlite_url: str, tmp_path: Path
) -> None:
    """So it is after a day of a wrong secret, all of whose events were answered 401 and not sent again."""
    async with world(events) as around:
        settings = settings_of(sqlite_url, tmp_path, around.studio)
        around.studio.faults |= NO_SNAPSHOTS
        async with around.up(settings):
            await around.until(GONE_MS)
        async with around.up(settings, with_secret("whsec_that-is-not-the-webhook's")):
            await around.until(BACK_MS)
        async with around.up(settings):
            report = await around.reconcile()
            await around.until(BACK_MS + 2 * MINUTE_MS)
            await around.reconcile()
            await around.until(JUDGED_MS)
        logged = around.logged()
    assert report.whole
    assert {"401": report.missing} == report.answered
    assert report.missing == report.taken_in > 0
    assert sorted(logged) == sorted(stored_ids(sqlite_url)) == sorted(one.event.id for one in events)
    assert [] == list(differences(concluded(sqlite_url), calm))
