"""`receiver replay`, while no service runs."""

import json
from pathlib import Path

import pytest

from receiver.cli import main
from receiver.clock import ManualClock
from tests.commands.stores import ANOTHER, fill, others, prepared
from tests.running import configured, running
from tests.sender import T0_MS


async def test_the_same_log_gives_the_same_answer(
    at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """P5: exit code 0, as text and as JSON; again and again."""
    await fill(prepared(at_home, migrated_file), at_home)
    assert [0, 0] == [main(["replay"]), main(["replay", "--json"])]
    text, rest = capsys.readouterr().out.split("\n", 1)
    subjects = json.loads(rest)["subjects"]
    assert f"Rebuilt {subjects} subjects from the log; 0 came out differently." == text
    assert {"subjects": subjects, "differing": 0} == json.loads(rest)
    assert subjects >= 4


async def test_one_subject_is_told_as_one(
    at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Our endpoint, of which a refused delivery tells, and nothing else."""
    settings = configured(prepared(at_home, migrated_file), at_home)
    async with running(settings, ManualClock(T0_MS), attended=True) as service:
        await service.deliver(*others(1), secret=ANOTHER)
        await service.service.settle()
    assert 0 == main(["replay"])
    assert "Rebuilt 1 subject from the log; 0 came out differently.\n" == capsys.readouterr().out


async def test_other_settings_give_another_answer(
    at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what no longer waits for time, exit code 1 tells; the store then holds the new answer."""
    await fill(prepared(at_home, migrated_file), at_home)
    main(["replay"])
    capsys.readouterr()
    monkeypatch.setenv("RECEIVER_RECORDING_QUEUED_WITHIN_S", "1200")
    assert [1, 0] == [main(["replay"]), main(["replay"])]
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("; 2 came out differently.")
    assert second.endswith("; 0 came out differently.")
