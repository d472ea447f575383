"""`receiver quarantine`, while no service runs."""

import json
from pathlib import Path

import pytest

from receiver.cli import main
from receiver.clock import ManualClock
from tests.commands.stores import ANOTHER, REFUSED, fill, others, prepared
from tests.running import configured, running
from tests.sender import T0_MS


async def test_what_is_held_is_listed(at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table, oldest first: when it came, why it was refused, what it claims to be, from where."""
    await fill(prepared(at_home, migrated_file), at_home)
    assert 0 == main(["quarantine", "list"])
    head, *rows = capsys.readouterr().out.splitlines()
    assert ["RECEIVED", "AT", "CODE", "EVENT", "EVENT", "ID", "WEBHOOK", "ID", "REMOTE", "BYTES"] == head.split()
    assert [
        ["2024-09-12T15:18:00.000Z", "signature_mismatch", "stream.started", event.id, "wh-1", "127.0.0.1"]
        for event in others(REFUSED)
    ] == [row.split()[:6] for row in rows]


async def test_the_list_as_json(at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same, as objects."""
    await fill(prepared(at_home, migrated_file), at_home)
    assert 0 == main(["quarantine", "list", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [event.id for event in others(REFUSED)] == [one["event_id"] for one in found]
    assert {"received_at", "code", "event", "event_id", "webhook_id", "remote", "bytes"} == set(found[0])


def test_nothing_is_held(at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that says so; JSON is an empty list; releasing nothing is no failure."""
    prepared(at_home, migrated_file)
    assert [0, 0] == [main(["quarantine", "list"]), main(["quarantine", "list", "--json"])]
    assert "The quarantine is empty.\n[]\n" == capsys.readouterr().out
    assert 0 == main(["quarantine", "release"])
    assert "Taken in: 0 new, 0 known already.\n" == capsys.readouterr().out


async def test_what_still_is_refused_stays(
    at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, with how many and why."""
    await fill(prepared(at_home, migrated_file), at_home)
    assert 1 == main(["quarantine", "release"])
    assert (
        "Taken in: 0 new, 0 known already.\nStill refused: 2 signature_mismatch. They stay in quarantine.\n"
        == capsys.readouterr().out
    )
    assert 1 == main(["quarantine", "release", "--json"])
    assert {"accepted": 0, "duplicate": 0, "refused": {"signature_mismatch": 2}} == json.loads(capsys.readouterr().out)


async def test_what_is_released_is_diagnosed_by_the_next_service(
    at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """P3: with the right secret added they are taken in, once, and the service knows their streams when it starts."""
    database_url = prepared(at_home, migrated_file)
    await fill(database_url, at_home)
    monkeypatch.setenv("RECEIVER_WEBHOOK_SECRETS", f"the-new-one-that-counts,{ANOTHER}")
    assert [0, 0] == [main(["quarantine", "release"]), main(["quarantine", "release"])]
    assert "Taken in: 2 new, 0 known already.\nTaken in: 0 new, 0 known already.\n" == capsys.readouterr().out
    clock = ManualClock(T0_MS + 86_400_000)
    async with running(configured(database_url, at_home), clock, attended=True) as service:
        await service.service.settle()
        streams = (await service.get("/v1/streams"))["items"]
    released = {event.stream["id"] for event in others(REFUSED) if event.stream is not None}
    assert released == {one["id"] for one in streams if one["state"] == "live"} & released


def test_without_a_secret_nothing_is_released(
    at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A store that is there and a secret that is not: the message says what to set, and none is made."""
    prepared(at_home, migrated_file)
    (at_home / "webhook_secret").unlink()
    assert 2 == main(["quarantine", "release"])
    assert "RECEIVER_WEBHOOK_SECRETS" in capsys.readouterr().err
    assert not (at_home / "webhook_secret").exists()
