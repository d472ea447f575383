"""What happens while a story is played, each with its offset from the story's start (`at_ms`)."""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from receiver.simulation.answers import Answer, SeenDiagnosis
from receiver.simulation.script import Flaw


@dataclass(frozen=True, slots=True)
class Delivered:
    """An attempt at an event was sent and answered. `webhook` is 1 for the story's first webhook, 2 for another."""

    what: ClassVar = "delivered"
    at_ms: int
    event: str
    webhook: int
    attempt: int
    flaw: Flaw | None
    answer: Answer


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt at an event did not reach us."""

    what: ClassVar = "lost"
    at_ms: int
    event: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Reported:
    """The operator's systems reported something."""

    what: ClassVar = "reported"
    at_ms: int
    kind: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class StateChanged:
    """A stream or a session is in another state; `before` is None where it was not known."""

    what: ClassVar = "state"
    at_ms: int
    subject: str
    id: str
    before: str | None
    state: str | None


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """A diagnosis was `opened`, `changed` or `resolved`."""

    what: ClassVar = "diagnosis"
    at_ms: int
    change: str
    diagnosis: SeenDiagnosis


@dataclass(frozen=True, slots=True)
class Serving:
    """Our service `stopped`, `started`, or `restarted`; or it was left as it was, `untouched`, where the story would
    have restarted it."""

    what: ClassVar = "service"
    at_ms: int
    change: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing happens for a while; `then` is what comes next."""

    what: ClassVar = "waiting"
    at_ms: int
    until_ms: int
    then: str


Happening: TypeAlias = Delivered | Lost | Reported | StateChanged | Diagnosed | Serving | Waiting
