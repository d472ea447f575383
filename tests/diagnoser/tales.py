"""What happened at the source, and what of it can arrive: the values that the stories are made of."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from receiver.diagnosis.looks import Look
from receiver.simulation.scenes import MINUTE
from receiver.simulation.sender import Event

START_MS = 1_726_153_200_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Brief:
    """Shown by hypothesis as by `repr`, not field by field."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401, FBT001 -- as IPython has it
        printer.text(repr(self))


@dataclass(frozen=True, slots=True, repr=False)
class Report(Brief):
    """An observation, in the form in which `receiver.observations` stores it."""

    id: str
    at_ms: int
    stored: Mapping[str, Any]

    def body(self) -> bytes:
        """The stored form's bytes."""
        return json.dumps(self.stored, ensure_ascii=False, separators=(",", ":")).encode()

    def __repr__(self) -> str:
        return f"{self.id}: {self.stored}@{_offset(self.at_ms)}"


@dataclass(frozen=True, slots=True, repr=False)
class Sight(Brief):
    """What was seen of a stream, or of one of its sessions; or of a webhook, which belongs to no stream."""

    id: str
    at_ms: int
    stream_id: str | None
    look: Look
    webhook_id: str = ""

    def __repr__(self) -> str:
        return f"{self.id}: {self.look}@{_offset(self.at_ms)}"


@dataclass(frozen=True, slots=True, repr=False)
class Post(Brief):
    """One event for one webhook, and when it was tried: absolute times, the first is the first attempt's."""

    event: Event
    webhook_id: str
    attempts_ms: tuple[int, ...]

    def __repr__(self) -> str:
        return f"{self.event.name}@{_offset(self.event.created_ms)}/{self.webhook_id[:4]}"


@dataclass(frozen=True, slots=True, repr=False)
class Attempt(Brief):
    """One try at an event."""

    post: Post
    at_ms: int

    def body(self) -> bytes:
        """What travelled."""
        return self.post.event.body(self.post.webhook_id, self.at_ms)

    def __repr__(self) -> str:
        return f"{self.post}, tried {_offset(self.at_ms)}"


Arrival: TypeAlias = Attempt | Report | Sight


@dataclass(frozen=True, slots=True, repr=False)
class Tale(Brief):
    """Everything that happened at the source."""

    posts: tuple[Post, ...]
    reports: tuple[Report | Sight, ...]
    ends_ms: int

    def arrivals(self) -> list[Arrival]:
        """Each attempt, and all that was reported or seen, once, in the order of their times."""
        attempts = [Attempt(post, at_ms) for post in self.posts for at_ms in post.attempts_ms]
        return sorted([*attempts, *self.reports], key=lambda arrival: arrival.at_ms)

    def __repr__(self) -> str:
        return f"Tale({list(self.arrivals())}, ends {_offset(self.ends_ms)})"


def _offset(at_ms: int) -> str:
    return f"{(at_ms - START_MS) / 1000:g}s"
