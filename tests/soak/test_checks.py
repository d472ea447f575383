"""That the checks of a soak find what they are for: each is shown a store that is whole, and one that was spoiled."""

import asyncio
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from receiver.clock import ManualClock, SystemClock
from receiver.ids import public_id
from receiver.simulation.sender import attempt
from tests.running import SECRET, Running, configured, logged, running
from tests.soak import conclusions, notices, receipts
from tests.soak.ledger import Entry, Ledger
from tests.soak.lives import KINDS, Life, errands, lives
from tests.soak.operating import Act, Operator
from tests.soak.sending import Outside
from tests.soak.soaking import LIMITS
from tests.soak.stored import Row, Stored


@dataclass(frozen=True)
class Whole:
    """What a small soak that nothing disturbed leaves behind."""

    told: list[Life]
    ledger: Ledger
    stored: Stored
    lines: list[dict[str, Any]]

    def found(self, stored: Stored, lines: Sequence[dict[str, Any]]) -> set[str]:
        """The checks, by name, that find something wrong with such a store and such logs."""
        checks: dict[str, Iterable[str]] = {
            "lost": receipts.lost(self.ledger, stored),
            "doubled": receipts.doubled(self.ledger, stored),
            "miscounted": receipts.miscounted(self.ledger, stored),
            "turned_away": receipts.turned_away(self.ledger, stored),
            "told_twice": notices.told_twice(stored),
            "opened_twice": notices.opened_twice(stored),
            "logged_wrongly": notices.logged_wrongly(lines, stored),
            "untold": conclusions.untold(self.told, stored),
            "differences": conclusions.differences(
                conclusions.conclusions(stored), conclusions.conclusions(self.stored)
            ),
        }
        return {name for name, found in checks.items() if list(found)}


@pytest.fixture(scope="module")
def whole(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """One life of each kind, told in order, looked at, and looked at again half an hour later."""
    folder = tmp_path_factory.mktemp("whole")
    return asyncio.run(lived(f"sqlite:///{shutil.copy(migrated_file, folder / 'receiver.db')}", folder))


async def lived(url: str, folder: Path) -> Whole:
    """All of it in one service."""
    clock, ledger = ManualClock(SystemClock().now_ms()), Ledger()
    told = lives(len(KINDS), clock.now_ms(), 3000, Random(5))  # noqa: S311 -- ids of a fiction
    ledger.open(errands(told))
    with logged(clock) as log:
        async with running(configured(url, folder, **LIMITS), clock, attended=True) as service:
            for entry in ledger.entries.values():
                await give(service, entry)
            await service.service.settle()
            await service.pass_time(30 * 60_000)
        return Whole(told, ledger, Stored.read(url), log.lines)


async def give(service: Running, entry: Entry) -> None:
    """One attempt, which is acknowledged."""
    at_ms, errand = entry.try_at(service.service.clock.now_ms()), entry.errand
    if errand.event is None:
        entry.named.add((await service.report(**errand.report))["id"])
    else:
        status, _ = await service.post(attempt(errand.event, errand.webhook_id, SECRET, at_ms))
        assert 204 == status
    entry.acknowledged_ms.append(at_ms)


def without(rows: list[Row], of: Callable[[Row], bool]) -> list[Row]:
    """All but the first such row."""
    first = next(row for row in rows if of(row))
    return [row for row in rows if row is not first]


def again(rows: list[Row], of: Callable[[Row], bool], **other: object) -> list[Row]:
    """All, and the first such row once more under an id of its own."""
    first = next(row for row in rows if of(row))
    return [*rows, {**first, "seq": max(row["seq"] for row in rows) + 1, **other}]


def is_event(row: Row) -> bool:
    """Whether a signal came as an event."""
    return bool(row["source"] == "webhook")


def is_report(row: Row) -> bool:
    """Whether a signal was reported."""
    return bool(row["source"] == "observation")


def of_kind(kind: str) -> Callable[[Row], bool]:
    """Whether a notice is of this kind."""
    return lambda row: bool(row["kind"] == kind)


def anything(_row: Row) -> bool:
    """Any row."""
    return True


SPOILED: dict[str, tuple[set[str], Callable[[Stored], Stored]]] = {
    "an event is gone": ({"lost", "miscounted"}, lambda s: replace(s, signals=without(s.signals, is_event))),
    "a report is gone": ({"lost"}, lambda s: replace(s, signals=without(s.signals, is_report))),
    "a body is gone": ({"lost"}, lambda s: replace(s, bodies={})),
    "an event is there twice": ({"doubled", "miscounted"}, lambda s: replace(s, signals=again(s.signals, is_event))),
    "a report is there twice": ({"doubled"}, lambda s: replace(s, signals=again(s.signals, is_report))),
    "nobody sent it": ({"doubled"}, lambda s: replace(s, signals=again(s.signals, is_event, id="another"))),
    "an attempt counts twice": ({"miscounted"}, lambda s: replace(s, deliveries=again(s.deliveries, anything))),
    "an attempt does not count": ({"miscounted"}, lambda s: replace(s, deliveries=without(s.deliveries, anything))),
    "a delivery was refused": (
        {"turned_away"},
        lambda s: replace(s, deliveries=again(s.deliveries, anything, verdict="refused")),
    ),
    "an opening is told twice": (
        {"told_twice", "logged_wrongly"},
        lambda s: replace(s, notices=again(s.notices, of_kind("diagnosis.opened"))),
    ),
    "a stream's change is told twice": (
        {"told_twice", "logged_wrongly"},
        lambda s: replace(s, notices=again(s.notices, of_kind("stream.state_changed"))),
    ),
    "a recording's change is told twice": (
        {"told_twice", "logged_wrongly"},
        lambda s: replace(s, notices=again(s.notices, of_kind("recording.state_changed"))),
    ),
    "a transition is made twice": ({"told_twice"}, lambda s: replace(s, transitions=again(s.transitions, anything))),
    "a notice is gone": (
        {"told_twice", "logged_wrongly"},
        lambda s: replace(s, notices=without(s.notices, of_kind("diagnosis.opened"))),
    ),
    "a failure has two diagnoses": (
        {"told_twice", "opened_twice"},
        lambda s: replace(s, diagnoses=again(s.diagnoses, anything, id="dg_another")),
    ),
    "a failure was not diagnosed": ({"untold"}, lambda s: replace(s, diagnoses=s.diagnoses[1:])),
    "a state is another": (
        {"told_twice", "differences"},
        lambda s: replace(s, subjects=[{**row, "state": "lost"} for row in s.subjects]),
    ),
}


def test_the_checks_find_nothing_wrong_with_what_is_whole(whole: Whole) -> None:
    """Nothing was lost, doubled or told wrongly, and of each life that was diagnosed which happened in it."""
    assert set() == whole.found(whole.stored, whole.lines)


@pytest.mark.parametrize("spoiling", SPOILED)
def test_the_checks_find_what_was_spoiled(whole: Whole, spoiling: str) -> None:
    """Each kind of damage is found by the checks that are for it."""
    expected, spoil = SPOILED[spoiling]
    assert expected <= whole.found(spoil(whole.stored), whole.lines)


def test_the_checks_find_what_was_logged_wrongly(whole: Whole) -> None:
    """A notice may be told again as it was; not otherwise, nor may one be left out, nor an event be accepted twice."""
    told = next(line for line in whole.lines if "notice_id" in line)
    accepted = next(line for line in whole.lines if line["event"] == "webhook.accepted")
    assert set() == whole.found(whole.stored, [*whole.lines, {**told, "timestamp": "later"}])
    for wrong in (
        [*whole.lines, {**told, "stream_id": "another"}],
        [*whole.lines, {**told, "notice_id": public_id("nt", 1)}],
        [line for line in whole.lines if line is not told],
        [*whole.lines, accepted],
    ):
        assert {"logged_wrongly"} == whole.found(whole.stored, wrong)


async def having_done(acts: dict[str, tuple[Act, ...]]) -> Operator:
    """A caller who was told that this is done."""
    outside = Outside.calling([], Random(1))  # noqa: S311 -- never used
    await outside.http.close()
    return Operator(outside, done=acts)


def test_the_checks_find_acts_that_were_not_carried_out(whole: Whole) -> None:
    """An act that was answered with 2xx stands among the transitions, once."""
    diagnosis_id = whole.stored.diagnoses[0]["id"]
    operator = asyncio.run(having_done({diagnosis_id: ("acknowledge",)}))
    cause = "Acknowledged by somebody."
    once = replace(
        whole.stored, transitions=again(whole.stored.transitions, anything, diagnosis_id=diagnosis_id, cause=cause)
    )
    twice = replace(once, transitions=again(once.transitions, lambda row: row["cause"] == cause))
    assert [False, True, False] == [
        not list(notices.carried_out_wrongly(operator, stored)) for stored in (whole.stored, once, twice)
    ]
