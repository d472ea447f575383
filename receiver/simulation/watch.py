"""Reads from a receiver's API what became of a story, and tells what has changed since it last looked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from receiver.simulation.answers import SeenDetail, SeenDiagnosis, SeenStream
from receiver.simulation.client import Client
from receiver.simulation.happenings import Diagnosed, Happening, StateChanged
from receiver.simulation.script import Deliver, Story
from receiver.times import read_rfc3339, rfc3339

Cause = tuple[str, str]
"""A condition and the reason why it was true."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Which diagnoses are the story's: what to ask for, and which of the answers count."""

    queries: Sequence[Mapping[str, str]]
    counts: Callable[[SeenDiagnosis], bool]


def everything() -> Sight:
    """All that a service says to which nothing happened but the story."""
    return Sight(({},), lambda _: True)


def only(story: Story, start_ms: int) -> Sight:
    """What a service that has other things to do says of the story, of its webhooks, and of the endpoint."""
    webhooks = {step.webhook_id for step in story.steps if isinstance(step, Deliver)}

    def counts(seen: SeenDiagnosis) -> bool:
        if seen.subject.kind == "webhook":
            return seen.subject.id in webhooks
        return seen.subject.kind == "endpoint" or story.stream_id == seen.stream_id

    delivery = {"condition": "webhook_not_firing", "since": rfc3339(start_ms)}
    return Sight(({"stream_id": story.stream_id}, delivery), counts)


@dataclass(frozen=True, slots=True)
class Found:
    """All diagnoses of the story, and why their conditions were true. What was diagnosed before the story began and
    still is, is in `standing`: nobody can tell whether the story would have brought it about."""

    diagnoses: tuple[SeenDetail, ...]
    causes: frozenset[Cause]
    standing: frozenset[Cause] = frozenset()


class Watcher:
    """Remembers what it has seen of one story."""

    def __init__(self, client: Client, story: Story, start_ms: int, sight: Sight) -> None:
        self._client = client
        self._story = story
        self._start_ms = start_ms
        self._sight = sight
        self._states: dict[tuple[str, str], str | None] = {}
        self._diagnoses: dict[str, SeenDiagnosis] = {}
        self._standing: dict[str, SeenDiagnosis] = {}

    async def begin(self) -> tuple[SeenDiagnosis, ...]:
        """Note what is diagnosed already, and return it. Raises NotRead."""
        query = {"condition": "webhook_not_firing", "status": "open"}
        found = await self._client.read_all("/v1/diagnoses", SeenDiagnosis, query)
        self._standing = {seen.id: seen for seen in found if self._sight.counts(seen)}
        self._diagnoses = dict(self._standing)
        return tuple(self._standing.values())

    async def look(self, at_ms: int) -> list[Happening]:
        """What has changed since the last look; `at_ms` is the story's time now. Raises NotRead."""
        stream = await self._client.read(f"/v1/streams/{self._story.stream_id}", SeenStream)
        states = [] if stream is None else [*self._state_changes(stream, at_ms)]
        return [*states, *self._diagnosis_changes(await self._listed(), at_ms)]

    async def conclude(self) -> Found:
        """All that was diagnosed. Raises NotRead."""
        read = [await self._client.read(f"/v1/diagnoses/{seen}", SeenDetail) for seen in self._diagnoses]
        found = tuple(one for one in read if one is not None)
        standing = {(one.condition, one.reason) for one in found if one.id in self._standing and _failing(one)}
        return Found(found, frozenset(cause for one in found for cause in self._causes(one)), frozenset(standing))

    async def _listed(self) -> list[SeenDiagnosis]:
        """Oldest first, each once."""
        found: dict[str, SeenDiagnosis] = {}
        for query in self._sight.queries:
            for seen in await self._client.read_all("/v1/diagnoses", SeenDiagnosis, query):
                if self._sight.counts(seen):
                    found[seen.id] = seen
        return [found[key] for key in sorted(found)]

    def _state_changes(self, stream: SeenStream, at_ms: int) -> Iterator[Happening]:
        oldest_first = reversed(stream.sessions)
        now = [("stream", stream.id, stream.state), *(("session", one.id, one.state) for one in oldest_first)]
        for kind, subject_id, state in now:
            before = self._states.get((kind, subject_id))
            if before != state:
                self._states[kind, subject_id] = state
                yield StateChanged(at_ms, kind, subject_id, before, state)

    def _diagnosis_changes(self, listed: Sequence[SeenDiagnosis], at_ms: int) -> Iterator[Happening]:
        for seen in listed:
            before = self._diagnoses.get(seen.id)
            self._diagnoses[seen.id] = seen
            if before is None or _gist(before) != _gist(seen):
                yield Diagnosed(at_ms, _change(before, seen), seen)

    def _causes(self, one: SeenDetail) -> Iterator[Cause]:
        for step in one.transitions:
            if step.status != "resolved" and read_rfc3339(step.at) >= self._start_ms:
                yield one.condition, step.reason


def _failing(seen: SeenDiagnosis) -> bool:
    return seen.status != "resolved"


def _change(before: SeenDiagnosis | None, seen: SeenDiagnosis) -> str:
    if not _failing(seen):
        return "resolved"
    return "changed" if before is not None and _failing(before) else "opened"


def _gist(seen: SeenDiagnosis) -> tuple[object, ...]:
    """What makes a change worth telling; the message may change with every piece of evidence."""
    return seen.status, seen.reason, seen.certainty, seen.severity, seen.muted_by, seen.regressions
