"""What the commands share: the settings, and how they print."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pydantic import JsonValue

from receiver.errors import SettingsError
from receiver.settings import Settings, load_settings
from receiver.terminal import printable

if TYPE_CHECKING:
    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 -- it has no other name
else:
    Commands = object

ENV_FILE = Path(".env")


def current_settings() -> Settings:
    """The settings of this process's environment and the `.env` file in the current folder. Raises SettingsError."""
    try:
        env_file = ENV_FILE if ENV_FILE.is_file() else None
    except PermissionError:
        raise SettingsError(
            "the current folder may not be read, and settings may stand in its .env: start from another folder"
        ) from None
    return load_settings(os.environ, env_file)


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`: one JSON document instead of text."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


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
