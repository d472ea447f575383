"""`receiver simulate`: whole stories of signed deliveries, played against a throwaway service or a running one."""

import argparse

from receiver.commands.options import Commands


def declare(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("simulate", help="play a story", description=__doc__)
    parser.set_defaults(run=run)


def run(_options: argparse.Namespace) -> int:
    return 0
