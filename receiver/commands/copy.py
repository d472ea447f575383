"""`receiver db copy SOURCE TARGET`: carry an installation over to another database, as from SQLite to PostgreSQL."""

import argparse
import secrets
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from pydantic import JsonValue
from sqlalchemy import Connection

from receiver.clock import Clock, SystemClock
from receiver.commands.copy_keys import carry, digest_key_of, may_carry
from receiver.commands.copy_sides import (
    Held,
    Side,
    kept_from_serving,
    must_differ,
    settings_of,
    source_side,
    target_side,
)
from receiver.commands.options import Commands, add_json, current_settings, print_json, print_lines, table
from receiver.commands.progress import Bar
from receiver.commands.store import lost_in_crash
from receiver.errors import SettingsError
from receiver.settings import Settings
from receiver.storage import copy_marks, nodes
from receiver.storage.copy_marks import Copying
from receiver.storage.copying import Copied, Source, copy
from receiver.storage.latest import latest_seq

NOT_FINAL: Final = 1
_COLUMNS: Final = ("table", "rows", "added", "changed", "removed", "digest")
_FINAL: Final = "The copy is complete and verified: {:,} rows are the same on both sides. It took {:.1f} s."
_NOT_FINAL: Final = (
    "The copy is NOT final: the source is being served. {:,} rows are there so far; it took {:.1f} s. Now stop the"
    " service and run the same command again: it carries over what is new or has changed since, and verifies all."
)
_SWITCH: Final = "Now set RECEIVER_DATABASE_URL to the target and start the service; the source is left as it is."
_SECRETS: Final = (
    "With PostgreSQL the webhook secret and the API token are configured: where they were made by the service,"
    " set RECEIVER_WEBHOOK_SECRETS_FILE={0}/webhook_secret and RECEIVER_API_TOKENS_FILE={0}/api_token."
)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of each table, and how long it took; `final` where nothing can have changed meanwhile."""

    tables: Mapping[str, Copied]
    final: bool
    took_ms: int


def declare(actions: Commands) -> None:
    """Add the action to `receiver db`."""
    parser = actions.add_parser(
        "copy",
        help="carry all over to another database, such as from SQLite to PostgreSQL",
        description="Carry an installation over to another database: from SQLite to PostgreSQL, back, or to one of the "
        "same kind. Run it while the service runs (exit code 1: the copy is not final), stop the service, and run it "
        "again: it carries over what is new, has changed or has gone, verifies all of it, and ends with exit code 0. "
        "Only then the target can be served. May be stopped at any moment, and begun again.",
    )
    for name in ("source", "target"):
        parser.add_argument(name, metavar=name.upper(), help="as RECEIVER_DATABASE_URL, or the path of a SQLite file")
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Copy. Raises SettingsError, StoreUnavailable."""
    settings = current_settings()
    source = settings_of(settings, "SOURCE", options.source)
    target = settings_of(settings, "TARGET", options.target)
    must_differ(source, target)
    with kept_from_serving(source) as kept:
        if kept:
            sys.stderr.writelines(f"{lost}\n" for lost in lost_in_crash(source))
        with source_side(source) as from_side, target_side(target) as to_side:
            key = digest_key_of(settings, source, from_side)
            may_carry(settings, target, key)
            move = Move(from_side, to_side, SystemClock(), served=not kept, wanted=not options.json)
            result = move.run(key, lambda: carry(settings, target, key))
    _tell(result, _advice(settings, source, target), as_json=options.json)
    return 0 if result.final else NOT_FINAL


class Move:
    """One run of the command."""

    def __init__(self, source: Side, target: Side, clock: Clock, *, served: bool, wanted: bool) -> None:
        """Whether a service on a file is `served`, and progress `wanted`."""
        self._source, self._target, self._clock = source, target, clock
        self._served, self._wanted = served, wanted

    def run(self, digest_key: str, carry_key: Callable[[], None]) -> Result:
        """Copy what can be copied now. Raises SettingsError, StoreUnavailable."""
        began_ms = self._clock.now_ms()
        copying = Copying(secrets.token_hex(8))
        before = self._target.write(lambda c: copy_marks.begin(c, copying, digest_key, began_ms))
        self._must_be_two(copying, before)
        carry_key()
        with Bar(sys.stderr, self._clock, wanted=self._wanted) as bar:
            tables, final = self._copy(copying, bar)
        if final:
            self._target.write(lambda c: copy_marks.complete(c, copying, self._clock.now_ms()))
        return Result(tables, final, self._clock.now_ms() - began_ms)

    def _must_be_two(self, copying: Copying, before: str) -> None:
        """One server can have several names."""
        if self._source.read(lambda c: copy_marks.is_held(c, copying)):
            self._target.write(lambda c: copy_marks.undo(c, copying, before))
            raise SettingsError(copy_marks.SAME)

    def _copy(self, copying: Copying, bar: Bar) -> tuple[Mapping[str, Copied], bool]:
        """What became of the tables, and whether nothing can have changed meanwhile."""

        def copy_from(source: Source, *, still: bool) -> Mapping[str, Copied]:
            return copy(source, self._target, copying, partial(bar.show, of=None), still=still)

        if self._is_served():
            return copy_from(self._source, still=False), False
        tables, seq = self._source.alone(lambda c: (copy_from(Held(c), still=True), latest_seq(c)))
        return tables, not self._is_served() and self._source.read(latest_seq) == seq

    def _is_served(self) -> bool:
        return self._served or self._source.read(self._is_in_use)

    def _is_in_use(self, connection: Connection) -> bool:
        """Of a file its lock has told already, which tells a service that was just killed from one that runs."""
        return not self._source.embedded and nodes.in_use(connection, self._clock.now_ms())


def _advice(settings: Settings, source: Settings, target: Settings) -> Iterable[str]:
    """What comes next."""
    yield _SWITCH
    configured = settings.webhook_secrets and settings.api_tokens
    if source.embedded and not target.embedded and not configured:
        yield _SECRETS.format(settings.data_dir)


def _tell(result: Result, advice: Iterable[str], *, as_json: bool) -> None:
    if as_json:
        tables: dict[str, JsonValue] = {name: _row(one) for name, one in result.tables.items()}
        print_json({"final": result.final, "took_ms": result.took_ms, "tables": tables})
        return
    rows = [{"table": name, **_row(one)} for name, one in result.tables.items()]
    total, took_s = sum(one.rows for one in result.tables.values()), result.took_ms / 1000
    said = (_FINAL if result.final else _NOT_FINAL).format(total, took_s)
    print_lines([*table(_COLUMNS, rows), "", said, *(advice if result.final else ())])


def _row(one: Copied) -> dict[str, JsonValue]:
    digest = None if one.tally is None else one.tally.digest
    return dict(zip(_COLUMNS[1:], (one.rows, one.added, one.changed, one.removed, digest), strict=True))
