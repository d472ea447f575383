"""`receiver serve` as a process of its own, for tests of the command line."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import Request, urlopen

from receiver.simulation.sender import Attempt

PATIENCE_S = 20.0
T = TypeVar("T")


@dataclass
class Served:
    """A process that serves; it keeps all it has in `data_dir`, and writes to the files beside it."""

    process: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def data_dir(self) -> Path:
        """Its data directory."""
        return self.folder / "data"

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a command that is to find what this process has."""
        return {"RECEIVER_DATA_DIR": str(self.data_dir)}

    @property
    def out(self) -> str:
        """What it wrote to stdout."""
        return (self.folder / "out").read_text()

    @property
    def introduction(self) -> str:
        """What it wrote to stderr."""
        return (self.folder / "err").read_text()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its log; a kill may have cut the last line off."""
        return [json.loads(line) for line in self.out.splitlines(keepends=True) if line.endswith("\n")]

    @property
    def url(self) -> str:
        """Where it listens."""
        return next(str(line["url"]) for line in self.lines if line["event"] == "service.started")

    @property
    def secret(self) -> str:
        """The webhook secret that it made."""
        return (self.data_dir / "webhook_secret").read_text().strip()

    @property
    def token(self) -> str:
        """The token that it made."""
        return (self.data_dir / "api_token").read_text().strip()

    def deliver(self, made: Attempt) -> int:
        """The status of the answer to one delivery."""
        headers = {"Content-Type": "application/json", "Livepeer-Signature": made.signature}
        return self._status(Request(f"{self.url}/webhooks/livepeer", made.body, headers))  # noqa: S310 -- http

    def report(self, **observation: object) -> int:
        """The status of the answer to an observation."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        body = json.dumps(observation).encode()
        return self._status(Request(f"{self.url}/v1/observations", body, headers))  # noqa: S310 -- http

    def get(self, path: str) -> str:
        """What the API answers."""
        request = Request(f"{self.url}{path}", headers={"Authorization": f"Bearer {self.token}"})  # noqa: S310 -- http
        with urlopen(request, timeout=PATIENCE_S) as response:  # noqa: S310 -- http
            return str(response.read().decode())

    def stop(self) -> int:
        """Tell it to stop, and wait. Its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def _status(self, request: Request) -> int:
        with urlopen(request, timeout=PATIENCE_S) as response:  # noqa: S310 -- http
            return int(response.status)


SERVE = (sys.executable, "-m", "receiver", "serve")


@contextmanager
def served(folder: Path, settings: Mapping[str, str], command: Sequence[str | Path] = SERVE) -> Iterator[Served]:
    """A process that serves on a free port with these settings, from an empty folder; killed at the end."""
    environment = {"PATH": os.environ["PATH"], "RECEIVER_PORT": "0", "RECEIVER_DATA_DIR": str(folder / "data")}
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=err,
            cwd=folder,
            env={**environment, **settings},
        )
    found = Served(process, folder)
    try:
        wait(lambda: re.search(r'"service.started".*\n', found.out) or process.poll() is not None)
        assert process.poll() is None, found.introduction
        yield found
    finally:
        process.kill()
        process.wait()


def wait(holds: Callable[[], T]) -> T:
    """What is found, as soon as it is found."""
    until = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return found
