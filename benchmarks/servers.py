"""The two servers that are compared, each a process of its own on one core."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SECRET = "whsec_benchmark-of-ingest"
CORE = 0
STARTS_WITHIN_S = 30.0


@contextmanager
def bare(folder: Path) -> Iterator[int]:
    """The bare handler's port."""
    command = [sys.executable, str(Path(__file__).parent / "bare.py")]
    with _serving(command, folder / "bare", {}, int) as port:
        yield port


@contextmanager
def receiver(folder: Path) -> Iterator[int]:
    """The port of `receiver serve` with its usual settings on an empty database in the folder; its log is a file."""
    environ = {"RECEIVER_DATA_DIR": str(folder), "RECEIVER_PORT": "0", "RECEIVER_WEBHOOK_SECRETS": SECRET}
    with _serving([sys.executable, "-m", "receiver", "serve"], folder / "receiver", environ, _started) as port:
        yield port


def _started(line: str) -> int | None:
    told = json.loads(line)
    return int(told["url"].rpartition(":")[2]) if told["event"] == "service.started" else None


@contextmanager
def _serving(
    command: list[str], files: Path, environ: dict[str, str], port_in: Callable[[str], int | None]
) -> Iterator[int]:
    """Run a server until the block ends; a line of what it prints says on which port it listens."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith("RECEIVER_")}
    out, err = files.with_suffix(".out"), files.with_suffix(".err")
    with out.open("w") as printed, err.open("w") as errors:
        process = subprocess.Popen(command, stdout=printed, stderr=errors, env={**usual, **environ})  # noqa: S603 -- ours
    os.sched_setaffinity(process.pid, {CORE})
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
        for line in out.read_text().splitlines():
            port = port_in(line)
            if port is not None:
                return port
        time.sleep(0.02)
    raise RuntimeError(f"the server did not start: {err.read_text()}")
