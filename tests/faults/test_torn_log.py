"""P1: the end of the database's write-ahead log is damaged in a crash, or a part of it that was committed."""

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from stat import S_IMODE
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.storage.schema import migrate
from receiver.storage.wal import broken_log
from tests.faults.asking import deliver, event
from tests.served import served, wait
from tests.test_kill import ask as select
from tests.test_kill import is_settled

COUNT = 16
FRAME = 24 + 8192
FILE = "receiver.sqlite3"


@dataclass(frozen=True)
class Killed:
    """What a process left that was killed: its folder, and how long its log was when each delivery was answered."""

    folder: Path
    lengths: Sequence[int]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """A process that was killed after so many deliveries. Somebody read since before it began, so nothing of the log
    was moved, and it only grew; he would take it away with him, so what was left is copied first."""
    lengths, torn, left = [], tmp_path_factory.mktemp("torn"), tmp_path_factory.mktemp("left")
    (torn / "data").mkdir()
    migrate(f"sqlite:///{torn / 'data' / FILE}")
    with closing(sqlite3.connect(torn / "data" / FILE, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM signals").fetchone()
        with served(torn, {}) as process:
            for number in range(COUNT):
                assert 204 == deliver(process, event(number)).status
                lengths.append((process.data_dir / f"{FILE}-wal").stat().st_size)
            process.process.kill()
            process.process.wait()
            shutil.copytree(torn, left, dirs_exist_ok=True)
    assert sorted({*lengths}) == lengths
    return Killed(left, lengths)


@dataclass(frozen=True)
class Damage:
    """From a byte of the log on, so many are others than they were; or none are left."""

    at: int
    count: int | None

    def do(self, log: Path) -> None:
        """Damage it so."""
        content = log.read_bytes()
        if self.count is None:
            log.write_bytes(content[: self.at])
            return
        hit = bytes(byte ^ 0x55 for byte in content[self.at : self.at + self.count])
        more = b"\x55" * (self.count - len(hit))
        log.write_bytes(content[: self.at] + hit + content[self.at + self.count :] + more)


def ids(file: Path) -> set[str]:
    """The events that a database has, filed or not."""
    with closing(sqlite3.connect(file)) as database:
        assert [("ok",)] == database.execute("PRAGMA integrity_check").fetchall()
        filed = {str(row[0]) for row in database.execute("SELECT id FROM signals")}
        bodies = database.execute("SELECT body FROM inbox JOIN bodies USING (seq)")
        return filed | {str(json.loads(body)["id"]) for (body,) in bodies}


@settings(max_examples=40)
@given(data=st.data())
def test_what_was_acknowledged_before_any_damage_is_there(killed: Killed, data: st.DataObject) -> None:
    """P1: whatever the damage, and wherever it begins, every event is there that was acknowledged when the log was no
    longer than that; nothing else than what was sent is. Where commits stand behind the damage, that is told and the
    log is kept as it was; a torn end is none."""
    end = (killed.folder / "data" / f"{FILE}-wal").stat().st_size
    damage = Damage(data.draw(st.integers(0, end)), data.draw(st.none() | st.integers(1, 2 * FRAME)))
    with TemporaryDirectory() as folder:
        file, log = Path(folder) / FILE, Path(folder) / f"{FILE}-wal"
        for name in (FILE, f"{FILE}-wal"):
            shutil.copy(killed.folder / "data" / name, folder)
        damage.do(log)
        damaged = log.read_bytes()
        found = broken_log(file)
        migrate(f"sqlite:///{file}")
        there = ids(file)
        assert found is None or found.kept.read_bytes() == damaged
    sent = [event(number).id for number in range(COUNT)]
    assert {*sent} >= there >= {id_ for id_, length in zip(sent, killed.lengths, strict=True) if length <= damage.at}
    if damage.count is None or damage.at == end:
        assert found is None
    elif damage.at + damage.count <= killed.lengths[-2]:
        assert found is not None


def test_a_torn_end_costs_nothing_that_was_acknowledged(killed: Killed, tmp_path: Path) -> None:
    """The next start says nothing of it and goes on: a delivery that is made again is there once."""
    data = tmp_path / "data"
    shutil.copytree(killed.folder / "data", data)
    Damage(killed.lengths[-1], FRAME // 2).do(data / f"{FILE}-wal")
    with served(tmp_path, {}) as process:
        assert [] == [line for line in process.lines if line["event"] == "service.warning"]
        wait(lambda: is_settled(data))
        assert [204] * 2 == [deliver(process, event(number)).status for number in (0, COUNT)]
        wait(lambda: is_settled(data))
        assert 0 == process.stop()
    assert Counter(event(number).id for number in range(COUNT + 1)) == Counter(select(data, "SELECT id FROM signals"))


def test_damage_in_what_was_committed_is_told(killed: Killed, tmp_path: Path) -> None:
    """P1: the next start says what is lost, where what is left is kept, and what to do; done so, all is there once."""
    data = tmp_path / "data"
    shutil.copytree(killed.folder / "data", data)
    Damage(killed.lengths[2], 1).do(data / f"{FILE}-wal")
    with served(tmp_path, {}) as process:
        [warned] = [line["detail"] for line in process.lines if line["event"] == "service.warning"]
        [kept] = data.glob(f"{FILE}-wal.damaged-*")
        assert f"The write-ahead log of the database {data / FILE} is damaged: the last " in warned
        assert f"is kept as {kept}. Send again what came last" in warned
        assert f"  Warning: {warned}\n" in process.introduction
        assert 0o600 == S_IMODE(kept.stat().st_mode)
        assert {204} == {deliver(process, event(number)).status for number in range(COUNT)}
        wait(lambda: is_settled(data))
        assert 0 == process.stop()
    assert Counter(event(number).id for number in range(COUNT)) == Counter(select(data, "SELECT id FROM signals"))
