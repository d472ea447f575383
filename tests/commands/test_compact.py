"""`receiver db compact`."""

import json
import re
from pathlib import Path

import pytest

from receiver.cli import main
from receiver.storage.sqlite import ProcessLock
from tests.commands.stores import prepared


def test_the_file_is_written_anew(at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And it says what that came to; the other commands find it."""
    prepared(at_home, migrated_file)
    assert [0, 0, 0] == [main(["db", "compact"]), main(["db", "compact", "--json"]), main(["diagnoses"])]
    said, rest = capsys.readouterr().out.split("\n", 1)
    told, _ = json.JSONDecoder().raw_decode(rest)
    assert re.fullmatch(r"The file had [0-9.]+ MB and has [0-9.]+ MB\.", said)
    assert told["bytes_before"] == told["bytes_after"] == (at_home / "receiver.sqlite3").stat().st_size


def test_it_refuses_while_a_service_runs(
    at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and what to do; nothing is changed."""
    url = prepared(at_home, migrated_file)
    file = at_home / "receiver.sqlite3"
    before = file.read_bytes()
    with ProcessLock(url):
        assert 2 == main(["db", "compact"])
    assert ("Stop it" in capsys.readouterr().err, before) == (True, file.read_bytes())


def test_there_must_be_a_database(at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """None is made."""
    assert (2, False) == (main(["db", "compact"]), at_home.exists())
    assert "receiver serve" in capsys.readouterr().err


def test_a_server_needs_none(
    at_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so."""
    monkeypatch.setenv("RECEIVER_DATABASE_URL", "postgresql://localhost/x")
    monkeypatch.setenv("RECEIVER_WEBHOOK_SECRETS", "whsec_of-a-server-0123")
    monkeypatch.setenv("RECEIVER_API_TOKENS", "rcv_of-a-server-0123")
    assert 2 == main(["db", "compact"])
    assert "looks after its own room" in capsys.readouterr().err
