"""`receiver simulate`: whole stories of signed deliveries, played against a throwaway service or a running one."""

import argparse
import asyncio
import difflib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pydantic import JsonValue

from receiver.clock import ManualClock, SystemClock
from receiver.commands.options import Commands, add_json, print_json, print_lines, table
from receiver.commands.simulate_running import run_against
from receiver.commands.throwaway import Workshop
from receiver.errors import SettingsError
from receiver.simulation.player import Played, Tell, play
from receiver.simulation.results import COLUMNS, catalogue_rows, described, result, row, timeline
from receiver.simulation.script import Story
from receiver.simulation.stories import NAMES, build
from receiver.simulation.telling import Teller, at, conclusion, headline, verdict
from receiver.simulation.watch import Watcher, everything

OTHERWISE: Final = 1
ALL: Final = "all"
START_MS: Final = 1_726_153_200_000
"""When stories begin whose time is not the real one: 2024-09-12, 15:00 UTC. What they print is always the same."""
SEED: Final = 1


def declare(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "simulate",
        help="play whole stories of signed deliveries",
        description="Play a story of signed deliveries over real HTTP, and show what is diagnosed. Without --url a "
        "throwaway service is started for each story, on a temporary database and a free port, and its clock is moved: "
        "hours pass in seconds, and nothing of yours is touched. Exit code 1 says that something else was diagnosed "
        "than the story should bring about.",
    )
    parser.add_argument("story", nargs="?", metavar="STORY", help="the story's name, or `all`; see --list")
    parser.add_argument("--list", action="store_true", help="list the stories, and what should be diagnosed")
    parser.add_argument(
        "--url",
        metavar="URL",
        help="play one story in real time against the service that runs there; its secret and token are taken from "
        "RECEIVER_WEBHOOK_SECRETS and RECEIVER_API_TOKENS, or from the data directory",
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help=f"another seed makes other ids (default {SEED}; with --url a fresh one)"
    )
    parser.add_argument("--verbose", action="store_true", help="show the throwaway service's log on stderr")
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Play. Raises SettingsError."""
    if options.list:
        return _list(options)
    names = _names(options.story)
    if options.url is not None:
        return asyncio.run(run_against(options.url, _one(options.story), options.seed, as_json=options.json))
    seed = SEED if options.seed is None else options.seed
    stories = [build(name, START_MS, seed) for name in names]
    return asyncio.run(play_all(stories, options) if options.story == ALL else _play_one(stories[0], options))


def _list(options: argparse.Namespace) -> int:
    stories = [build(name, START_MS, SEED) for name in NAMES]
    if options.json:
        print_json([described(story) for story in stories])
    else:
        print_lines(table(["story", "takes", "what_it_is", "diagnosis"], catalogue_rows(stories)))
    return 0


def _names(wanted: str | None) -> Sequence[str]:
    if wanted is None:
        raise SettingsError("Name a story, or `all`; `receiver simulate --list` shows them.")
    if wanted == ALL:
        return NAMES
    if wanted in NAMES:
        return (wanted,)
    near = difflib.get_close_matches(wanted, NAMES, n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    raise SettingsError(f"There is no story of that name.{hint} `receiver simulate --list` shows them all.")


def _one(name: str) -> str:
    if name == ALL:
        hours = sum(build(each, START_MS, SEED).ends_ms for each in NAMES) / 3_600_000
        raise SettingsError(
            f"Against a running service stories take their real time, all of them {hours:.1f} hours, and some would "
            "disturb others. Name one; `receiver simulate --list` shows how long each takes."
        )
    return name


async def _play_one(story: Story, options: argparse.Namespace) -> int:
    if not options.json:
        print_lines([*headline(story), ""])
    with _workshop(options) as workshop:
        played = await _play(workshop, story, Teller(_silent if options.json else print_lines))
    if options.json:
        print_json({**result(played), "timeline": timeline(played.happenings)})
    else:
        print_lines([f"{at(story.ends_ms)}  the end", "", *conclusion(played)])
    return 0 if played.as_expected else OTHERWISE


async def play_all(stories: Sequence[Story], options: argparse.Namespace) -> int:
    """Play each on a service of its own, and print the table. 1 where something is not as expected."""
    clock = SystemClock()
    begun_ms = clock.now_ms()
    played: list[Played] = []
    with _workshop(options) as workshop:
        for story in stories:
            _progress(f"{len(played) + 1} of {len(stories)}: {story.name}")
            played.append(await _play(workshop, story, _silent))
    _progress("")
    if options.json:
        print_json(_document(played))
    else:
        print_lines([*table(COLUMNS, [row(one) for one in played]), "", *_summary(played, clock.now_ms() - begun_ms)])
    return 0 if all(one.as_expected for one in played) else OTHERWISE


async def _play(workshop: Workshop, story: Story, tell: Tell) -> Played:
    async with workshop.throwaway(ManualClock(START_MS)) as stage:
        return await play(story, stage, Watcher(stage.client, story, START_MS, everything()), tell)


@contextmanager
def _workshop(options: argparse.Namespace) -> Iterator[Workshop]:
    with TemporaryDirectory(prefix="receiver-simulate-") as folder, Path(os.devnull).open("w") as nowhere:
        yield Workshop(Path(folder), log=sys.stderr if options.verbose else nowhere)


def _silent(_: object) -> None:
    """Nobody wants to know."""


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def _document(played: Sequence[Played]) -> JsonValue:
    return {"stories": [result(one) for one in played], "as_expected": all(one.as_expected for one in played)}


def _summary(played: Sequence[Played], took_ms: int) -> Iterator[str]:
    for one in played:
        if not one.as_expected:
            yield f"{one.story.name}: {' '.join(verdict(one))}"
    good = sum(one.as_expected for one in played)
    told_ms = sum(one.story.ends_ms for one in played)
    yield f"{good} of {len(played)} stories as expected: {at(told_ms)} of story time in {took_ms / 1000:.0f} s."
