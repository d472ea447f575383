"""After a day away, or a day of refusing all, nothing is lost and all comes out as if nothing had been (the issue's
second point)."""

import shutil
from collections.abc import Sequence
from pathlib import Path

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
from tests.running import SECRET
from tests.sender import T0_MS
from tests.soak.conclusions import differences

UP_AGAIN_MS = T0_MS + 10 * MINUTE_MS + DAY_MS
JUDGED_MS = UP_AGAIN_MS + 5 * MINUTE_MS


@pytest.fixture(scope="module")
def events() -> Sequence[Told]:
    """Six stories, four hours apart: the first begins before all goes wrong, the last when it nearly ends."""
    return told(T0_MS + 9 * MINUTE_MS, int(4.7 * HOUR_MS))


async def undisturbed(events: Sequence[Told], file: Path, folder: Path) -> str:
    """The database of a run in which all arrives."""
    url = f"sqlite:///{file}"
    async with world(events) as calm, calm.up(settings_of(url, folder, calm.studio)):
        await calm.until(JUDGED_MS)
    return url


async def test_a_day_of_being_away(
    events: Sequence[Told], sqlite_url: str, migrated_file: Path, tmp_path: Path
) -> None:
    """Every event that the log has is stored, once, and streams, conditions and diagnoses are those of a calm run."""
    calm_url = await undisturbed(events, Path(shutil.copy(migrated_file, tmp_path / "calm.db")), tmp_path)
    async with world(events) as around:
        settings = settings_of(sqlite_url, tmp_path, around.studio)
        async with around.up(settings):
            await around.until(T0_MS + 10 * MINUTE_MS)
        await around.until(UP_AGAIN_MS)
        async with around.up(settings):
            report = await around.reconcile()
            await around.until(UP_AGAIN_MS + 2 * MINUTE_MS)
            await around.reconcile()
            await around.until(JUDGED_MS)
        logged = around.logged()
    assert report.whole
    assert report.missing == report.taken_in == report.unanswered > 0
    assert sorted(logged) == sorted(stored_ids(sqlite_url)) == sorted(one.event.id for one in events)
    assert [] == list(differences(concluded(sqlite_url), concluded(calm_url)))
