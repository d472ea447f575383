"""`receiver explain-playback`: why playback is refused, whether a service runs or not."""

import argparse
import asyncio
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import SecretStr, ValidationError

from receiver.clock import SystemClock
from receiver.commands.options import Commands, add_json, current_settings, print_json, print_lines
from receiver.commands.store import existing_store, file_of
from receiver.diagnosis.refusal import Access, Explained, explain
from receiver.errors import SettingsError, StoreUnavailable
from receiver.evidence.access import FoundAccess
from receiver.livepeer.studio import AT_ONCE, StudioClient
from receiver.livepeer.studio.client import Door
from receiver.refusals import MAX_TOKEN, PlaybackQuestion, stored_access
from receiver.settings import Settings
from receiver.terminal import printable

CODES: Final = {"allowed": 0, "denied": 1, "unknown": 4}
_STDIN: Final = "-"
_FILE: Final = "@"
_WIDTH: Final = 110


def declare(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "explain-playback",
        help="say why playback is refused",
        description="Go through everything that Livepeer's playback node and gate check, with the viewer's own "
        "credentials, which are read and forgotten. Works without a service and without a store; what the store of one "
        "says is used. What stands on a command line can be seen by others on the machine, and stays in the shell's "
        "history: give credentials as `-` (stdin) or in a file. Exit code 0 says allowed, 1 denied, 4 that it is not "
        "known; 2 that the question cannot be understood.",
    )
    parser.add_argument("playback_id", metavar="PLAYBACK_ID", help="what the player was given")
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--jwt", metavar="TOKEN", help="the viewer's token, or `-` to read it from stdin")
    token.add_argument("--jwt-file", metavar="FILE", type=Path, help="the file that holds it")
    key = parser.add_mutually_exclusive_group()
    key.add_argument("--access-key", metavar="KEY", help="the viewer's access key, or `-` to read it from stdin")
    key.add_argument("--access-key-file", metavar="FILE", type=Path, help="the file that holds it")
    parser.add_argument("--origin", metavar="ORIGIN", help='the page\'s origin; "" where the player sends none')
    parser.add_argument("--error", metavar="TEXT", help="what the player said, or the gate")
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print every check and what they come to. Raises SettingsError."""
    question = _question(options)
    settings = current_settings()
    access = asyncio.run(_found(settings, question.playback_id))
    explained = explain(question.asked, access, SystemClock().now_ms())
    if options.json:
        print_json(asdict(explained))
    else:
        print_lines(_lines(explained))
    return CODES[explained.verdict]


def _question(options: argparse.Namespace) -> PlaybackQuestion:
    if options.jwt == options.access_key == _STDIN:
        raise SettingsError("Only one of --jwt and --access-key can be read from stdin; put the other into a file.")
    try:
        return PlaybackQuestion(
            playback_id=options.playback_id,
            jwt=_credential("--jwt-file", options.jwt, options.jwt_file),
            access_key=_credential("--access-key-file", options.access_key, options.access_key_file),
            origin=options.origin,
            error=options.error,
        )
    except ValidationError as fault:
        found = fault.errors(include_url=False, include_input=False)[0]
        name, said = str(found["loc"][0]), found["msg"].removeprefix("Value error, ")
        option = name.upper() if name == "playback_id" else f"--{name.replace('_', '-')}"
        raise SettingsError(f"{option}: {said}") from None


def _credential(option: str, given: str | None, file: Path | None) -> SecretStr | None:
    """A credential as it was given, or as it stands on stdin or in a file, without the line end there."""
    if file is not None:
        try:
            with file.open("rb") as opened:
                return _read(opened.read(MAX_TOKEN + 2))
        except OSError as error:
            raise SettingsError(f"{option}: the file cannot be read: {error.strerror or error}") from None
    if given is not None and given.startswith(_FILE):
        return _credential(option, None, Path(given[1:]))
    if given == _STDIN:
        return _read(sys.stdin.buffer.read(MAX_TOKEN + 2))
    return None if given is None else SecretStr(given)


def _read(found: bytes) -> SecretStr:
    return SecretStr(found.decode("utf-8", "replace").rstrip("\r\n"))


async def _found(settings: Settings, playback_id: str) -> Access:
    """What the store and Livepeer say. Of what the API answers no secret is kept, so that none need be compared."""
    door = Door(digest=lambda _: "", compare=lambda _: "other")

    async def stored(playback_id: str) -> Access:
        return await asyncio.to_thread(_stored, settings, playback_id)

    async with StudioClient(settings.studio_url, settings.studio_api_key, door, patience=AT_ONCE) as studio:
        return await FoundAccess(stored, studio)(playback_id)


def _stored(settings: Settings, playback_id: str) -> Access:
    """What the store says, where there is one; a fault of it is told, and leaves the rest as it is."""
    if settings.embedded and not file_of(settings).exists():
        return Access()
    try:
        with existing_store(settings) as database:
            return database.read_now(partial(stored_access, playback_id=playback_id))
    except (SettingsError, StoreUnavailable) as error:
        sys.stderr.write(printable(f"receiver: the store is left out: {error.detail}") + "\n")
        return Access()


def _lines(explained: Explained) -> Iterator[str]:
    yield f"{explained.verdict} / {explained.reason}"
    for text in (explained.message, explained.fix):
        yield from textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield ""
    width = max(len(one.check) for one in explained.checks)
    for one in explained.checks:
        head = f"{one.verdict:7}  {one.check:{width}}  "
        yield from textwrap.wrap(one.detail, _WIDTH + 20, initial_indent=head, subsequent_indent=" " * len(head))
