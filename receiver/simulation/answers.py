"""What a receiver answers, as far as a story's player reads it. Members that it does not know are let pass: the service
may be newer than the player."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to something sent. `status` is None where none came; `code` and `detail` say what went wrong."""

    status: int | None
    code: str | None = None
    detail: str | None = None

    @property
    def taken(self) -> bool:
        """Whether it was taken in."""
        return self.status is not None and 200 <= self.status < 300


class Seen(BaseModel):
    """Something read from the API."""

    model_config = ConfigDict(frozen=True)


Item = TypeVar("Item", bound=Seen)


class Part(Seen, Generic[Item]):
    """A part of a list; `next` is the cursor of the part after it."""

    items: tuple[Item, ...]
    next: str | None


class SeenSession(Seen):
    """A session of a stream."""

    id: str
    state: str | None


class SeenStream(Seen):
    """A stream with its sessions."""

    id: str
    state: str | None
    sessions: tuple[SeenSession, ...]


class SeenSubject(Seen):
    """What a diagnosis is about."""

    kind: str
    id: str


class SeenDiagnosis(Seen):
    """A diagnosis in a list."""

    id: str
    condition: str
    reason: str
    status: str
    certainty: str | None
    severity: str
    subject: SeenSubject
    stream_id: str | None
    playback_id: str | None
    title: str
    message: str
    fix: str
    resolution: str | None
    muted_by: str | None
    regressions: int


class SeenTransition(Seen):
    """One step in the life of a diagnosis; `at` is RFC 3339."""

    at: str
    status: str
    reason: str


class SeenDetail(SeenDiagnosis):
    """A diagnosis with all that it went through, oldest first."""

    opened_at: str
    resolved_at: str | None
    transitions: tuple[SeenTransition, ...]


class SeenProblem(Seen):
    """What went wrong (RFC 9457)."""

    code: str
    detail: str
