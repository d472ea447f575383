"""The command line: `receiver COMMAND`. Each command is a module of `receiver.commands`.

Exit codes: 0 done, 1 done and something is wrong (a command says what), 2 it could not begin: wrong arguments or
settings, 3 the store cannot be used.
"""

import argparse
import sys
from collections.abc import Sequence

from receiver.commands import db, diagnoses, quarantine, replay, serve, simulate
from receiver.errors import SettingsError, Unavailable

_COMMANDS = (serve, simulate, diagnoses, quarantine, replay, db)
USAGE = 2
STORE = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; argparse exits by itself for wrong arguments (2) and `--help` (0)."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except SettingsError as error:
        return _refused(error.detail, USAGE)
    except Unavailable as error:
        return _refused(error.detail, STORE)
    except (KeyboardInterrupt, BrokenPipeError):
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="receiver",
        description="Receives Livepeer Studio's webhooks and says what went wrong with a stream, why, and what to do.",
        epilog="Settings come from RECEIVER_* environment variables or a .env file; README.md lists them.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.declare(commands)
    return parser


def _refused(detail: str, code: int) -> int:
    sys.stderr.write(f"receiver: {detail}\n")
    return code
