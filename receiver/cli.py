"""The command line: `receiver COMMAND`. Each command is a module of `receiver.commands`, loaded when it is called.

Exit codes: 0 done, 1 done and something is wrong (a command says what), 2 it could not begin: wrong arguments or
settings, or what it was asked for is not known, 3 the store cannot be used, 4 done, and the answer is that it is not
known (`probe`, `explain-playback`, `webhooks`).
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

from receiver.commands.garbage import not_collecting
from receiver.errors import NotFound, SettingsError, Unavailable, underlying

COMMANDS = ("serve", "simulate", "diagnoses", "probe", "webhooks", "quarantine", "explain-playback", "replay", "db")
USAGE = 2
STORE = 3
INTERRUPTED = 130
NOT_READ = 141
"""As a shell says it of a program whose output nobody reads to its end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; argparse exits by itself for wrong arguments (2) and `--help` (0)."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser(given).parse_args(given)
    try:
        code = int(options.run(options))
        sys.stdout.flush()
    except BrokenPipeError:
        return _not_read()
    except KeyboardInterrupt:
        return INTERRUPTED
    except (SettingsError, NotFound) as error:
        return _refused(error.detail, USAGE)
    except Unavailable as error:
        return _refused(_with_cause(error), STORE)
    return code


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """What the command that is called needs; where none is, as for `--help`, what all do: others take half a second."""
    parser = argparse.ArgumentParser(
        prog="receiver",
        description="Receives Livepeer Studio's webhooks and says what went wrong with a stream, why, and what to do.",
        epilog="Settings come from RECEIVER_* environment variables or a .env file; README.md lists them.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('livepeer-receiver')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    with not_collecting():
        for name in arguments[:1] if set(arguments[:1]) & set(COMMANDS) else COMMANDS:
            import_module(f"receiver.commands.{name.replace('-', '_')}").declare(commands)
    return parser


def _not_read() -> int:
    """Whoever read our output has gone (`receiver diagnoses | head`): what is left of it goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return NOT_READ


def _with_cause(error: Unavailable) -> str:
    said = underlying(error)
    return error.detail if said.partition(": ")[2] in error.detail else f"{error.detail} ({said})"


def _refused(detail: str, code: int) -> int:
    sys.stderr.write(f"receiver: {detail}\n")
    return code
