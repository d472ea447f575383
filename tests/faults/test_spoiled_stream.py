"""A rule that fails for one stream, for what is stored of it: that stream is marked, shown and tried again; all others
go on; its events are safe."""

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from receiver.clock import ManualClock
from receiver.diagnoser.streams import RETRY_AFTER_MS
from receiver.intake import route
from receiver.livepeer.envelope import read_envelope
from receiver.simulation.scenes import MINUTE, SECOND, finish_recording, go_live, progress, queue_recording
from receiver.simulation.sender import Event, Studio
from tests.running import Log, Running, configured, logged, running
from tests.sender import T0_MS

SPOILED = ("'{\"stream_id\":'", "''", "'[]'", "CAST(x'ff00fe' AS TEXT)", "x'ff'")
"""What a hand or a disk may leave in the place of a state, as SQLite writes it."""


def studios() -> Sequence[Studio]:
    """Three streams."""
    return [Studio(T0_MS, Random(f"spoiled {number}")) for number in range(3)]  # noqa: S311 -- ids of a fiction


def failing(of: Studio) -> Sequence[Event]:
    """A recording that fails."""
    failed = {"errorMessage": "no video track found"}
    return [
        *go_live(of),
        of.idle(20 * SECOND),
        *queue_recording(of, 91 * SECOND, 20 * SECOND),
        *progress(of, 95 * SECOND, 0.5),
        of.task_changed("task.failed", 99 * SECOND, "failed", **failed),
        of.asset_changed("asset.failed", 99 * SECOND + 44, "failed", **failed),
    ]


def ready(of: Studio) -> Sequence[Event]:
    """A recording that is made."""
    return [
        *go_live(of), of.idle(20 * SECOND), *queue_recording(of, 91 * SECOND, 20 * SECOND),
        *finish_recording(of, 99 * SECOND),
    ]  # fmt: skip


def spoil(file: Path, stream_id: str, folded: str) -> None:
    """Write into a stream's row what our own code would never write."""
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute(f"UPDATE subjects SET folded = {folded} WHERE kind = 'stream' AND id = ?", [stream_id])  # noqa: S608


async def tell(service: Running, events: Sequence[Event]) -> None:
    """Deliver these, and look at them."""
    assert {204} == {*await service.deliver(*events)}
    await service.service.settle()


async def shown(service: Running, of: Studio) -> dict[str, Any]:
    """What a stream shows, without what depends on when it was concluded."""
    found = await service.get(f"/v1/streams/{of.stream.id}")
    for diagnosis in found["diagnoses"]:
        for name in ("id", "opened_at", "updated_at"):
            diagnosis.pop(name)
    return found


async def faults(service: Running) -> int:
    """How many subjects `/readyz` says cannot be judged."""
    return int((await service.ask("/readyz", token=None))[1]["diagnoser"]["faults"])


def stands_last(events: Sequence[Event]) -> bool:
    """Whether the last of them stands behind the others. One that does not makes so short a stream be folded from its
    log, whatever is stored of it."""
    *before, last = [route(read_envelope(event.body("wh-1", T0_MS))).position for event in events]
    return last > max(before)


async def story(service: Running, file: Path, moment: int | None, folded: str, log: Log) -> list[dict[str, Any]]:
    """All that is shown in the end, the stored state of the first stream having been spoiled after so many of its
    events."""
    first, second, third = studios()
    events, others = failing(first), [failing(second), ready(third)]
    await tell(service, events[:moment])
    if moment is not None:
        spoil(file, first.stream.id, folded)
        await tell(service, events[moment : moment + 1])
        marked = await service.get(f"/v1/streams/{first.stream.id}")
        failed = [first.stream.id] if stands_last(events[: moment + 1]) else []
        assert bool(failed) == (marked["fault"] is not None)
        assert (len(failed), failed) == (await faults(service), [x["stream_id"] for x in log.of("diagnoser.fault")])
        await tell(service, events[moment + 1 :])
    for told in others:
        await tell(service, told)
    for number, of in enumerate((second, third)):
        found = await shown(service, of)
        assert (1 - number, None) == (len(found["diagnoses"]), found["fault"])
    await service.pass_time(RETRY_AFTER_MS + MINUTE)
    assert 0 == await faults(service)
    return [await shown(service, of) for of in (first, second, third)]


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, list[dict[str, Any]]]:
    """What is shown in the end where nothing is spoiled, once that is known."""
    return {}


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moment=st.integers(1, 10), folded=st.sampled_from(SPOILED))
@example(moment=7, folded=SPOILED[0])
async def test_one_spoiled_stream_stops_no_other_and_comes_right(
    moment: int, folded: str, migrated_file: Path, tmp_path_factory: pytest.TempPathFactory, undisturbed: dict[str, Any]
) -> None:
    """Whatever its state was replaced by, and after whichever of its events."""
    for at in (None, moment) if "all" not in undisturbed else (moment,):
        file = Path(shutil.copy(migrated_file, tmp_path_factory.mktemp("spoiled") / "receiver.db"))
        clock = ManualClock(T0_MS + 2 * MINUTE)
        with logged(clock) as log:
            async with running(configured(f"sqlite:///{file}", file.parent), clock, attended=True) as service:
                found = await story(service, file, at, folded, log)
                ids = [line["notice_id"] for line in log.lines if "notice_id" in line]
        assert len({*ids}) == len(ids)
        assert undisturbed.setdefault("all", found) == found
