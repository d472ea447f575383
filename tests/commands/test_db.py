"""`receiver db`, while no service runs."""

import json
from pathlib import Path
from stat import S_IMODE

import pytest

from receiver.cli import main


def test_a_database_is_made_and_stays(at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For its owner only; a second time there is nothing to do; commands find it."""
    assert [0, 0] == [main(["db", "upgrade"]), main(["db", "upgrade", "--json"])]
    first, rest = capsys.readouterr().out.split("\n", 1)
    assert ("The database is up to date.", {"up_to_date": True}) == (first, json.loads(rest))
    assert (0o700, 0o600) == (S_IMODE(at_home.stat().st_mode), S_IMODE((at_home / "receiver.sqlite3").stat().st_mode))
    assert [0, 0] == [main(["diagnoses"]), main(["quarantine", "list"])]


def test_a_directory_that_cannot_be_is_told(
    at_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, exit code 2."""
    at_home.touch()
    monkeypatch.setenv("RECEIVER_DATA_DIR", str(at_home / "deeper"))
    assert 2 == main(["db", "upgrade"])
    assert "RECEIVER_DATA_DIR" in capsys.readouterr().err
