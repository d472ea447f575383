"""What became of a story, in JSON and as a row of a table."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Final

from pydantic import BaseModel, JsonValue

from receiver.simulation.happenings import Happening
from receiver.simulation.player import Played
from receiver.simulation.script import Story
from receiver.simulation.telling import at, cause
from receiver.simulation.watch import Cause

JsonObject = dict[str, JsonValue]
COLUMNS: Final = ("story", "what_it_is", "sent", "answered", "diagnosed", "as_expected")


def described(story: Story) -> JsonObject:
    """A story as it is told, before it is played."""
    return {
        "story": story.name,
        "gist": story.gist,
        "summary": story.summary,
        "takes_s": story.ends_ms / 1000,
        "expected": [
            {"condition": one.condition, "reason": one.reason, "by_s": one.by_ms / 1000} for one in story.expects
        ],
    }


def result(played: Played) -> JsonObject:
    """What was sent, answered and diagnosed, and whether that was expected."""
    return {
        **described(played.story),
        "stream_id": played.story.stream_id,
        "playback_id": played.story.playback_id,
        "sent": {"deliveries": played.attempts, "lost": played.lost, "reports": played.reports},
        "answered": dict(sorted(played.answers.items())),
        "diagnosed": _causes(played.found.causes),
        "missing": _causes(played.missing),
        "unexpected": _causes(played.unexpected),
        "overlooked": played.overlooked,
        "as_expected": played.as_expected,
        "diagnoses": [one.model_dump(mode="json") for one in played.found.diagnoses],
    }


def timeline(happenings: Iterable[Happening]) -> list[JsonValue]:
    """Everything that happened, in order; `at_ms` counts from the story's start."""
    return [_object(one) for one in happenings]


def row(played: Played) -> dict[str, object]:
    """A row of the table of all stories."""
    return {
        "story": played.story.name,
        "what_it_is": played.story.gist,
        "sent": _sent(played),
        "answered": ", ".join(f"{count} x {_status(answer)}" for answer, count in sorted(played.answers.items())),
        "diagnosed": ", ".join(cause(found) for found in sorted(played.found.causes)) or "-",
        "as_expected": "yes" if played.as_expected else "NO",
    }


def catalogue_rows(stories: Sequence[Story]) -> list[dict[str, object]]:
    """A row for each story that can be played."""
    return [
        {
            "story": story.name,
            "takes": at(story.ends_ms),
            "what_it_is": story.gist,
            "diagnosis": ", ".join(cause(found) for found in sorted(story.expected)) or "-",
        }
        for story in stories
    ]


def _sent(played: Played) -> str:
    parts = [
        f"{played.attempts}" if played.attempts or not played.reports else "",
        f"{played.reports} reports" if played.reports > 1 else f"{played.reports} report" if played.reports else "",
    ]
    lost = f" (+{played.lost} lost)" if played.lost else ""
    return " + ".join(part for part in parts if part) + lost


def _status(answer: str) -> str:
    return answer.partition(" ")[0]


def _causes(causes: Iterable[Cause]) -> list[JsonValue]:
    return [{"condition": condition, "reason": reason} for condition, reason in sorted(causes)]


def _object(happening: Happening) -> JsonObject:
    members: JsonObject = {"what": happening.what}
    for name in happening.__slots__:
        value = getattr(happening, name)
        if isinstance(value, BaseModel):
            members[name] = value.model_dump(mode="json")
        else:
            members[name] = asdict(value) if name == "answer" else value
    return members
