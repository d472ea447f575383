"""`receiver replay`: conclude everything anew from the log of signals."""

import argparse
import sys

from receiver.clock import SystemClock
from receiver.commands.garbage import collecting_seldom
from receiver.commands.options import (
    Commands,
    add_json,
    current_settings,
    print_json,
    print_lines,
)
from receiver.commands.progress import Bar
from receiver.commands.store import beside, existing_store
from receiver.diagnoser.rebuilding import Rebuilt, rebuild
from receiver.settings import Settings
from receiver.storage.engine import Database

DIFFERING = 1


def declare(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "replay",
        help="rebuild all states and conditions from the log",
        description="Rebuild all states and conditions from the stored signals, whether the service runs or not: "
        "it goes on beside. The same log gives the same answer: exit code 1 says that something came out differently, "
        "as after a change of settings. May be stopped at any moment, and begun again.",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Rebuild. Raises SettingsError, StoreUnavailable."""
    settings = current_settings()
    with existing_store(settings) as database:
        rebuilt = _rebuild(database, settings, wanted=not options.json)
    if options.json:
        print_json({"subjects": rebuilt.subjects, "differing": rebuilt.differing})
    else:
        noun = "subject" if rebuilt.subjects == 1 else "subjects"
        print_lines([f"Rebuilt {rebuilt.subjects} {noun} from the log; {rebuilt.differing} came out differently."])
    return DIFFERING if rebuilt.differing else 0


def _rebuild(database: Database, settings: Settings, *, wanted: bool) -> Rebuilt:
    clock = SystemClock()
    with collecting_seldom(), beside(database) as member, Bar(sys.stderr, clock, wanted=wanted) as bar:
        return rebuild(
            database,
            member.ids,
            clock,
            settings.limits(),
            show=lambda progress: bar.show(progress.what, progress.done, progress.of),
        )
