"""How fast deliveries are taken in: verified, deduplicated, on disk, and diagnosed.

    python benchmarks/ingest.py [--rounds 5] [--seconds 4] [--connections 64] [--json FILE]

Two servers, each in a process of its own on core 0: `receiver serve` on a fresh SQLite file, its log in a file, on
uvloop where that is installed; and a bare aiohttp handler that reads the body and answers 204, on asyncio's own loop,
which is aiohttp's default. This process is the load, on core 1. Both get the same requests, one after the other,
round by round. The ratio is the share of the bare handler's rate that the service reaches until its diagnoser has
looked at every event: what remains to be diagnosed when the last delivery was answered counts in full. Only 2xx
counts, and after each round as many events are on disk as were answered so.
"""

import argparse
import asyncio
import json
import os
import sqlite3
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import median

from load import Load, drive
from servers import SECRET, bare, receiver
from traffic import requests

LOAD_CORE = 1
MOST_PER_S = 10_000
"""Requests that are made ready for each second; the bare handler gets them several times over."""
DRAINS_WITHIN_S = 60.0


@dataclass(frozen=True)
class Rate:
    """Of one server in one round: answers per second, and how long they took."""

    rps: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Round:
    """`pending` is how many events the diagnoser had yet to look at when the last was answered, `drain_ms` how long it
    took for them; `receiver.rps` counts that time, `answered_rps` does not."""

    bare: Rate
    receiver: Rate
    answered_rps: float
    pending: int
    drain_ms: float

    @property
    def ratio(self) -> float:
        """The receiver's share of the bare handler's rate."""
        return self.receiver.rps / self.bare.rps


class Store:
    """Looks into the service's database from outside."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)

    def count(self, table: str) -> int:
        """How many rows a table has."""
        found: int = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 -- ours
        return found

    def waiting(self) -> int:
        """How many deliveries the diagnoser has not looked at."""
        return self.count("inbox") + self.count("pending")

    def drain(self) -> tuple[int, float]:
        """How much is pending, and after how many seconds nothing is."""
        begun, pending = time.perf_counter(), self.waiting()
        while self.waiting():
            assert time.perf_counter() - begun < DRAINS_WITHIN_S, "the diagnoser does not keep up"
            time.sleep(0.005)
        return pending, time.perf_counter() - begun


class Bench:
    """Drives both servers, the one and the other first by turns."""

    def __init__(self, ports: tuple[int, int], store: Store, connections: int) -> None:
        self._bare, self._receiver = ports
        self._store = store
        self._connections = connections

    def measure(self, number: int, seconds: float) -> Round:
        """One round: as many seconds for each server."""
        now_ms = time.time_ns() // 1_000_000
        sent = requests(SECRET, now_ms, int(MOST_PER_S * seconds), Random(f"{now_ms} {number}"))  # noqa: S311 -- a fiction
        if number % 2:
            taken_in, pending, drain_s = self._drive_receiver(sent, seconds)
            other = self._drive(self._bare, sent * 4, seconds)
        else:
            other = self._drive(self._bare, sent * 4, seconds)
            taken_in, pending, drain_s = self._drive_receiver(sent, seconds)
        return Round(
            bare=_rate(other, other.seconds),
            receiver=_rate(taken_in, taken_in.seconds + drain_s),
            answered_rps=taken_in.taken_in / taken_in.seconds,
            pending=pending,
            drain_ms=drain_s * 1000,
        )

    def _drive_receiver(self, sent: list[bytes], seconds: float) -> tuple[Load, int, float]:
        before = self._store.count("signals")
        load = self._drive(self._receiver, sent, seconds)
        pending, drain_s = self._store.drain()
        assert self._store.count("signals") - before == load.taken_in, "a 2xx is an event on disk"
        return load, pending, drain_s

    def _drive(self, port: int, sent: list[bytes], seconds: float) -> Load:
        load = asyncio.run(drive(port, sent, self._connections, seconds))
        assert set(load.statuses) == {204}, load.statuses
        return load


def _rate(load: Load, seconds: float) -> Rate:
    return Rate(load.taken_in / seconds, load.percentile_ms(0.5), load.percentile_ms(0.99))


_TABLE = "{:>5} | {:>8} {:>7} {:>7} | {:>8} {:>7} {:>7} {:>7} | {:>8} {:>8}"
_HEAD = ("", "bare", "p50 ms", "p99 ms", "receiver", "ratio", "p50 ms", "p99 ms", "pending", "drain ms")


def _print(number: int, row: Round) -> None:
    bare_figures = f"{row.bare.rps:.0f}", f"{row.bare.p50_ms:.1f}", f"{row.bare.p99_ms:.1f}"
    figures = f"{row.receiver.rps:.0f}", f"{row.ratio:.3f}", f"{row.receiver.p50_ms:.1f}", f"{row.receiver.p99_ms:.1f}"
    print(_TABLE.format(number, *bare_figures, *figures, row.pending, f"{row.drain_ms:.0f}"), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args()


def _report(rounds: list[Round], file: Path | None) -> None:
    ratios = sorted(one.ratio for one in rounds)
    middle = median(ratios)
    print(f"ratio: median {middle:.3f}, min {ratios[0]:.3f}, max {ratios[-1]:.3f}")
    if file is not None:
        figures = {"ratio": middle, "rounds": [{"ratio": one.ratio, **asdict(one)} for one in rounds]}
        file.write_text(json.dumps(figures, indent=2) + "\n")


def main() -> None:
    """Measure, and print a table."""
    options = _options()
    os.sched_setaffinity(0, {LOAD_CORE})
    with tempfile.TemporaryDirectory() as name, bare(Path(name)) as one, receiver(Path(name)) as other:
        bench = Bench((one, other), Store(Path(name) / "receiver.sqlite3"), options.connections)
        bench.measure(0, min(options.seconds, 1.0))
        print(_TABLE.format(*_HEAD))
        rounds = []
        for number in range(1, options.rounds + 1):
            rounds.append(bench.measure(number, options.seconds))
            _print(number, rounds[-1])
    _report(rounds, options.json)


if __name__ == "__main__":
    main()
