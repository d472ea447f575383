"""P2: a database that may not be written to, at the start and from some moment on."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.commands.stores import prepared
from tests.faults.asking import Answer, ask, deliver, event, is_ready, told
from tests.faults.room import full
from tests.served import PATIENCE_S, SERVE, Served, served, wait
from tests.test_kill import is_settled

AS_ORDINARY = (sys.executable, Path(__file__).with_name("ordinary.py"))
UNCOMPILED = {"PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A process whose user the rights of files bind."""
    with served(tmp_path_factory.mktemp("read-only"), UNCOMPILED, [*AS_ORDINARY, *SERVE]) as started:
        assert 204 == deliver(started, event(1)).status
        wait(lambda: "stream.state_changed" in started.out)
        yield started


@contextmanager
def read_only_disk(process: Served) -> Iterator[None]:
    """What is open for writing, too, cannot be written to, as on a disk that was mounted anew for reading only: nothing
    more goes into the log of its database; the log of the process is on another disk."""
    with full(process.process.pid, process.data_dir / "receiver.sqlite3"):
        yield


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    """Its rights are these for a while."""
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


def refused(answer: Answer) -> bool:
    """Whether it says that the store cannot be used, and when to come again."""
    return (503, "5", "store_unavailable") == (answer.status, answer.retry_after, answer.body["code"])


def test_an_open_file_keeps_its_rights(process: Served) -> None:
    """What was opened before they were taken away is written to, and is as durable."""
    with mode(process.data_dir / "receiver.sqlite3", 0o400):
        assert 204 == deliver(process, event(2)).status
        assert is_ready(process)


def test_a_disk_that_turns_read_only_is_told_until_it_is_not(process: Served) -> None:
    """P2: what is open cannot be written to, nor what is opened again; once it can, all goes on by itself, with all
    that was acknowledged. What only reads is answered meanwhile."""
    with read_only_disk(process), mode(process.data_dir, 0o500), mode(process.data_dir / "receiver.sqlite3", 0o400):
        assert refused(deliver(process, event(3)))
        assert not is_ready(process)
        assert 200 == ask(process, "/v1/streams").status
    assert_recovers(process, 3)


def assert_recovers(process: Served, number: int) -> None:
    """It is ready without a restart, and knows of that many streams once the last is delivered."""
    wait(lambda: is_ready(process))
    assert {*told(process, "store.unavailable")} == {*told(process, "store.recovered")}
    assert 204 == deliver(process, event(number)).status
    wait(lambda: number == len(ask(process, "/v1/streams").body.get("items", ())))


def put_in_its_place(file: Path) -> None:
    """A backup of the database, which may not be written to, takes its place."""
    backup = file.with_name("backup")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    backup.chmod(0o400)
    for left in ("-wal", "-shm"):
        file.with_name(f"{file.name}{left}").unlink()
    backup.replace(file)


def test_a_file_put_in_its_place_read_only_is_told_until_it_is_not(process: Served) -> None:
    """P2: nothing is committed to the old file; the new one is used once it can be. A notice that cannot be marked as
    told is told once all the same."""
    file = process.data_dir / "receiver.sqlite3"
    wait(lambda: told_of(process) == 3 and is_settled(process.data_dir))
    put_in_its_place(file)
    assert refused(deliver(process, event(4)))
    assert refused(deliver(process, event(4)))
    wait(lambda: "attempt to write a readonly database" in process.out)
    assert not is_ready(process)
    for beside in file.parent.glob(f"{file.name}*"):
        beside.chmod(0o600)
    assert_recovers(process, 4)
    wait(lambda: told_of(process) == 4)


def told_of(process: Served) -> int:
    """How many notices of streams were told; none is told twice."""
    notices = [line["notice_id"] for line in process.lines if line["event"] == "stream.state_changed"]
    assert sorted({*notices}) == sorted(notices)
    return len(notices)


def begin(data: Path, command: str) -> "subprocess.Popen[str]":
    """A command that ends by itself, of somebody whom the rights of files bind."""
    environment = {"PATH": os.environ["PATH"], "RECEIVER_PORT": "0", "RECEIVER_DATA_DIR": str(data)}
    full: list[str | Path] = [*AS_ORDINARY, sys.executable, "-m", "receiver", command]
    return subprocess.Popen(full, env=environment, cwd=data.parent, stderr=subprocess.PIPE, text=True)


READ_ONLY = "The database {} cannot be written to: attempt to write a readonly database. Give the user of this process"
CASES: Sequence[tuple[int, int, str, int, str]] = (
    (0o400, 0o700, "serve", 3, READ_ONLY),
    (0o400, 0o700, "diagnoses", 0, ""),
)
"""The rights to the file and to its folder, a command, its exit code, and what it says."""


def test_a_start_on_what_may_not_be_written_is_refused(tmp_path: Path, migrated_file: Path) -> None:
    """One line names the file or its folder, and what to do; what only reads needs no right to write."""
    running = []
    for number, (file_bits, folder_bits, command, code, said) in enumerate(CASES):
        data = tmp_path / str(number)
        prepared(data, migrated_file)
        (data / "receiver.sqlite3").chmod(file_bits)
        data.chmod(folder_bits)
        running.append((begin(data, command), code, said.format(data / "receiver.sqlite3")))
    for process, code, said in running:
        _, printed = process.communicate(timeout=PATIENCE_S)
        assert code == process.returncode, printed
        assert printed.removeprefix("receiver: ").startswith(said)
        assert printed.count("\n") == (1 if said else 0)
