"""`receiver quarantine`: deliveries that could not be verified; taken in once the right secret is configured."""

import argparse

from receiver.commands.options import (
    Commands,
    add_json,
    current_settings,
    print_json,
    print_lines,
    table,
)
from receiver.commands.store import beside, existing_store
from receiver.keys import existing_webhook_secrets
from receiver.livepeer.signature import Keyring
from receiver.reception import Reception
from receiver.release import Released, listing, release
from receiver.times import rfc3339

REFUSED = 1


def declare(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("quarantine", help="list or release what could not be verified", description=__doc__)
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    listed = actions.add_parser("list", help="list what is held, oldest first", description="List what is held.")
    add_json(listed)
    listed.set_defaults(run=run_list)
    released = actions.add_parser(
        "release",
        help="take in what the configured secrets verify now",
        description="Verify what is held against the secrets configured now, and take in what passes. A running "
        "service diagnoses it at once, a stopped one when it starts. Exit code 1 says that something is still refused.",
    )
    released.add_argument(
        "--ignore-age",
        action="store_true",
        help="take in also what was too old or too new when it came (RECEIVER_TOLERANCE_S)",
    )
    add_json(released)
    released.set_defaults(run=run_release)


def run_list(options: argparse.Namespace) -> int:
    """Print what is held. Raises SettingsError, StoreUnavailable."""
    with existing_store(current_settings()) as database:
        rows = [row._asdict() | {"received_at": rfc3339(row.received_ms)} for row in listing(database)]
    columns = ["received_at", "code", "event", "event_id", "webhook_id", "remote", "bytes"]
    if options.json:
        print_json([{name: row[name] for name in columns} for row in rows])
    else:
        print_lines(table(columns, rows) if rows else ["The quarantine is empty."])
    return 0


def run_release(options: argparse.Namespace) -> int:
    """Take in what passes. Raises SettingsError, StoreUnavailable."""
    settings = current_settings()
    tolerance_ms = None if options.ignore_age else settings.tolerance_ms
    with existing_store(settings) as database:
        keyring = Keyring(existing_webhook_secrets(settings))
        reception = Reception(keyring, tolerance_ms, settings.allow_unsigned)
        with beside(database) as member:
            released = release(database, member.ids, reception)
    if options.json:
        print_json({"accepted": released.accepted, "duplicate": released.duplicate, "refused": dict(released.refused)})
    else:
        print_lines(_summary(released))
    return REFUSED if released.refused else 0


def _summary(released: Released) -> list[str]:
    lines = [f"Taken in: {released.accepted} new, {released.duplicate} known already."]
    if released.refused:
        codes = ", ".join(f"{count} {code}" for code, count in sorted(released.refused.items()))
        lines.append(f"Still refused: {codes}. They stay in quarantine.")
    return lines
