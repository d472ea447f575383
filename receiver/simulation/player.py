"""Plays a story step by step on a stage, which says what time it is and what there is to send to."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from receiver.simulation.answers import Answer
from receiver.simulation.client import Client, NotRead
from receiver.simulation.happenings import Delivered, Happening, Lost, Reported, Serving, StateChanged, Waiting
from receiver.simulation.script import Deliver, Down, Observe, Restart, Story, WaitUntil
from receiver.simulation.watch import Cause, Found, Watcher

LONG_MS: Final = 10_000
"""A pause that is worth announcing."""

Tell: TypeAlias = Callable[[Happening], None]


class Stage(Protocol):
    """Where a story is played. `secret` is the one that the service expects."""

    client: Client
    secret: str
    start_ms: int

    def now_ms(self) -> int:
        """The present moment."""
        ...

    def until(self, now_ms: int) -> AsyncIterator[None]:
        """Let time pass until then; comes back each time when something may have changed, and at the end."""
        ...

    async def settle(self) -> None:
        """Something was sent: let it have its effect, where that can be hastened."""
        ...

    async def stop(self) -> bool:
        """Take the service down; False where that cannot be done."""
        ...

    async def begin(self) -> None:
        """Bring it up, on what it knew before."""
        ...


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a story. `troubles` are the genuine deliveries, and the reports, that were not taken in."""

    story: Story
    happenings: tuple[Happening, ...]
    found: Found

    @property
    def missing(self) -> frozenset[Cause]:
        """What should have been diagnosed and was not."""
        return self.story.expected - self.found.causes - self.found.standing

    @property
    def unexpected(self) -> frozenset[Cause]:
        """What was diagnosed and should not have been."""
        return self.found.causes - self.story.expected

    @property
    def troubles(self) -> tuple[Delivered | Reported, ...]:
        """What should have been taken in and was not."""
        return tuple(
            one
            for one in self.happenings
            if (isinstance(one, Reported) or (isinstance(one, Delivered) and one.flaw is None)) and not one.answer.taken
        )

    @property
    def overlooked(self) -> bool:
        """Whether something was taken in, and yet the stream never had a state: then nothing was diagnosed at all."""
        taken = any(one.answer.taken for one in self.happenings if isinstance(one, Delivered | Reported))
        return taken and not any(isinstance(one, StateChanged) for one in self.happenings)

    @property
    def as_expected(self) -> bool:
        """Everything expected was diagnosed, nothing else was, and all that is genuine was taken in."""
        return not (self.missing or self.unexpected or self.troubles or self.overlooked)

    @property
    def attempts(self) -> int:
        """How many attempts reached us."""
        return sum(isinstance(one, Delivered) for one in self.happenings)

    @property
    def lost(self) -> int:
        """How many attempts did not reach us."""
        return sum(isinstance(one, Lost) for one in self.happenings)

    @property
    def reports(self) -> int:
        """How many observations were reported."""
        return sum(isinstance(one, Reported) for one in self.happenings)

    @property
    def answers(self) -> Counter[str]:
        """How often each status was answered, to deliveries and reports; with its code, where it has one."""
        answered = [one.answer for one in self.happenings if isinstance(one, Delivered | Reported)]
        return Counter(named(answer) for answer in answered)


def named(answer: Answer) -> str:
    """`204`, or `401 signature_mismatch`."""
    return " ".join(str(part) for part in (answer.status, answer.code) if part is not None)


async def play(story: Story, stage: Stage, watcher: Watcher, tell: Tell) -> Played:
    """Play the whole story; `tell` is told of everything at once. Raises NotRead, and WrongSecret."""
    return await _Player(story, stage, watcher, tell).play()


class WrongSecret(Exception):
    """The service refuses what we sign."""


@dataclass(frozen=True, slots=True)
class _Up:
    """The end of a `Down`."""

    at_ms: int


_Act: TypeAlias = Deliver | Observe | Down | _Up | Restart | WaitUntil


class _Player:
    def __init__(self, story: Story, stage: Stage, watcher: Watcher, tell: Tell) -> None:
        self._story, self._stage, self._watcher, self._tell = story, stage, watcher, tell
        self._happenings: list[Happening] = []
        self._webhooks: dict[str, int] = {}

    @property
    def _at_ms(self) -> int:
        return self._stage.now_ms() - self._stage.start_ms

    async def play(self) -> Played:
        for act in _acts(self._story):
            self._announce(act)
            async for _ in self._stage.until(self._stage.start_ms + act.at_ms):
                await self._look()
            await self._perform(act)
        return Played(self._story, tuple(self._happenings), await self._watcher.conclude())

    def _announce(self, act: _Act) -> None:
        if act.at_ms - self._at_ms >= LONG_MS:
            self._tell(Waiting(self._at_ms, act.at_ms, _named(act)))

    async def _perform(self, act: _Act) -> None:
        if isinstance(act, Deliver):
            await self._deliver(act)
        elif isinstance(act, Observe):
            answer = await self._stage.client.report(act.report)
            await self._sent(Reported(act.at_ms, str(act.report["kind"]), answer))
        elif isinstance(act, Down):
            self._note(Serving(act.at_ms, "stopped" if await self._stage.stop() else "untouched"))
        elif isinstance(act, _Up):
            await self._begin("started")
        elif isinstance(act, Restart):
            if await self._stage.stop():
                await self._begin("restarted")
            else:
                self._note(Serving(act.at_ms, "untouched"))

    async def _deliver(self, act: Deliver) -> None:
        if act.lost:
            self._note(Lost(act.at_ms, act.event.name, act.number))
            return
        answer = await self._stage.client.deliver(act.attempt(self._stage.secret, self._stage.now_ms()))
        if act.flaw is None and answer.code == "signature_mismatch":
            raise WrongSecret
        webhook = self._webhooks.setdefault(act.webhook_id, len(self._webhooks) + 1)
        await self._sent(Delivered(act.at_ms, act.event.name, webhook, act.number, act.flaw, answer))

    async def _begin(self, change: str) -> None:
        await self._stage.begin()
        await self._sent(Serving(self._at_ms, change))

    async def _sent(self, happening: Happening) -> None:
        self._note(happening)
        await self._stage.settle()
        await self._look()

    async def _look(self) -> None:
        """A look that fails while the service is away is made up for by the next."""
        try:
            changes = await self._watcher.look(self._at_ms)
        except NotRead as error:
            if error.answer.status is not None and error.answer.status < 500:
                raise
            return
        for change in changes:
            self._note(change)

    def _note(self, happening: Happening) -> None:
        self._happenings.append(happening)
        self._tell(happening)


def _acts(story: Story) -> Iterator[_Act]:
    """The steps in the order of their times, those that last with their end."""
    ends = [_Up(step.until_ms) for step in story.steps if isinstance(step, Down)]
    acts: list[_Act] = [*ends, *story.steps]
    yield from sorted(acts, key=lambda act: act.at_ms)


def _named(act: _Act) -> str:
    if isinstance(act, Deliver):
        return act.event.name
    if isinstance(act, Observe):
        return str(act.report["kind"])
    return {Down: "our service stops", _Up: "our service starts", Restart: "a restart", WaitUntil: "the end"}[type(act)]
