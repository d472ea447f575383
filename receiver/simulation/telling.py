"""What happens in a story, in lines for people."""

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from functools import singledispatch
from typing import Final

from receiver.simulation.answers import SeenDiagnosis
from receiver.simulation.happenings import (
    Delivered,
    Diagnosed,
    Happening,
    Lost,
    Reported,
    Serving,
    StateChanged,
    Waiting,
)
from receiver.simulation.player import Played, named
from receiver.simulation.script import Story
from receiver.simulation.watch import Cause

WIDTH: Final = 110
_INDENT: Final = "  "
_FLAWS: Final = {"rewritten": "its body written anew on the way", "other_secret": "signed with another secret"}
_SERVING: Final = {
    "stopped": "our service stops",
    "started": "our service is up again",
    "restarted": "our service stops and starts again",
    "untouched": "here the story would restart our service; it is left running",
}


def at(ms: int) -> str:
    """A story's time: `0:05:00`."""
    seconds = ms // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def cause(found: Cause) -> str:
    """`recording_not_available / StreamNotIdle`."""
    return " / ".join(found)


def headline(story: Story) -> list[str]:
    """What the story is."""
    return textwrap.wrap(f"{story.name}: {story.summary}", WIDTH)


class Teller:
    """Writes lines as things happen, each with its time unless it stands below one of the same time. Attempts that are
    lost one after the other become one line. `live` announces pauses, for who must wait through them."""

    def __init__(self, write: Callable[[Sequence[str]], None], *, live: bool = False) -> None:
        self._write = write
        self._live = live
        self._lost: list[Lost] = []
        self._time = ""

    def __call__(self, happening: Happening) -> None:
        """Something happened."""
        if isinstance(happening, Lost):
            self._lost.append(happening)
        elif self._live or not isinstance(happening, Waiting):
            self._flush()
            self._tell(happening.at_ms, list(lines(happening)))

    def _flush(self) -> None:
        lost, self._lost = self._lost, []
        if lost:
            self._tell(lost[0].at_ms, list(_lost(lost)))

    def _tell(self, at_ms: int, told: Sequence[str]) -> None:
        time = at(at_ms)
        shown = "" if time == self._time and told[0].startswith(" ") else time
        self._time = time
        self._write([f"{shown:7}  {told[0]}".rstrip(), *(f"{'':7}  {line}" for line in told[1:])])


def _lost(lost: Sequence[Lost]) -> Iterator[str]:
    names = ", ".join(dict.fromkeys(one.event for one in lost))
    if len(lost) == 1:
        yield f"attempt {lost[0].attempt} at {names} does not reach us"
    else:
        yield f"{len(lost)} attempts until {at(lost[-1].at_ms)} do not reach us, at:"
        yield from _paragraph(f"{names}.")


@singledispatch
def lines(happening: Happening) -> Iterator[str]:
    """The lines that tell of something, without its time; what follows from something else is indented."""
    raise NotImplementedError(type(happening).__name__)


@lines.register
def _(happening: Delivered) -> Iterator[str]:
    webhook = f", webhook {happening.webhook}" if happening.webhook > 1 else ""
    attempt = f" (attempt {happening.attempt})" if happening.attempt > 1 else ""
    flaw = "" if happening.flaw is None else f", {_FLAWS[happening.flaw]}"
    yield _line(f"{happening.event}{attempt}{webhook}{flaw}", named(happening.answer))
    yield from _why(happening)


@lines.register
def _(happening: Reported) -> Iterator[str]:
    yield _line(f"report: {happening.kind}", named(happening.answer))
    yield from _why(happening)


@lines.register
def _(happening: StateChanged) -> Iterator[str]:
    name = happening.subject if happening.subject == "stream" else f"{happening.subject} {happening.id[:8]}"
    before = "" if happening.before is None else f"{happening.before} -> "
    yield f"{_INDENT}{name}: {before}{happening.state}"


@lines.register
def _(happening: Diagnosed) -> Iterator[str]:
    seen = happening.diagnosis
    how = seen.resolution if happening.change == "resolved" else ", ".join(_qualities(seen))
    yield f"{happening.change.upper()} {seen.condition} / {seen.reason} ({how})"
    yield from _paragraph(happened(seen))
    if happening.change != "resolved":
        yield from _paragraph(f"Fix: {seen.fix}")


@lines.register
def _(happening: Serving) -> Iterator[str]:
    yield _SERVING[happening.change]


@lines.register
def _(happening: Waiting) -> Iterator[str]:
    yield f"... {happening.then} at {at(happening.until_ms)}"


def happened(seen: SeenDiagnosis) -> str:
    """The message without the advice at its end, where the fix gives the same."""
    for start in (0, *(end.end() for end in re.finditer(r"\. ", seen.fix))):
        if seen.message.endswith(seen.fix[start:]):
            return seen.message.removesuffix(seen.fix[start:]).rstrip()
    return seen.message


def conclusion(played: Played) -> list[str]:
    """How it ended, and whether that was expected."""
    counted = [f"{count} x {answer}" for answer, count in sorted(played.answers.items())]
    sent = ", ".join(
        f"{count} {name if count == 1 else plural}"
        for count, name, plural in ((played.attempts, "delivery", "deliveries"), (played.reports, "report", "reports"))
        if count
    )
    lost = f"; {played.lost} more did not reach us" if played.lost else ""
    return [
        f"Sent: {sent or 'nothing'}{lost}. Answered: {', '.join(counted) or 'nothing'}.",
        f"Diagnosed: {', '.join(cause(found) for found in sorted(played.found.causes)) or 'nothing'}.",
        *verdict(played),
    ]


def verdict(played: Played) -> list[str]:
    """`As expected.`, or what is not."""
    if played.as_expected:
        return ["As expected."]
    wrong = [
        *(f"{cause(found)} was expected and not diagnosed" for found in sorted(played.missing)),
        *(f"{cause(found)} was diagnosed and not expected" for found in sorted(played.unexpected)),
        *(f"at {at(one.at_ms)} {_sent(one)} was answered {named(one.answer)}" for one in played.troubles),
        *(["the stream never had a state, so nothing was looked at"] if played.overlooked else []),
    ]
    return [f"NOT as expected: {'; '.join(wrong)}."]


def _sent(one: Delivered | Reported) -> str:
    return one.event if isinstance(one, Delivered) else one.kind


def _line(text: str, end: str) -> str:
    return f"{text:<60} {end}"


def _why(happening: Delivered | Reported) -> Iterator[str]:
    answer = happening.answer
    expected = isinstance(happening, Delivered) and happening.flaw is not None
    if answer.detail and not answer.taken and not expected:
        yield from _paragraph(answer.detail)


def _qualities(seen: SeenDiagnosis) -> Iterator[str]:
    yield seen.severity
    if seen.certainty is not None:
        yield seen.certainty
    if seen.muted_by is not None:
        yield f"muted by {seen.muted_by}"


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
