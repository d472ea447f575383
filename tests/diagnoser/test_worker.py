"""A process that concludes beside the one that serves: it changes no answer, and nobody needs it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from random import Random
from threading import Thread

import pytest

from receiver.diagnoser import Diagnoser, WorkerProcess, worker_process
from receiver.diagnoser.moment import Moment
from receiver.diagnoser.passing import Conclusions, Taken
from receiver.diagnoser.records import Record
from receiver.diagnoser.worker import READY, concluded, work
from receiver.diagnosis.values import Limits
from receiver.simulation.sender import Studio
from receiver.storage.arrival import Arrival
from receiver.storage.tables import PendingRow
from tests.diagnoser.tales import HOUR, START_MS
from tests.diagnoser.telling import told
from tests.diagnoser.test_faults import arrive_spoilt
from tests.diagnoser.world import World, pickled, world
from tests.running import Log, logged, until

ENOUGH = worker_process.WORTH_ASKING
PATIENCE_S = 0.9
LOST = "diagnoser.worker_lost"


@pytest.fixture
def apart(migrated_file: Path) -> Iterator[World]:
    """A world whose passes are concluded as the process would."""
    with world(migrated_file, START_MS - HOUR, apart=True, beside=True) as opened:
        yield opened


class Watched(WorkerProcess):
    """Tells how often it answered, and which process does."""

    answers = 0

    async def conclude(self, moment: Moment, taken: Taken) -> Conclusions | None:
        """Its answer."""
        found = await super().conclude(moment, taken)
        self.answers += found is not None
        return found

    async def answer(self, moment: Moment, taken: Taken) -> Conclusions:
        """The first that it gives, as soon as it has begun."""
        async with asyncio.timeout(20):
            while (found := await self.conclude(moment, taken)) is None:  # noqa: ASYNC110 -- it is asked each time
                await asyncio.sleep(0.005)
        return found

    @property
    def pid(self) -> int:
        """The id of the process that runs; none does, where it raises an AttributeError."""
        return self._child._process.pid  # type: ignore[union-attr]


@pytest.fixture
async def process(apart: World) -> AsyncIterator[Watched]:
    """Not started yet."""
    made = Watched(apart.url, PATIENCE_S)
    yield made
    await made.stop()


@pytest.fixture
def log() -> Iterator[Log]:
    """The log."""
    with logged() as lines:
        yield lines


def come(made: World, number: int = ENOUGH, first: int = 0) -> list[Arrival]:
    """So many streams start."""
    studios = [Studio(START_MS, Random(first + each)) for each in range(number)]  # noqa: S311 -- ids of a fiction
    return made.deliver(*(told(studio.started(0))[0] for studio in studios))


def asked(made: World, number: int = ENOUGH) -> tuple[Moment, Taken]:
    """What a pass asks when so much has come."""
    come(made, number)
    parts = made.parts()
    taken = made.database.write_now(parts.take, bears=False).taken
    return replace(parts.moment, ids=made.ids.block()), replace(taken, filed=())


def rows(conclusions: Conclusions) -> list[list[Record]]:
    """All that is to be written, without the ids that were given to it."""
    of = conclusions.outcome
    of_all = (of.new_subjects, of.known_subjects, of.begun, of.ended, of.checkpoints, of.notices, of.transitions)
    return [[{**row, "seq": None} for row in some] for some in of_all]


def is_gone(pid: int) -> bool:
    """Whether there is no such process any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_it_concludes_what_is_concluded_here(apart: World, process: Watched) -> None:
    """Row for row, under ids of the block that it was given."""
    moment, taken = asked(apart)
    theirs = await process.answer(moment, taken)
    parts = apart.parts()
    ours = concluded(apart.database, *pickled((replace(parts.moment, ids=apart.ids.block()), taken)))
    assert ours is not None
    assert len(theirs.outcome.new_subjects) >= ENOUGH
    assert rows(ours) == rows(theirs)
    after = apart.ids.next()
    assert all(moment.ids.next() <= row["seq"] < after for row in theirs.outcome.notices)


async def test_a_diagnoser_is_helped_and_ends_it(apart: World) -> None:
    """What comes is concluded here until the process has begun, then there; all of it as a rebuild would."""
    helper = Watched(apart.url)
    diagnoser = Diagnoser(apart.database, apart.ids, apart.clock, Limits())
    await diagnoser.start(helper)
    streams = 0
    async with asyncio.timeout(20):
        while helper.answers < 3:
            diagnoser.stored(come(apart, first=streams))
            streams += ENOUGH
            await until(lambda: not diagnoser._recent and not apart.rows(PendingRow))
    pid = helper.pid
    await diagnoser.stop()
    assert is_gone(pid)
    assert ["live"] * streams == [row["state"] for (kind, _), row in apart.subjects().items() if kind == "stream"]
    assert 0 == apart.rebuild().differing


async def test_little_is_concluded_here(apart: World, process: Watched) -> None:
    """A service that hears little has no second process."""
    assert await process.conclude(*asked(apart, ENOUGH - 1)) is None
    with pytest.raises(AttributeError):
        _ = process.pid


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGKILL, "it has ended"), (signal.SIGSTOP, "it does not answer in time")]
)
async def test_one_that_is_lost_is_left_alone_for_a_while(
    apart: World, process: Watched, log: Log, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, error: str
) -> None:
    """However it is: what it was asked is concluded here, and after so many passes another one begins."""
    monkeypatch.setattr(worker_process, "REST", 3)
    moment, taken = asked(apart)
    await process.answer(moment, taken)
    pid = process.pid
    os.kill(pid, number)
    assert await process.conclude(moment, taken) is None
    assert is_gone(pid)
    [line] = log.of(LOST)
    assert ("warning", error, -signal.SIGKILL, 3) == tuple(
        line[name] for name in ("level", "error", "exit_code", "passes_without")
    )
    for _ in range(3):
        assert await process.conclude(moment, taken) is None
        with pytest.raises(AttributeError):
            _ = process.pid
    await process.answer(moment, taken)
    assert pid != process.pid


async def test_one_that_is_lost_again_is_left_alone_for_longer(
    apart: World, process: Watched, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it cannot be started, for one; not for ever, and after an answer as at first."""
    monkeypatch.setattr(worker_process, "REST", 1)
    monkeypatch.setattr(worker_process, "_MOST_DOUBLED", 2)
    moment, taken = asked(apart)
    with monkeypatch.context() as broken:
        broken.setattr("sys.executable", "/nowhere/python")
        await until_lost(process, moment, taken, log, 4)
    await process.answer(moment, taken)
    os.kill(process.pid, signal.SIGKILL)
    await until_lost(process, moment, taken, log, 5)
    assert [1, 2, 4, 4, 1] == [line["passes_without"] for line in log.of(LOST)]


async def until_lost(process: Watched, moment: Moment, taken: Taken, log: Log, times: int) -> None:
    """It is asked until it was lost so often."""
    while len(log.of(LOST)) < times:
        assert await process.conclude(moment, taken) is None


async def test_one_that_ends_before_it_has_begun_is_lost(apart: World, process: Watched, log: Log) -> None:
    """As any other."""
    moment, taken = asked(apart)
    assert await process.conclude(moment, taken) is None
    os.kill(process.pid, signal.SIGKILL)
    await until_lost(process, moment, taken, log, 1)


async def test_it_ends_with_who_asks(apart: World) -> None:
    """However that ended: `kill -9` closes the pipe as well. It does not stop for what stops a service."""
    child = worker_process._Child(PATIENCE_S)
    child.begin(apart.url)
    await until(child.is_ready)
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(child._process.pid, number)
    assert child.ask(*asked(apart)) is not None
    child._pipe.close()
    await until(lambda: child._process.poll() is not None)
    assert 0 == child._process.returncode


def test_it_answers_until_nobody_asks(apart: World) -> None:
    """One question after another."""
    ours, theirs = Pipe()
    with ours:
        thread = Thread(target=work, args=(theirs,))
        thread.start()
        ours.send(apart.url)
        assert READY == ours.recv()
        for _ in range(2):
            moment, taken = asked(apart)
            ours.send((moment, taken))
            assert len(ours.recv().outcome.new_subjects) > 0
    thread.join()


def test_what_fails_there_is_concluded_and_told_here(apart: World, studio: Studio, log: Log) -> None:
    """An event that does not read: its stream is marked, and the others are looked at. What is told there goes nowhere;
    here, where both are one, the line stands twice."""
    others = come(apart, first=100)
    arrive_spoilt(apart, studio.started(0))
    assert [studio.stream.id] * 2 == [line["stream_id"] for line in log.of("diagnoser.fault")]
    found = {key: (row["state"], row["fault"] is None) for (_, key), row in apart.subjects().items()}
    assert not found[studio.stream.id][1]
    assert [("live", True)] * ENOUGH == [found[other.route.stream_id or ""] for other in others]


def test_what_cannot_be_read_there_is_read_here(apart: World) -> None:
    """The file is gone."""
    moment, taken = asked(apart)
    file = Path(apart.url.removeprefix("sqlite:///"))
    file.rename(file.with_suffix(".away"))
    assert concluded(apart.database, moment, taken) is None
    file.with_suffix(".away").rename(file)
