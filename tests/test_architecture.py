"""The house plan of the code, held: imports point one way, what is pure stays pure, one module reads the clock."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the ground up. A room may import the rooms of the floors below it and itself, never a neighbour on its floor.
# Single modules at the top of the package that belong together share a room. A package within one may have a room of
# its own: the client of the Studio API is the one part of `livepeer` that acts, and that knows HTTP.
FLOORS: Sequence[Mapping[str, frozenset[str]]] = (
    {"redaction": frozenset({"redaction"})},
    {
        "diagnosis": frozenset({"diagnosis"}),
        "livepeer": frozenset({"livepeer"}),
        "ground": frozenset({"clock", "errors", "hosts", "ids", "rates", "stream_keys", "terminal", "times", "tokens"}),
    },
    {
        "intake": frozenset({"intake", "sightings"}),
        "settings": frozenset({"environment", "gate_values", "keeping", "keys", "setting_values", "settings"}),
        "logs": frozenset({"background", "logs"}),
    },
    {"storage": frozenset({"storage"})},
    {
        "inbox": frozenset(
            {
                "delivery_log",
                "group_commit",
                "inbox",
                "observations",
                "quarantine",
                "reception",
                "refusals",
                "rehearsal",
                "release",
                "seeing",
            }
        ),
        "diagnoser": frozenset({"diagnoser"}),
        "studio": frozenset({"livepeer.studio"}),
        "gates": frozenset({"gates"}),
    },
    {"evidence": frozenset({"evidence"})},
    {
        "routes": frozenset({"routes"}),
        "outlets": frozenset({"outlets"}),
        "simulation": frozenset({"simulation"}),
    },
    {"app": frozenset({"app", "heartbeat", "membership", "retention", "write_ahead"})},
    {"entry": frozenset({"__main__", "cli", "commands"})},
)
ROOM_OF: Mapping[str, str] = {name: room for floor in FLOORS for room, names in floor.items() for name in names}
FLOOR_OF: Mapping[str, int] = {room: level for level, floor in enumerate(FLOORS) for room in floor}

PURE = (
    "receiver.diagnosis",
    "receiver.gates.decision",
    "receiver.gates.tally",
    "receiver.intake",
    "receiver.livepeer.envelope",
    "receiver.livepeer.reading",
    "receiver.livepeer.gate",
    "receiver.livepeer.signature",
    "receiver.livepeer.verification",
    "receiver.sightings",
)
IMPURE = frozenset(
    {"aiohttp", "alembic", "httpx", "psycopg", "requests", "sqlalchemy", "structlog"}
    | {"asyncio", "concurrent", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "socket"}
    | {"sqlite3", "subprocess", "sys", "tempfile", "threading", "time", "uuid"}
)
TELLS_THE_TIME = frozenset({"now", "utcnow", "today"})
IMPURE_CALLS = frozenset({"open", "print", "input"})
KNOW_NO_HTTP = ("storage", "inbox", "diagnoser", "diagnosis", "intake", "livepeer", "settings", "ground", "redaction")


@dataclass(frozen=True)
class Module:
    """One module of the package, parsed."""

    name: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """Where the house plan puts it; empty for the package itself."""
        return room_of(self.name) if "." in self.name else "package"

    def imports(self) -> Iterator[tuple[int, str]]:
        """Each import with its line, those within functions too: `from a import b` is of `a.b` where that may be a
        module of ours, else of `a`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}:{node.lineno} imports relatively; write the whole name"
                for whole in (f"{node.module}.{alias.name}" for alias in node.names):
                    has_a_place = node.module == "receiver" or whole.removeprefix("receiver.") in ROOM_OF
                    yield node.lineno, whole if has_a_place else node.module or ""


def room_of(name: str) -> str:
    """The room of a module, or of a name in one: of the longest part of its name that has a room; empty without."""
    parts = name.split(".")[1:]
    return next((room for end in (2, 1) if (room := ROOM_OF.get(".".join(parts[:end])))), "")


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package."""
    files = sorted((ROOT / "receiver").rglob("*.py"))
    named = ((".".join(file.relative_to(ROOT).with_suffix("").parts), file) for file in files)
    return tuple(parsed(name, file.read_text("utf-8")) for name, file in named)


def parsed(name: str, source: str) -> Module:
    """A module of that name and source."""
    return Module(name.removesuffix(".__init__"), ast.parse(source))


def against_the_plan(module: Module) -> Iterator[str]:
    """What the module imports that its room may not, in words."""
    for line, name in module.imports():
        if not name.startswith("receiver."):
            continue
        target = room_of(name)
        if target and target != module.room and FLOOR_OF[target] >= FLOOR_OF[module.room]:
            allowed = sorted(chain.from_iterable(FLOORS[: FLOOR_OF[module.room]])) or ["nothing but itself"]
            yield f"{module.name}:{line} imports {name}; {module.room} may import {', '.join(allowed)}"


def impurities(module: Module) -> Iterator[str]:
    """What a pure module does or imports that it must not, in words."""
    for line, name in module.imports():
        if name.partition(".")[0] in IMPURE:
            yield f"{module.name}:{line} imports {name}, but is pure: it does no I/O, never waits, and asks for nothing"
    yield from clock_readings(module)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            yield f"{module.name}:{node.lineno} calls {node.func.id}(), but is pure"


def clock_readings(module: Module) -> Iterator[str]:
    """Where the module asks for the time instead of being told, in words."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        holder = ast.unparse(node.func.value).rpartition(".")[2]
        of_calendar = holder in {"datetime", "date"} and node.func.attr in TELLS_THE_TIME
        if of_calendar or (holder == "time" and node.func.attr in {"time", "time_ns", "localtime", "gmtime"}):
            yield f"{module.name}:{node.lineno} asks for the time; take `now_ms` or a Clock instead"


def told(problems: Iterator[str]) -> str:
    """Problems as they are read in a failure."""
    return "\n".join(problems)


def test_every_module_has_its_place() -> None:
    """Who adds a module at the top of the package says on which floor it stands, in this file."""
    homeless = (
        f"{module.name} has no place in FLOORS (tests/test_architecture.py)" for module in modules() if not module.room
    )
    assert told(homeless) == ""


def test_imports_point_one_way() -> None:
    """Entry, app, routes and outlets, use cases, storage, what is pure: each imports only what is below it, nobody
    imports the app but the entry, and rooms on one floor leave each other alone (DESIGN 7)."""
    assert told(chain.from_iterable(against_the_plan(m) for m in modules() if m.room not in {"", "package"})) == ""


def test_what_is_pure_imports_nothing_that_acts() -> None:
    """The diagnosis, and reading and verifying what Livepeer says, do no I/O, never wait, draw no random number and
    never ask for the time (DESIGN 4, 7)."""
    assert told(chain.from_iterable(impurities(m) for m in modules() if is_pure(m))) == ""


def is_pure(module: Module) -> bool:
    """Whether the module belongs to what must be pure."""
    return any(module.name == name or module.name.startswith(f"{name}.") for name in PURE)


def test_all_that_must_be_pure_is_there() -> None:
    """A pure module that is renamed does not slip out of the rule."""
    assert set(PURE) <= {module.name for module in modules()}


def test_one_module_reads_the_clock() -> None:
    """Time is an input everywhere else (P6)."""
    readings = chain.from_iterable(clock_readings(m) for m in modules() if m.name != "receiver.clock")
    assert told(readings) == ""


def test_only_the_edge_knows_http() -> None:
    """The use cases and all below them could be reached in another way."""
    knowing = (
        f"{module.name}:{line} imports {name}; {module.room} knows nothing of HTTP"
        for module in modules()
        if module.room in KNOW_NO_HTTP
        for line, name in module.imports()
        if name.partition(".")[0] == "aiohttp"
    )
    assert told(knowing) == ""


CLIENT = "receiver.livepeer.studio.client"
BELOW_STORAGE = "diagnosis, ground, intake, livepeer, logs, redaction, settings"


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        (
            "receiver.diagnosis.rules.publish",
            "from receiver.storage import cases",
            "receiver.diagnosis.rules.publish:1 imports receiver.storage; diagnosis may import redaction",
        ),
        (
            "receiver.storage.cases",
            "def late():\n    import receiver.diagnoser.loop",
            f"receiver.storage.cases:2 imports receiver.diagnoser.loop; storage may import {BELOW_STORAGE}",
        ),
        (
            "receiver.inbox",
            "from receiver import diagnoser",
            f"receiver.inbox:1 imports receiver.diagnoser; inbox may import {BELOW_STORAGE}, storage",
        ),
        (
            "receiver.livepeer.envelope",
            "from receiver.livepeer import studio",
            "receiver.livepeer.envelope:1 imports receiver.livepeer.studio; livepeer may import redaction",
        ),
        (
            "receiver.diagnoser.loop",
            f"import {CLIENT}",
            f"receiver.diagnoser.loop:1 imports {CLIENT}; diagnoser may import {BELOW_STORAGE}, storage",
        ),
        (CLIENT, "from receiver.livepeer.reading import read_name", ""),
        ("receiver.routes.api", "from receiver.inbox import Inbox", ""),
        ("receiver.commands.serve", "from receiver.app import build", ""),
    ],
)
def test_an_import_against_the_plan_is_told_in_words(name: str, source: str, expected: str) -> None:
    """The failure names the module, the line, the import, and what would be allowed."""
    assert expected == told(against_the_plan(parsed(name, source)))


def test_importing_the_app_is_told_in_words() -> None:
    """Whoever is not an entry point hears that the app is not theirs."""
    found = told(against_the_plan(parsed("receiver.outlets.log", "import receiver.app")))
    assert found.startswith("receiver.outlets.log:1 imports receiver.app; outlets may import ")


@pytest.mark.parametrize(
    "source",
    [
        "import asyncio",
        "from sqlalchemy import Connection",
        "def f():\n    import time",
        "import logging.config",
        "from datetime import datetime\nx = datetime.now()",
        "import datetime\nx = datetime.datetime.now(datetime.UTC)",
        "from datetime import date\nx = date.today()",
        "x = open('file')",
        "print('here')",
    ],
)
def test_an_impurity_is_found(source: str) -> None:
    """What would make a pure module act does not pass, wherever it stands in the module."""
    assert told(impurities(parsed("receiver.diagnosis.life", source))) != ""


def test_reading_a_calendar_is_pure() -> None:
    """To write a given moment as a date asks nobody for the time."""
    source = "from datetime import UTC, datetime\nx = datetime.fromtimestamp(0, UTC)\nclock = print"
    assert told(impurities(parsed("receiver.diagnosis.verdicts", source))) == ""
