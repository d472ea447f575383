"""What the commands share: the settings, the store that they look into, and how they print."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pydantic import JsonValue
from sqlalchemy import make_url

from receiver.clock import SystemClock
from receiver.errors import SettingsError, StoreUnavailable
from receiver.ids import NODES, Ids
from receiver.settings import Settings, load_settings
from receiver.storage.engine import Database, sqlite_path
from receiver.storage.latest import latest_seq
from receiver.storage.schema import is_current
from receiver.terminal import printable

if TYPE_CHECKING:
    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 -- it has no other name
else:
    Commands = object

ENV_FILE = Path(".env")


def current_settings() -> Settings:
    """The settings of this process's environment and the `.env` file in the current folder. Raises SettingsError."""
    return load_settings(os.environ, ENV_FILE if ENV_FILE.is_file() else None)


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`: one JSON document instead of text."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


@contextmanager
def existing_store(settings: Settings) -> Iterator[Database]:
    """The store of a service that has been started before, whether it runs or not.

    Raises SettingsError where there is none, StoreUnavailable where it cannot be used.
    """
    if settings.embedded:
        _must_exist(sqlite_path(make_url(settings.url)))
    database = Database.open(settings.url)
    try:
        if not database.read_now(is_current):
            raise StoreUnavailable("The database has another version's schema. Run `receiver db upgrade` first.")
        yield database
    finally:
        database.close_now()


def _must_exist(file: Path) -> None:
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise SettingsError(
            f"There is no database at {file} yet. Run `receiver serve` first, or set RECEIVER_DATA_DIR or"
            " RECEIVER_DATABASE_URL as the service has it."
        ) from None
    except OSError as error:
        raise SettingsError(
            f"The database at {file} cannot be used: {error.strerror or error}. Run this as the user that the service"
            " runs as."
        ) from None


def ids_beside(database: Database) -> Ids:
    """Ids for a command that writes: other than those of a service that runs, and of other commands."""
    return Ids(SystemClock(), 1 + os.getpid() % (NODES - 1), floor=database.read_now(latest_seq))


def print_json(value: JsonValue) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_lines(lines: Iterable[str]) -> None:
    """Lines on stdout; control characters in them are shown, not obeyed."""
    sys.stdout.writelines(f"{printable(line)}\n" for line in lines)


def table(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Lines of a table: a head, and each row's values under their columns."""
    shown = [[("" if row[name] is None else str(row[name])) for name in columns] for row in rows]
    widths = [max([len(name), *(len(line[index]) for line in shown)]) for index, name in enumerate(columns)]
    return [
        _padded([name.upper().replace("_", " ") for name in columns], widths),
        *(_padded(line, widths) for line in shown),
    ]


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
