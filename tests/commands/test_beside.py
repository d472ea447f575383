"""Every command beside a service that runs, as its operator would use them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from receiver.cli import main
from receiver.clock import SystemClock
from receiver.simulation.sender import Event, attempt
from tests.commands.stores import ANOTHER, PUBLISHED, others
from tests.served import Served, served, wait

LIMITS = {"RECEIVER_PUBLISH_START_WITHIN_S": "0.05", "RECEIVER_DELIVERY_GRACE_S": "0.05"}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service whose limits pass at once."""
    with served(tmp_path_factory.mktemp("beside"), LIMITS) as started:
        yield started


Run = Callable[..., Any]


@pytest.fixture
def run(
    process: Served, at_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs a command with the settings of the service: its exit code and what it printed."""
    for name, value in {**LIMITS, **process.environment}.items():
        monkeypatch.setenv(name, value)

    def command(*arguments: str) -> tuple[int, str]:
        return main(arguments), capsys.readouterr().out

    return command


def test_diagnoses(process: Served, run: Run) -> None:
    """What the service finds, the command shows."""
    assert (0, "No open diagnoses.\n") == run("diagnoses")
    assert 201 == process.report(kind="publish_intent", stream_id=PUBLISHED)
    wait(lambda: run("diagnoses")[0] == 1)
    code, printed = run("diagnoses", "--json")
    assert [(1, "PublishNotStarted", PUBLISHED)] == [
        (code, one["reason"], one["stream_id"]) for one in json.loads(printed)
    ]


def test_quarantine(process: Served, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is released the running service diagnoses by itself: the stream shows up over REST and in its log (P3)."""
    [event] = others(1)
    now_ms = SystemClock().now_ms()
    with pytest.raises(OSError, match="401"):
        process.deliver(attempt(event, "wh-1", ANOTHER, now_ms))
    assert [event.id] == [one["event_id"] for one in json.loads(run("quarantine", "list", "--json")[1])]
    assert 1 == run("quarantine", "release")[0]
    monkeypatch.setenv("RECEIVER_WEBHOOK_SECRETS", ANOTHER)
    assert (0, "Taken in: 1 new, 0 known already.\n") == run("quarantine", "release")
    wait(lambda: stream_of(event) in process.get("/v1/streams"))
    changed = wait(lambda: told(process, "stream.state_changed", stream_of(event)))
    assert [("live", "info")] == [(line["to"], line["level"]) for line in changed]
    assert (0, "The quarantine is empty.\n") == run("quarantine", "list")


def stream_of(event: Event) -> str:
    """The stream that an event is about."""
    return str((event.stream or {})["id"])


def told(process: Served, name: str, stream_id: str) -> list[dict[str, Any]]:
    """The lines of that event about that stream."""
    return [line for line in process.lines if (line["event"], line.get("stream_id")) == (name, stream_id)]


def test_replay(process: Served, run: Run) -> None:
    """The service is not disturbed: it goes on, nothing comes out differently, nothing is told twice (P5, P7)."""
    before = len([line for line in process.lines if line["event"] == "diagnosis.opened"])
    assert 0 == run("replay")[0]
    assert 0 == json.loads(run("replay", "--json")[1])["differing"]
    assert 201 == process.report(kind="playback_ok", stream_id=PUBLISHED)
    assert before == len([line for line in process.lines if line["event"] == "diagnosis.opened"])


def test_db_upgrade(process: Served, run: Run) -> None:
    """There is nothing to do, and it does no harm."""
    assert (0, "The database is up to date.\n") == run("db", "upgrade")
    assert '"ok"' in process.get("/healthz")


def test_a_second_service_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """While the first goes on."""
    assert 2 == main(["serve"])
    assert "Another receiver is already serving this SQLite database." in capsys.readouterr().err


def test_nothing_went_wrong(process: Served) -> None:
    """What was done beside the service made it log no fault and no outage."""
    assert [] == [line for line in process.lines if line["level"] == "error" and "fault" in line["event"]]
    assert [] == [line for line in process.lines if line["event"] == "store.unavailable"]
