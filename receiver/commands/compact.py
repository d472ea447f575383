"""`receiver db compact`: write a SQLite file anew, as small as it can be."""

import argparse

from receiver.commands.options import Commands, add_json, current_settings, print_json, print_lines
from receiver.commands.store import existing_store, plainly
from receiver.errors import SettingsError
from receiver.storage import space
from receiver.storage.sqlite import ProcessLock

_NOT_A_FILE = "RECEIVER_DATABASE_URL: a PostgreSQL server looks after its own room; there is nothing to do."


def declare(actions: Commands) -> None:
    """Add the action to `receiver db`."""
    compact = actions.add_parser(
        "compact",
        help="write a SQLite file anew, as small as it can be",
        description="Write the SQLite file anew, as small as it can be, while no service runs: it refuses where one "
        "does. For a time it needs twice the room of the file on its disk. A service gives back by itself what old "
        "events leave; a file that was made by a version which did not does so once it was compacted.",
    )
    add_json(compact)
    compact.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compact. Raises SettingsError, also while a service runs, and StoreUnavailable."""
    settings = current_settings()
    if not settings.embedded:
        raise SettingsError(_NOT_A_FILE)
    with existing_store(settings):
        pass
    with ProcessLock(settings.url), plainly(settings):
        before, after = space.compact(settings.url)
    if options.json:
        print_json({"bytes_before": before, "bytes_after": after})
    else:
        print_lines([f"The file had {_megabytes(before)} MB and has {_megabytes(after)} MB."])
    return 0


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f}"
