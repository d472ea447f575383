"""The servers that are compared, each a process of its own (or with workers of its own) on one core,
unless it is given others."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

SECRET = "whsec_benchmark-of-ingest"
CORE = 0
STARTS_WITHIN_S = 30.0
_FULL = 2

_HERE = Path(__file__).parent
_PROGRAMS = f"{_HERE}/programs"
_AIOHTTP = (f"{_PROGRAMS}/aiohttp_sqlalchemy.py",)
_FASTAPI = ("-m", "uvicorn", "--app-dir", _PROGRAMS, "--port", "0", "fastapi_sqlalchemy:app")
_GUNICORN = ("-m", "gunicorn", "--chdir", _PROGRAMS, "--bind", "127.0.0.1:0", "flask_sqlite:create_app()")
_FLASK = (*_GUNICORN, "--workers", "4")
PROGRAMS: Mapping[str, Sequence[str]] = {
    "aiohttp": _AIOHTTP,
    "fastapi": _FASTAPI,
    "flask": _FLASK,
    "aiohttp-wal": _AIOHTTP,
    "fastapi-wal": _FASTAPI,
    "fastapi-wal-silent": (*_FASTAPI, "--no-access-log"),
    "flask-wal": _FLASK,
    "flask-wal-threads": (*_GUNICORN, "--preload", "--workers", "2", "--threads", "4"),
}
"""What others would write, by a short name, and how it is started with Python. The first three are as their
documentation has them: FastAPI on uvicorn, which logs each request, as we do, and Flask on four workers of gunicorn,
which close each connection after its answer; their database is a file of SQLite as it comes, with a rollback journal.
Then the same with a write-ahead log, which their documentation does not have, but which one who knows SQLite would add;
and FastAPI and Flask once more as they were fastest on one core: without the log of requests, and with threads."""
_NOTHING: Mapping[str, str] = {}
_LISTENS = re.compile(r"(?:^|http://127\.0\.0\.1:)(\d+)\b")


@contextmanager
def bare(folder: Path) -> Iterator[int]:
    """The bare handler's port."""
    with _serving([sys.executable, str(_HERE / "bare.py")], folder / "bare", {}, _listening) as port:
        yield port


@contextmanager
def decision_url(folder: Path) -> Iterator[int]:
    """The port of what decides for a gate, on the other core."""
    command = [sys.executable, str(_HERE / "deciding.py")]
    with _serving(command, folder / "deciding", {}, _listening, (1 - CORE,)) as port:
        yield port


@contextmanager
def program(name: str, folder: Path, more: Mapping[str, str] = _NOTHING) -> Iterator[int]:
    """The port of one of `PROGRAMS`, with an empty database in the folder: `database(name, folder)`. `more` joins its
    environment."""
    with closing(sqlite3.connect(database(name, folder))) as empty:
        if "-wal" in name:
            empty.execute("PRAGMA journal_mode = WAL").close()  # the file's own property: whoever opens it has it
        assert empty.execute("PRAGMA synchronous").fetchone() == (_FULL,), "SQLite syncs what it commits"
    environ = {"DATABASE": str(database(name, folder)), "WEBHOOK_SECRET": SECRET, **more}
    with _serving([sys.executable, *PROGRAMS[name]], folder / name, environ, _listening) as port:
        yield port


def database(name: str, folder: Path) -> Path:
    """Where one of `PROGRAMS` keeps its events."""
    return folder / f"{name}.sqlite3"


@contextmanager
def receiver(folder: Path, more: Mapping[str, str] = _NOTHING, cores: Collection[int] = (CORE,)) -> Iterator[int]:
    """The port of `receiver serve` with its usual settings on the database in the folder, which is made where there is
    none; its log is a file. `more` joins its environment."""
    environ = {"RECEIVER_DATA_DIR": str(folder), "RECEIVER_PORT": "0", "RECEIVER_WEBHOOK_SECRETS": SECRET, **more}
    with _serving([sys.executable, "-m", "receiver", "serve"], folder / "receiver", environ, _started, cores) as port:
        yield port


def _started(line: str) -> int | None:
    told = json.loads(line) if line.startswith("{") else {}
    return int(told["url"].rpartition(":")[2]) if told.get("event") == "service.started" else None


def _listening(line: str) -> int | None:
    found = _LISTENS.search(line)
    return None if found is None else int(found[1])


@contextmanager
def _serving(
    command: list[str],
    files: Path,
    environ: dict[str, str],
    port_in: Callable[[str], int | None],
    cores: Collection[int] = (CORE,),
) -> Iterator[int]:
    """Run a server until the block ends; a line of what it prints, as a result or as an error, says on which
    port it listens. Its process id is left in a file beside its output."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
    out, err = files.with_suffix(".out"), files.with_suffix(".err")
    with out.open("w") as printed, err.open("w") as errors:
        process = subprocess.Popen(command, stdout=printed, stderr=errors, env={**usual, **environ})  # noqa: S603 -- ours
    os.sched_setaffinity(process.pid, cores)
    files.with_suffix(".pid").write_text(str(process.pid))
    try:
        yield _wait_for_port(process, out, err, port_in)
    finally:
        process.terminate()
        process.wait()


def _wait_for_port(
    process: "subprocess.Popen[bytes]", out: Path, err: Path, port_in: Callable[[str], int | None]
) -> int:
    until = time.monotonic() + STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < until:
        for line in (out.read_text() + err.read_text()).splitlines():
            port = port_in(line)
            if port is not None:
                return port
        time.sleep(0.02)
    raise RuntimeError(f"the server did not start: {err.read_text()}")
