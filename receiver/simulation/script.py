"""What a story is made of: steps at offsets from its start, as data. Whoever plays it brings clock and HTTP.

    Deliver    one attempt at an event arrives, or is lost on its way
    Observe    the operator's own systems report something: a body for POST /v1/observations
    Down       our service is not there from `at_ms` to `until_ms`
    Restart    our service stops and starts at once
    WaitUntil  time passes, and nothing happens

All offsets (`_ms`) are milliseconds from the story's start; the bodies hold absolute times.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import JsonValue

from receiver.simulation.schedule import attempt_times, attempts_until
from receiver.simulation.sender import Attempt, Event, attempt

LATENCY_MS = 300
"""From emission to the first attempt; on the wire it was 250 to 350 ms."""

Flaw = Literal["rewritten", "other_secret"]


@dataclass(frozen=True, slots=True)
class Deliver:
    """One attempt at an event. A `lost` one does not reach us. `flaw`: a proxy wrote the body anew, or the webhook has
    another secret than we."""

    at_ms: int
    event: Event
    webhook_id: str
    number: int = 1
    lost: bool = False
    flaw: Flaw | None = None

    def attempt(self, secret: str, now_ms: int) -> Attempt:
        """What travels, signed now; `secret` is the one that we expect."""
        if self.flaw == "other_secret":
            return attempt(self.event, self.webhook_id, f"not {secret}", now_ms)
        genuine = attempt(self.event, self.webhook_id, secret, now_ms)
        if self.flaw == "rewritten":
            return Attempt(json.dumps(json.loads(genuine.body)).encode(), genuine.signature)
        return genuine


@dataclass(frozen=True, slots=True)
class Observe:
    """A report by the operator's own systems, of the moment in which it is sent."""

    at_ms: int
    report: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Down:
    """Our service is not there."""

    at_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Restart:
    """Our service stops and starts at once."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Nothing happens until then."""

    at_ms: int


Step: TypeAlias = Deliver | Observe | Down | Restart | WaitUntil


@dataclass(frozen=True, slots=True)
class Expectation:
    """A condition that must have been true for this reason, at the latest at `by_ms`, with the default settings."""

    condition: str
    reason: str
    by_ms: int


@dataclass(frozen=True, slots=True)
class Story:
    """A whole story in the order of its steps, its `gist` in a few words. Nothing but what it `expects` may be
    diagnosed."""

    name: str
    gist: str
    summary: str
    stream_id: str
    playback_id: str
    steps: tuple[Step, ...]
    expects: tuple[Expectation, ...] = ()

    @property
    def expected(self) -> frozenset[tuple[str, str]]:
        """Which conditions must have been diagnosed, with their reasons."""
        return frozenset((expectation.condition, expectation.reason) for expectation in self.expects)

    @property
    def ends_ms(self) -> int:
        """When all is over."""
        return max(step.until_ms if isinstance(step, Down) else step.at_ms for step in self.steps)

    @property
    def takes_us_down(self) -> bool:
        """Whether it can only be played by who can stop the service. A restart may be left out."""
        return any(isinstance(step, Down) for step in self.steps)


class Script:
    """Collects the steps of a story in any order."""

    def __init__(self, webhook_id: str) -> None:
        self.webhook_id = webhook_id
        self._steps: list[Step] = []

    def deliver(
        self, *events: Event, flaw: Flaw | None = None, webhook_id: str | None = None, later_ms: int = 0
    ) -> None:
        """Each event arrives at its first attempt, `later_ms` after it would usually."""
        for event in events:
            at_ms = event.emitted_ms + LATENCY_MS + later_ms
            self._steps.append(Deliver(at_ms, event, webhook_id or self.webhook_id, flaw=flaw))

    def deliver_after(self, reachable_ms: int, *events: Event) -> None:
        """Each event arrives with the sender's first attempt after `reachable_ms`; those before are lost."""
        for event in events:
            self._attempts(event, attempts_until(event.emitted_ms + LATENCY_MS, reachable_ms))

    def repeat(self, event: Event, times: int = 1) -> None:
        """The answers to an event that arrived were lost: so many retries follow its first attempt."""
        first_ms = event.emitted_ms + LATENCY_MS
        for number, at_ms in zip(range(1, times + 2), attempt_times(first_ms), strict=False):
            if number > 1:
                self._steps.append(Deliver(at_ms, event, self.webhook_id, number))

    def resend(self, at_ms: int, *events: Event) -> None:
        """Somebody has the events sent again from the log, a second apart; each is like a late retry (FACTS 1.4)."""
        for index, event in enumerate(events):
            self._steps.append(Deliver(at_ms + index * 1000, event, self.webhook_id, 2))

    def observe(self, at_ms: int, kind: str, **report: JsonValue) -> None:
        """The operator's systems report something."""
        self._steps.append(Observe(at_ms, {"kind": kind, **report}))

    def down(self, from_ms: int, until_ms: int) -> None:
        """Our service is not there."""
        self._steps.append(Down(from_ms, until_ms))

    def restart(self, at_ms: int) -> None:
        """Our service stops and starts at once."""
        self._steps.append(Restart(at_ms))

    def wait_until(self, at_ms: int) -> None:
        """Nothing happens until then."""
        self._steps.append(WaitUntil(at_ms))

    def steps(self) -> tuple[Step, ...]:
        """All steps in the order of their times; those of one moment as they were told."""
        return tuple(sorted(self._steps, key=lambda step: step.at_ms))

    def _attempts(self, event: Event, times_ms: Iterable[int]) -> None:
        times_ms = tuple(times_ms)
        for number, at_ms in enumerate(times_ms, start=1):
            lost = number < len(times_ms)
            self._steps.append(Deliver(at_ms, event, self.webhook_id, number, lost=lost))
