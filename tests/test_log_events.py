"""The log as a public interface: what docs/logs.md says of it is what a service that runs really writes."""

import asyncio
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from receiver.redaction import MASK
from tests.log_events import everything
from tests.running import Line

DOCUMENT = (Path(__file__).parents[1] / "docs" / "logs.md").read_text()
ON_EVERY_LINE = {"timestamp", "level", "event"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
PROMISED = {
    "webhook.accepted",
    "webhook.duplicate",
    "webhook.rejected",
    "webhook.quarantined",
    "stream.state_changed",
    "recording.state_changed",
    "diagnosis.opened",
    "diagnosis.changed",
    "diagnosis.resolved",
    "store.unavailable",
    "service.started",
    "service.stopping",
    "http.request",
}
"""DESIGN 8."""


@dataclass(frozen=True)
class Documented:
    """What the tables say of an event."""

    levels: frozenset[str]
    always: frozenset[str]
    sometimes: frozenset[str]


def quoted(cell: str) -> frozenset[str]:
    """The words in backticks."""
    return frozenset(re.findall(r"`([a-z_]+)`", cell))


def documented() -> Mapping[str, Documented]:
    """Every event of the tables."""
    rows = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| (.+?) \| (.*?) \| (.*?)\|?$", DOCUMENT, re.MULTILINE)
    levels = re.compile(r"\b(info|warning|error)\b")
    return {
        name: Documented(frozenset(levels.findall(level)), quoted(always), quoted(sometimes))
        for name, level, always, sometimes in rows
    }


EVENTS = documented()


@pytest.fixture(scope="module")
def lines(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Line]:
    """Everything that a service can log."""
    folder = tmp_path_factory.mktemp("events")
    day, process = (Path(shutil.copy(migrated_file, folder / name)) for name in ("day.db", "process.db"))
    return asyncio.run(everything(day, process, folder))


def of(lines: Sequence[Line], name: str) -> list[Line]:
    """The lines of an event."""
    return [line for line in lines if line["event"] == name]


def test_all_that_was_promised_is_documented() -> None:
    """The public events, and others that came to them."""
    assert set(EVENTS) >= PROMISED


def test_all_that_is_logged_is_documented(lines: Sequence[Line]) -> None:
    """No line of ours has an event that the tables do not know; libraries were silent."""
    assert {line["event"] for line in lines} == set(EVENTS)


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_has_the_fields_of_its_table(name: str, lines: Sequence[Line]) -> None:
    """Those that it always has are on every line of it, and those that it sometimes has on some and not on all."""
    found = [set(line) - ON_EVERY_LINE for line in of(lines, name)]
    assert EVENTS[name].always == set.intersection(*found)
    assert EVENTS[name].sometimes == set.union(*found) - EVENTS[name].always


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_has_the_levels_of_its_table(name: str, lines: Sequence[Line]) -> None:
    """All of them, and no other."""
    assert EVENTS[name].levels == {line["level"] for line in of(lines, name)}


def test_every_field_is_explained() -> None:
    """Each field of an event has its meaning, and nothing is explained that no event has."""
    explained = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| ", DOCUMENT.partition("## Fields")[2], re.MULTILINE)
    fields = [field for cell in explained for field in quoted(cell)]
    assert sorted(fields) == sorted(set().union(*(event.always | event.sometimes for event in EVENTS.values())))


def test_times_are_written_for_people(lines: Sequence[Line]) -> None:
    """RFC 3339, wherever a field is a time; no field is a bare number of milliseconds but for lengths of time."""
    for line in lines:
        times = {name for name in line if name.endswith("_at") or name in {"timestamp", "at", "since"}}
        assert all(MOMENT.fullmatch(line[name]) for name in times)
        assert {name for name in line if name.endswith("_ms")} <= {"duration_ms", "latency_ms", "offset_ms"}


def test_nothing_is_null(lines: Sequence[Line]) -> None:
    """What is not known is left out."""
    assert [] == [line for line in lines if None in line.values() or "" in line.values()]


def test_nothing_is_taken_for_a_secret(lines: Sequence[Line]) -> None:
    """What our own lines say is not mistaken for what they must not say."""
    assert [] == [line for line in lines if MASK in str(line)]


def test_one_thing_has_one_name(lines: Sequence[Line]) -> None:
    """An id leads from line to line: of one event's delivery, its stream's state, its diagnosis."""
    delivered, concluded = of(lines, "webhook.accepted"), of(lines, "diagnosis.opened")
    for name in ("stream_id", "session_id", "webhook_id"):
        assert {line[name] for line in delivered if name in line} & {line[name] for line in concluded if name in line}
