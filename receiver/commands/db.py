"""`receiver db`: the database itself."""

import argparse

from receiver.commands.options import Commands, current_settings, print_lines
from receiver.storage.schema import migrate


def declare(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("db", help="bring the database up to date", description=__doc__)
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    upgrade = actions.add_parser(
        "upgrade",
        help="apply the migrations of this version",
        description="Apply the migrations of this version. `receiver serve` does so by itself on SQLite.",
    )
    upgrade.set_defaults(run=run)


def run(_options: argparse.Namespace) -> int:
    """Apply the migrations. Raises SettingsError, StoreUnavailable."""
    settings = current_settings()
    if settings.embedded:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    migrate(settings.url)
    print_lines(["The database is up to date."])
    return 0
