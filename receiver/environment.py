"""Where settings come from: variables of the environment, a `.env` file, and files that hold secrets.

The environment wins over the `.env` file. Nothing here reads `os.environ`: it is handed in.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from receiver.errors import SettingsError

PREFIX = "RECEIVER_"
_LARGEST_FILE = 1 << 16
_SERVICE_LINK = re.compile(r"SERVICE_(HOST|PORT)(_.*)?|PORT_[0-9]+_.*")


@dataclass(frozen=True, slots=True)
class Given:
    """What was written for a setting, the variable that it stands in, and the `.env` file where the variable stands in
    one. Lines of a file come as a tuple."""

    variable: str
    value: str | tuple[str, ...] = field(repr=False)
    env_file: Path | None = None

    @property
    def named(self) -> str:
        """The variable as a message begins with it, after the file that it has to be corrected in."""
        return self.variable if self.env_file is None else f"{self.env_file}: {self.variable}"


def gather(
    environ: Mapping[str, str],
    env_file: Path | None,
    *,
    known: Collection[str],
    in_files: Collection[str],
    documents: Collection[str] = (),
) -> dict[str, Given]:
    """What is given for each of the `known` settings, by its name without prefix, in capitals. Those `in_files` may be
    given as `<name>_FILE` instead, one entry on each line; of those that are `documents`, the file is one text.

    Raises SettingsError for a variable with our prefix that is no setting, an empty one, one given both ways, and a
    file that cannot be read.
    """
    written = dict(_ours(_read_env_file(env_file), env_file) if env_file else ()) | dict(_ours(environ))
    variables = [*known, *(f"{name}_FILE" for name in in_files)]
    given: dict[str, Given] = {}
    for name, entry in written.items():
        if name not in variables:
            raise SettingsError(f"{entry.named}: {_unknown(name, variables)}")
        if not entry.value:
            raise SettingsError(f"{entry.named}: is empty; write a value, or remove it to use the default")
        given[name] = entry
    return dict(_without_files(given, in_files, documents))


def _ours(variables: Mapping[str, str], env_file: Path | None = None) -> Iterator[tuple[str, Given]]:
    for variable, value in variables.items():
        entry = Given(variable, value.strip(), env_file)
        if variable.startswith(PREFIX):
            yield variable.removeprefix(PREFIX), entry
        elif variable.upper().startswith(PREFIX):
            raise SettingsError(f"{entry.named}: names of settings are written in capitals; write {variable.upper()}")


def _unknown(name: str, variables: Collection[str]) -> str:
    if _SERVICE_LINK.fullmatch(name):
        return (
            "is no setting, but what Kubernetes makes for a service named `receiver`; set"
            " `enableServiceLinks: false` in the pod, or name the service differently"
        )
    plain = name.removesuffix("_FILE")
    near = [plain] if plain in variables else get_close_matches(name, variables, n=1)
    advice = f"did you mean {PREFIX}{near[0]}?" if near else "remove it; the README lists all settings"
    return f"is no setting; {advice}"


def _without_files(
    given: Mapping[str, Given], in_files: Collection[str], documents: Collection[str]
) -> Iterator[tuple[str, Given]]:
    """Each setting by its own name, those in files read."""
    for name, entry in given.items():
        plain = name.removesuffix("_FILE")
        if plain == name or plain not in in_files:
            yield name, entry
        elif plain in given:
            raise SettingsError(
                f"{given[plain].named}: is given twice, here and as {entry.variable}; remove one of them"
            )
        else:
            yield plain, replace(entry, value=_document(entry) if plain in documents else _lines(entry))


def _document(entry: Given) -> str:
    path = Path(str(entry.value))
    text = _read(path, entry.named).strip()
    if not text:
        raise SettingsError(f"{entry.named}: {path} is empty; write the whole document into it")
    return text


def _lines(entry: Given) -> tuple[str, ...]:
    path = Path(str(entry.value))
    lines = [line.strip() for line in _read(path, entry.named).splitlines()]
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            raise SettingsError(
                f"{entry.named}: line {number} of {path} begins with #; there are no comments in this file, remove it"
            )
    found = tuple(line for line in lines if line)
    if not found:
        raise SettingsError(f"{entry.named}: {path} is empty; write one entry on each line")
    return found


def _read_env_file(path: Path) -> dict[str, str]:
    """The variables of a `.env` file; none where there is no such file."""
    if not path.exists():
        return {}
    found: dict[str, str] = {}
    for binding in parse_stream(StringIO(_read(path, str(path)))):
        if binding.error:
            line = binding.original.line
            raise SettingsError(f"{path}: line {line} is not of the form NAME=value; correct it, or put a # before it")
        if binding.key is not None:
            found[binding.key] = binding.value or ""
    return found


def _read(path: Path, named_by: str) -> str:
    """A small text file. Raises SettingsError, which names what the path was taken from."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise SettingsError(f"{named_by}: {path} cannot be read: {error.strerror or error}; check the path") from None
    if len(content) > _LARGEST_FILE:
        raise SettingsError(f"{named_by}: {path} is larger than {_LARGEST_FILE} bytes; check the path")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{named_by}: {path} is not UTF-8 text; save it as UTF-8") from None
