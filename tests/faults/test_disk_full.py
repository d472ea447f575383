"""P1, P2, P6: a disk that is full, and has room again."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

from receiver.clock import ManualClock
from receiver.errors import StoreUnavailable
from receiver.simulation.scenes import MINUTE, SECOND
from receiver.simulation.sender import Event, Studio
from tests.engines import sqlite_only
from tests.faults.asking import Answer, ask, deliver, event, is_ready, report, told
from tests.faults.room import full, limit
from tests.running import Running, configured, logged, running
from tests.sender import T0_MS
from tests.served import Served, served, wait
from tests.test_kill import Sender, errands, findings, folder, is_settled, kept, once, settings, undisturbed
from tests.test_kill import ask as select

UNCOMPILED = {"PYTHONDONTWRITEBYTECODE": "1"}
"""The interpreter would keep compiled modules that were cut off."""
SQUEEZES = 8
LAUNCH = (
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2);"
    " os.execv(sys.executable, [sys.executable, '-m', 'receiver', 'serve'])"
)
LARGE = 600_000
ROOM = 300_000


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A process that has taken in a delivery, for all that leave it with room."""
    with served(tmp_path_factory.mktemp("full"), UNCOMPILED) as started:
        assert 204 == deliver(started, event(1)).status
        wait(lambda: "webhook.accepted" in started.out)
        yield started


def refused(answer: Answer) -> bool:
    """Whether it says that the store cannot be used, and when to come again."""
    return (503, "5", "store_unavailable") == (answer.status, answer.retry_after, answer.body["code"])


@contextmanager
def without_room(process: Served, room: int = 0) -> Iterator[None]:
    """Its disk has no more room than so many bytes for the log of its database."""
    with full(process.process.pid, process.data_dir / "receiver.sqlite3", room):
        yield


def test_a_full_disk_is_told_everywhere(process: Served) -> None:
    """P2: whatever would write is answered 503 with `Retry-After`, `/readyz` and the log tell why, and what only reads
    goes on."""
    with without_room(process):
        assert refused(deliver(process, event(2)))
        assert refused(report(process, kind="publish_intent", stream_id="7c1ea8c3"))
        assert not is_ready(process)
        assert "inbox" in told(process, "store.unavailable")
        assert [200, 200] == [ask(process, path).status for path in ("/healthz", "/v1/streams")]


def test_room_given_back_makes_it_go_on(process: Served) -> None:
    """Without a restart, and though no delivery comes: what could not be stored is tried again. The log tells the end
    of what it told of."""
    with without_room(process):
        assert refused(deliver(process, event(2)))
        wait(lambda: "heartbeat" in told(process, "store.unavailable"))
    wait(lambda: is_ready(process))
    assert {*told(process, "store.unavailable")} == {*told(process, "store.recovered")}
    assert 204 == deliver(process, event(2)).status


def test_the_log_goes_on_with_whole_lines(process: Served) -> None:
    """What it could not say while its disk, too, was full is lost, and nothing else."""
    limit(process.process.pid, 0)
    assert {503} == {deliver(process, event(number)).status for number in range(3, 60)}
    limit(process.process.pid, None)
    wait(lambda: is_ready(process))
    last = event(60)
    assert 204 == deliver(process, last).status
    wait(lambda: last.id in [line.get("event_id") for line in process.lines])


def test_stopping_on_a_full_disk_is_no_failure(process: Served) -> None:
    """It ends in order, and all that was acknowledged is there. (Keep this test the last that uses it.)"""
    acknowledged = select(process.data_dir, "SELECT count(*) FROM bodies")
    with without_room(process):
        assert refused(deliver(process, event(61)))
        assert 0 == process.stop()
    assert acknowledged == select(process.data_dir, "SELECT count(*) FROM signals")


async def test_nothing_acknowledged_is_lost_to_any_lack_of_room(tmp_path: Path) -> None:
    """P1: however little room is left at the moment, in a burst, time and again: in the end all is there once, and the
    diagnoses are those of a run without such."""
    random = Random(5)  # noqa: S311 -- ids of a fiction, and moments
    work = errands(random, 15)
    sender, data = Sender(list(work)), folder(tmp_path / "data")
    with served(tmp_path, {**settings(data), **UNCOMPILED}) as process:
        for _ in range(SQUEEZES):
            with without_room(process, random.choice((0, 1, random.randrange(100_000)))):
                await sender.send(process.url, len(work) // SQUEEZES)
            await sender.send(process.url, len(work) // SQUEEZES // 2)
        assert sender.answers[503] > SQUEEZES
        while sender.waiting:
            await sender.send(process.url, len(sender.waiting))
        wait(lambda: is_settled(data))
        assert 0 == process.stop()
    assert once(work) == kept(data)
    assert findings(await undisturbed(folder(tmp_path / "undisturbed"), work)) == findings(data)


def start_within(size: int, data: Path) -> "subprocess.CompletedProcess[str]":
    """A start that ends by itself, because no file may grow beyond that size."""
    environment = {"RECEIVER_PORT": "0", "RECEIVER_DATA_DIR": str(data), **UNCOMPILED}
    command = [sys.executable, "-c", LAUNCH, str(size)]
    return subprocess.run(command, env=environment, cwd=data.parent, capture_output=True, text=True, check=False)


def test_a_first_start_without_room_is_refused(tmp_path: Path) -> None:
    """One line and the exit code say what is wrong, where there is room for half of the schema; once there is enough,
    the same folder serves."""
    data = tmp_path / "data"
    ended = start_within(200_000, data)
    said = f"The database {data}/receiver.sqlite3 cannot be read or written: disk I/O error. Look after its disk."
    assert (3, "", f"receiver: {said}\n") == (ended.returncode, ended.stdout, ended.stderr)
    with served(tmp_path, UNCOMPILED) as process:
        assert 204 == deliver(process, event(1)).status


@dataclass
class Silent(Served):
    """A process whose log goes nowhere; it listens where it was told to."""

    port: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def silent(folder: Path) -> Iterator[Silent]:
    """A process whose log has no room from the beginning."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    environment = {"RECEIVER_PORT": str(port), "RECEIVER_DATA_DIR": str(folder / "data")}
    with Path("/dev/full").open("wb") as full, (folder / "err").open("wb") as err:
        command = [sys.executable, "-m", "receiver", "serve"]
        process = Silent(subprocess.Popen(command, stdout=full, stderr=err, cwd=folder, env=environment), folder, port)
    try:
        wait(lambda: process.url in process.introduction)
        yield process
    finally:
        process.process.kill()
        process.process.wait()


def test_a_log_without_room_stops_nothing(tmp_path: Path) -> None:
    """Deliveries are taken in and looked at, and stopping is no failure."""
    with silent(tmp_path) as process:
        assert 204 == deliver(process, event(1)).status
        wait(lambda: ask(process, "/v1/streams").body["items"])
        assert 0 == process.stop()


@sqlite_only
async def test_time_in_which_deliveries_are_refused_is_no_coverage(database_url: str, tmp_path: Path) -> None:
    """P6: though there is room for a heartbeat and not for the delivery, silence means nothing meanwhile: the sender's
    next attempt is awaited, and refutes what would have been concluded."""
    clock, studio = ManualClock(T0_MS), Studio(T0_MS, Random(7))  # noqa: S311 -- ids of a fiction
    with logged(clock):
        async with running(configured(database_url, tmp_path), clock, attended=True) as service:
            await service.report(kind="publish_intent", stream_id=studio.stream.id)
            with full(0, tmp_path / "receiver.db", ROOM):
                clock.advance(5 * SECOND)
                assert [503] == await service.deliver(large(studio))
                await pass_time(service, 10 * MINUTE)
            await service.pass_time(9 * MINUTE)
            assert [] == await service.diagnosed()
            assert [204] == await service.deliver(large(studio))
            await service.pass_time(10 * MINUTE)
            assert [] == await service.diagnosed()


def large(studio: Studio) -> Event:
    """The start of the stream, in a body for which there is no room."""
    return replace(studio.started(5 * SECOND), payload={"more": "x" * LARGE})


async def pass_time(service: Running, ms: int) -> None:
    """Time passes, as the store allows."""
    for _ in range(ms // (10 * SECOND)):
        with suppress(StoreUnavailable):
            await service.pass_time(10 * SECOND)
