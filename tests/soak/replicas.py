"""The processes that serve: each on a port of its own, killed and started again and again."""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

STARTS_WITHIN_S: Final = 60.0
STOPS_WITHIN_S: Final = 30.0
LOOK_S: Final = 0.02
AGAIN_S: Final = 0.2
"""After a start that failed, as a supervisor waits."""
UNSTARTED: Final = 0.1
IN_ORDER: Final = 0.1
"""Which shares are killed before they serve, and which are told to stop in order, as for an upgrade."""
KILLED: Final = -signal.SIGKILL
STORE_UNUSABLE: Final = 3
"""The exit code of a start while the database is away."""


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Process:
    """One process that served, or tried to; `code` is how it ended."""

    out: Path
    err: Path
    popen: "subprocess.Popen[bytes]"
    meant: bool = False
    """Whether it ended because we ended it."""

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its log; a kill may have cut the last line off."""
        written = self.out.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in written if line.endswith("\n")]

    @property
    def started(self) -> bool:
        """Whether it has begun to serve."""
        return b'"service.started"' in self.out.read_bytes()


@dataclass
class Replica:
    """A place at which one process after another serves, each with the same settings on the same port."""

    folder: Path
    settings: Mapping[str, str]
    port: int = field(default_factory=free_port)
    processes: list[Process] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it is called."""
        return f"http://127.0.0.1:{self.port}"

    def spawn(self) -> Process:
        """Start a process."""
        number = len(self.processes)
        out, err = self.folder / f"{number}.out", self.folder / f"{number}.err"
        with out.open("wb") as printed, err.open("wb") as errors:
            process = Process(out, err, self._popen(printed, errors))
        self.processes.append(process)
        return process

    def _popen(self, out: IO[bytes], err: IO[bytes]) -> "subprocess.Popen[bytes]":
        usual = {"PATH": os.environ["PATH"], "RECEIVER_LOG_FORMAT": "json", "RECEIVER_PORT": str(self.port)}
        return subprocess.Popen(
            [sys.executable, "-m", "receiver", "serve"],
            stdout=out,
            stderr=err,
            cwd=self.folder,
            env={**usual, **self.settings},
        )

    async def start(self) -> Process:
        """Start processes until one serves. Raises RuntimeError where none does in time, or one refuses to."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + STARTS_WITHIN_S
        process = self.spawn()
        while not process.started:
            code = process.popen.poll()
            if loop.time() > until_s or code not in {None, STORE_UNUSABLE}:
                raise RuntimeError(f"no process serves ({code}): {process.err.read_text()}")
            if code is not None:
                await asyncio.sleep(AGAIN_S)
                process = self.spawn()
            await asyncio.sleep(LOOK_S)
        return process

    async def stop(self) -> int:
        """Have the last process stop in order. Its exit code."""
        process = self.processes[-1]
        process.meant = True
        process.popen.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(process.popen.wait, STOPS_WITHIN_S)

    def kill(self) -> None:
        """`kill -9` of the last process, whatever it is doing."""
        process = self.processes[-1]
        process.meant = process.popen.poll() is None
        process.popen.kill()
        process.popen.wait()

    def end(self) -> None:
        """See to it that nothing is left running."""
        for process in self.processes:
            if process.popen.poll() is None:
                process.popen.kill()
                process.popen.wait()

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return sum(process.meant and process.popen.poll() == KILLED for process in self.processes)

    def troubles(self, *, store_goes_away: bool) -> list[str]:
        """Processes that ended by themselves or not in order, and faults of ours that they told of. A start may fail
        while the store is away."""
        found: list[str] = []
        for process in self.processes:
            code = process.popen.poll()
            excused = store_goes_away and code == STORE_UNUSABLE and not process.started
            as_meant = process.meant and code in {0, KILLED}
            if not as_meant and not excused:
                found.append(f"{process.out.name} ended with {code}: {process.err.read_text()[-500:]}")
            found += [f"{process.out.name} wrote {line}" for line in process.lines if _is_fault(line)]
        return found


def _is_fault(line: Mapping[str, Any]) -> bool:
    """A defect of ours, by docs/logs.md."""
    return line["event"] in {"http.fault", "service.fault", "diagnoser.fault"}


async def keep_killing(replica: Replica, every_s: float, chance: random.Random, until: asyncio.Event) -> None:
    """Start and kill, start and kill; sometimes before it serves, and sometimes it is told to stop. At the end it is
    left to serve."""
    while not until.is_set():
        if chance.random() < UNSTARTED:
            replica.spawn()
            await is_over(until, chance.uniform(0, 1))
        else:
            await replica.start()
            await is_over(until, chance.uniform(0.1, 2 * every_s))
        if chance.random() < IN_ORDER and replica.processes[-1].started:
            await replica.stop()
        else:
            replica.kill()
    await replica.start()


async def is_over(until: asyncio.Event, seconds: float) -> bool:
    """Wait so long, or until it is over; whether it is."""
    try:
        await asyncio.wait_for(until.wait(), seconds)
    except TimeoutError:
        return False
    return True
