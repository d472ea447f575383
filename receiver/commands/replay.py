"""`receiver replay`: conclude everything anew from the log of signals."""

import argparse

from receiver.clock import SystemClock
from receiver.commands.options import (
    Commands,
    add_json,
    current_settings,
    print_json,
    print_lines,
)
from receiver.commands.store import existing_store, ids_beside
from receiver.diagnoser.rebuilding import rebuild
from receiver.settings import Settings
from receiver.storage.engine import Database

DIFFERING = 1


def declare(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "replay",
        help="rebuild all states and conditions from the log",
        description="Rebuild all states and conditions from the stored signals, whether the service runs or not. The "
        "same log gives the same answer: exit code 1 says that something came out differently, as after a change of "
        "settings.",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Rebuild. Raises SettingsError, StoreUnavailable."""
    settings = current_settings()
    with existing_store(settings) as database:
        subjects, differing = _rebuild(database, settings)
    if options.json:
        print_json({"subjects": subjects, "differing": differing})
    else:
        noun = "subject" if subjects == 1 else "subjects"
        print_lines([f"Rebuilt {subjects} {noun} from the log; {differing} came out differently."])
    return DIFFERING if differing else 0


def _rebuild(database: Database, settings: Settings) -> tuple[int, int]:
    ids, now_ms = ids_beside(database), SystemClock().now_ms()
    rebuilt = database.write_now(lambda connection: rebuild(connection, ids, now_ms, settings.limits()))
    return rebuilt.subjects, rebuilt.differing
