"""Conclusions drawn by a process of its own, on a core that deliveries do not need.

Threads share one interpreter: while one folds and judges, another that is to verify, commit and answer a delivery
waits for it, many times on the delivery's way. A process (`worker`) does not keep it waiting, and gives way to it
where there is one core for both.

It is a help, never needed: whatever it does not answer in time is concluded here, and so is little, sooner than it
could be asked. It is started when there first is work for it, so a service that hears little goes without.
"""

import asyncio
import socket
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Final

from receiver.diagnoser.moment import Moment
from receiver.diagnoser.passing import Conclusions, Taken
from receiver.logs import get_logger

WORTH_ASKING: Final = 8
"""So many signals in a pass."""
PATIENCE_S: Final = 1.0
"""Who has no time for a pass in that has none to give: every core is taken, or something is wrong."""
REST: Final = 64
"""For so many passes it is left alone after it was lost, and for twice as many each further time in a row."""
_MOST_DOUBLED: Final = 10

_log = get_logger("receiver.diagnoser")


class WorkerProcess:
    """The process, as seen from the one that serves. Its methods are called from one event loop."""

    def __init__(self, url: str, patience_s: float = PATIENCE_S) -> None:
        """`url` is SQLAlchemy's, of the database that it is to read."""
        self._url, self._patience_s = url, patience_s
        self._thread = ThreadPoolExecutor(1, "receiver-worker")
        self._child: _Child | None = None
        self._rest = 0
        self._losses = 0
        """In a row."""

    async def conclude(self, moment: Moment, taken: Taken) -> Conclusions | None:
        """What comes of what was taken; None where that is to be concluded here. The moment's ids are an IdBlock."""
        if len(taken.rows) < WORTH_ASKING:
            return None
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._conclude, moment, taken)

    async def stop(self) -> None:
        """End it. What it is concluding is lost."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._end)
        self._thread.shutdown()

    def _conclude(self, moment: Moment, taken: Taken) -> Conclusions | None:
        if self._rest:
            self._rest -= 1
            return None
        try:
            if self._child is None:
                self._child = _Child(self._patience_s)
                self._child.begin(self._url)
            answer = self._child.ask(moment, replace(taken, filed=())) if self._child.is_ready() else None
        except Exception as error:  # noqa: BLE001 -- a help that fails, for whatever reason, is done without
            self._lose(error)
            return None
        if answer is not None:
            self._losses = 0
        return answer

    def _lose(self, error: Exception) -> None:
        self._rest = REST << min(self._losses, _MOST_DOUBLED)
        self._losses += 1
        _log.warning("diagnoser.worker_lost", error=_said(error), exit_code=self._end(), passes_without=self._rest)

    def _end(self) -> int | None:
        child, self._child = self._child, None
        return None if child is None else child.end()


class _Child:
    """A running process and the pipe to it. All methods raise OSError and EOFError where it does not answer."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._ready = False
        ours, theirs = socket.socketpair()
        with theirs:
            for way in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
                ours.setsockopt(socket.SOL_SOCKET, way, _timeval(patience_s))
            self._pipe: Connection[Any, Any] = Connection(ours.detach())
            self._process = _run(theirs)

    def begin(self, url: str) -> None:
        """Tell it what it is to read."""
        self._pipe.send(url)

    def is_ready(self) -> bool:
        """Whether it has begun."""
        if not self._ready and self._pipe.poll():
            self._pipe.recv()
            self._ready = True
        return self._ready

    def ask(self, moment: Moment, taken: Taken) -> Conclusions | None:
        """What it concludes; None where it cannot."""
        self._pipe.send((moment, taken))
        if not self._pipe.poll(self._patience_s):
            raise TimeoutError
        answer: Conclusions | None = self._pipe.recv()
        return answer

    def end(self) -> int:
        """With what exit code it has ended; negative for the signal that ended it, such as ours. It only reads: it may
        be killed at any moment."""
        self._pipe.close()
        if self._process.poll() is None:
            self._process.kill()
        return self._process.wait()


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError | BlockingIOError):
        return "it does not answer in time"
    if isinstance(error, EOFError | ConnectionError):
        return "it has ended"
    return str(error) if isinstance(error, OSError) else type(error).__name__


def _run(pipe: socket.socket) -> "subprocess.Popen[bytes]":
    """It says nothing: what it could say beside its answers would be of what went wrong, with secrets in it."""
    command = [sys.executable, "-m", "receiver.diagnoser.worker", str(pipe.fileno())]
    nothing = subprocess.DEVNULL
    return subprocess.Popen(command, pass_fds=[pipe.fileno()], stdin=nothing, stdout=nothing, stderr=nothing)  # noqa: S603 -- ourselves


def _timeval(seconds: float) -> bytes:
    """As `setsockopt` takes it."""
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
