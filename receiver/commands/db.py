"""`receiver db`: the database itself."""

import argparse

from receiver.commands import compact, copy
from receiver.commands.options import Commands, add_json, current_settings, print_json, print_lines
from receiver.commands.store import plainly, ready_place
from receiver.storage.schema import migrate


def declare(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "db", help="bring the database up to date, or carry it over to another", description="The database itself."
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    upgrade = actions.add_parser(
        "upgrade",
        help="apply the migrations of this version",
        description="Apply the migrations of this version. `receiver serve` does so by itself on SQLite.",
    )
    add_json(upgrade)
    upgrade.set_defaults(run=run)
    copy.declare(actions)
    compact.declare(actions)


def run(options: argparse.Namespace) -> int:
    """Apply the migrations. Raises SettingsError, StoreUnavailable."""
    settings = current_settings()
    ready_place(settings)
    with plainly(settings):
        migrate(settings.url)
    if options.json:
        print_json({"up_to_date": True})
    else:
        print_lines(["The database is up to date."])
    return 0
