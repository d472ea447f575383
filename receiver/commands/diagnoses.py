"""`receiver diagnoses`: what is failing, read from the store, whether the service runs or not."""

import argparse
import textwrap
from collections.abc import Iterator
from functools import partial

from msgspec import to_builtins

from receiver.commands.options import Commands, add_json, current_settings, print_json, print_lines
from receiver.commands.store import existing_store
from receiver.routes.models import Diagnosis
from receiver.routes.shapes import diagnosis
from receiver.routes.streams import unknown_stream
from receiver.storage.engine import Database
from receiver.storage.queries.diagnoses import NOT_RESOLVED, Wanted, diagnoses
from receiver.storage.queries.streams import stream

PAGE = 500
FOUND = 1


def declare(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "diagnoses",
        help="list what is failing",
        description="The open diagnoses, newest first. Exit code 1 says that there are some, 0 that there are none, "
        "2 that nothing is known of such a stream.",
    )
    parser.add_argument("stream", nargs="?", metavar="STREAM", help="only those of this stream's id")
    parser.add_argument("--all", action="store_true", help="resolved ones too")
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print them. Raises SettingsError, StoreUnavailable, NotFound for a stream of which nothing was heard."""
    wanted = Wanted(statuses=None if options.all else NOT_RESOLVED, stream_id=options.stream)
    with existing_store(current_settings()) as database:
        found = list(_all(database, wanted))
        if options.stream is not None and not found:
            _must_be_known(database, options.stream)
    if options.json:
        print_json(to_builtins(found))
    else:
        print_lines(line for one in found for line in _lines(one))
        print_lines([] if found else ["No diagnoses." if options.all else "No open diagnoses."])
    return FOUND if any(one.status != "resolved" for one in found) else 0


def _all(database: Database, wanted: Wanted) -> Iterator[Diagnosis]:
    before: int | None = None
    while page := database.read_now(partial(diagnoses, wanted=wanted, before=before, limit=PAGE)):
        yield from (diagnosis(row) for row in page)
        before = page[-1].seq


def _must_be_known(database: Database, stream_id: str) -> None:
    if database.read_now(partial(stream, stream_id=stream_id)) is None:
        raise unknown_stream(stream_id)


def _lines(one: Diagnosis) -> Iterator[str]:
    muted = f", muted by {one.muted_by}" if one.muted_by else ""
    ended = f", {one.resolution} {one.resolved_at}" if one.resolved_at else ""
    yield f"{one.id}  {one.condition} / {one.reason}  ({one.status}, {one.severity}, {one.certainty}{muted}{ended})"
    yield f"  {one.subject.kind} {one.subject.id}, opened {one.opened_at}"
    yield from textwrap.wrap(one.message, 110, initial_indent="  ", subsequent_indent="  ")
    yield ""
