"""`receiver serve` told to stop at the worst moment."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.served import PATIENCE_S, wait

FULL = 4096
"""Bytes that the smallest pipe holds."""


def test_told_to_stop_while_it_says_that_it_serves_it_stops_in_order(tmp_path: Path) -> None:
    """Its first log lines are stuck in a pipe that nobody reads; the signal comes; once somebody reads, it stops as at
    any other time."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, FULL)
    os.write(writing, b" " * FULL)
    with (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "receiver", "serve"],
            stdout=writing,
            stderr=err,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "RECEIVER_PORT": "0", "RECEIVER_DATA_DIR": str(tmp_path / "data")},
        )
    os.close(writing)
    try:
        wait(lambda: "listens on" in (tmp_path / "err").read_text() or process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        with os.fdopen(reading, "rb") as out:
            told = [json.loads(line)["event"] for line in out.read().splitlines()]
        assert 0 == process.wait(PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    assert ["service.started", "service.stopping"] == [event for event in told if event != "service.warning"]
