"""What handlers are given, by name; the composition root sets these on the root application.

Handlers of a sub-application read them through `request.config_dict`, which looks in the parents too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

if TYPE_CHECKING:
    from receiver.clock import Clock
    from receiver.evidence.lookout import Lookout
    from receiver.gates.gates import Gates
    from receiver.ids import Ids
    from receiver.inbox import Inbox
    from receiver.keys import Keys
    from receiver.refusals import AccessFacts
    from receiver.settings import Settings
    from receiver.storage.engine import Database


class Health(Protocol):
    """How the diagnoser is doing: `receiver.diagnoser.DiagnoserHealth`."""

    @property
    def lag_ms(self) -> int | None:
        """How long the oldest signal that waits has been waiting; None when none waits."""

    @property
    def pending(self) -> int:
        """How many signals wait."""

    @property
    def faults(self) -> int:
        """How many subjects stand as ones that could not be judged, and how many passes in a row have failed."""

    @property
    def running(self) -> bool:
        """Whether its task is alive."""


class Diagnoser(Protocol):
    """What the handlers ask of `receiver.diagnoser.Diagnoser`."""

    async def acknowledge(self, diagnosis_id: str, caller: str) -> bool:
        """Mark a diagnosis as seen by `caller`; False where there is no such diagnosis."""

    async def resolve(self, diagnosis_id: str, caller: str) -> bool:
        """Close a diagnosis by hand; False where there is no such diagnosis."""

    def wake(self) -> None:
        """Say that new signals are stored."""

    @property
    def health(self) -> Health:
        """How it is doing now; costs nothing to ask."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the token's name, which tells nothing of the token, and what it may do."""

    name: str
    scopes: frozenset[str]


DATABASE: "web.AppKey[Database]" = web.AppKey("database")
CLOCK: "web.AppKey[Clock]" = web.AppKey("clock")
IDS: "web.AppKey[Ids]" = web.AppKey("ids")
SETTINGS: "web.AppKey[Settings]" = web.AppKey("settings")
KEYS: "web.AppKey[Keys]" = web.AppKey("keys")
DIAGNOSER: web.AppKey[Diagnoser] = web.AppKey("diagnoser")
INBOX: "web.AppKey[Inbox]" = web.AppKey("inbox")
LOOKOUT: "web.AppKey[Lookout]" = web.AppKey("lookout")
ACCESS: "web.AppKey[AccessFacts]" = web.AppKey("access")
GATES: "web.AppKey[Gates]" = web.AppKey("gates")

STORE_LOST: "web.AppKey[Callable[[], bool]]" = web.AppKey("store_lost")
"""Whether the store has failed a part of the service, which has not been able to use it since."""

REQUEST_ID: "web.RequestKey[str]" = web.RequestKey("request_id", str)
FAULT: "web.RequestKey[str]" = web.RequestKey("fault", str)
"""The code of the problem that the request is answered with."""
CALLER: "web.RequestKey[Caller]" = web.RequestKey("caller", Caller)
