"""Two processes on one SQLite file."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.faults.asking import deliver, event
from tests.served import PATIENCE_S, SERVE, Served, served, wait
from tests.test_kill import ask, is_settled


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Served]:
    """One that serves, and has taken in a delivery."""
    folder = tmp_path / "first"
    folder.mkdir()
    with served(folder, {}) as started:
        assert 204 == deliver(started, event(1)).status
        wait(lambda: is_settled(started.data_dir))
        yield started


def begin(settings: Mapping[str, str], folder: Path) -> "subprocess.Popen[str]":
    """Another one, in a folder of its own."""
    folder.mkdir()
    environment = {"PATH": os.environ["PATH"], "RECEIVER_PORT": "0", **settings}
    return subprocess.Popen(SERVE, env=environment, cwd=folder, stderr=subprocess.PIPE, text=True)


def found(folder: Path) -> Mapping[str, int]:
    """The files in it, and which they are."""
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


def test_a_second_process_is_refused_and_leaves_nothing(process: Served, tmp_path: Path) -> None:
    """Though it knows the file by another name, it says so in one line, and the first goes on, with its files as they
    were. Once the first was killed, the next one has the file at once."""
    (tmp_path / "link.db").symlink_to(process.data_dir / "receiver.sqlite3")
    before = found(process.data_dir)
    link = {"RECEIVER_DATA_DIR": str(tmp_path / "own"), "RECEIVER_DATABASE_URL": f"sqlite:///{tmp_path}/link.db"}
    other = begin(link, tmp_path / "second")
    _, said = other.communicate(timeout=PATIENCE_S)
    assert (2, 1) == (other.returncode, said.count("\n"))
    assert said.startswith("receiver: Another receiver is already serving this SQLite database.")
    assert before == found(process.data_dir)
    assert 204 == deliver(process, event(2)).status
    process.process.kill()
    process.process.wait()
    with served(process.folder, {}) as again:
        wait(lambda: is_settled(again.data_dir))
        assert {event(1).id, event(2).id} == {*ask(again.data_dir, "SELECT id FROM signals")}
