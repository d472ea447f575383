"""`receiver diagnoses`, while no service runs."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from receiver.cli import main
from tests.commands.stores import PUBLISHED, fill, prepared


async def test_what_fails_is_told_in_words(
    at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Id, condition, reason and severity; of what, since when; the message. Exit code 1: there is something."""
    studio = await fill(prepared(at_home, migrated_file), at_home)
    assert 1 == main(["diagnoses"])
    head, subject, *message, blank = capsys.readouterr().out.split("\n")[:-1]
    assert "recording_not_available / RecordingNotQueued  (open, " in head
    assert head.startswith("dg_")
    assert subject.startswith("  session ")
    assert ", opened 2024-09-12T15:" in subject
    assert "stream.idle" in " ".join(message)
    assert ("", True) == (blank, max(map(len, message)) <= 110)
    assert studio.stream.id not in head


async def test_all_are_told_where_asked_for(
    at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Resolved ones too, newest first, with how and when they ended."""
    await fill(prepared(at_home, migrated_file), at_home)
    assert 1 == main(["diagnoses", "--all"])
    heads = [line for line in capsys.readouterr().out.splitlines() if line.startswith("dg_")]
    assert ["recording_not_available", "rtmp_push_rejected"] == [line.split()[1] for line in heads]
    assert "resolved" in heads[1]
    assert ", manual 2024-09-12T15:05:" in heads[1]


async def test_those_of_one_stream(at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing open of this one: exit code 0, and a line that says so."""
    studio = await fill(prepared(at_home, migrated_file), at_home)
    assert 0 == main(["diagnoses", PUBLISHED])
    assert "No open diagnoses.\n" == capsys.readouterr().out
    assert 1 == main(["diagnoses", studio.stream.id, "--json"])
    assert [studio.stream.id] == [one["stream_id"] for one in json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize("more", [(), ("--all",), ("--json",)], ids=" ".join)
def test_an_unknown_stream_is_no_healthy_one(
    more: Sequence[str], at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and on stderr what the API says of it."""
    prepared(at_home, migrated_file)
    assert 2 == main(["diagnoses", "no-such-stream", *more])
    printed = capsys.readouterr()
    assert ("", True) == (printed.out, printed.err.startswith("receiver: No stream `no-such-stream` is known. "))


async def test_json_is_what_the_api_gives(
    at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One list of diagnoses, whole."""
    await fill(prepared(at_home, migrated_file), at_home)
    assert 1 == main(["diagnoses", "--all", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert ["open", "resolved"] == [one["status"] for one in found]
    assert {"id", "condition", "reason", "likely_cause", "fix", "evidence", "opened_at"} <= set(found[0])


def test_nothing_fails(at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0; JSON is an empty list."""
    prepared(at_home, migrated_file)
    assert [0, 0, 0] == [main(["diagnoses"]), main(["diagnoses", "--all"]), main(["diagnoses", "--json"])]
    assert "No open diagnoses.\nNo diagnoses.\n[]\n" == capsys.readouterr().out
