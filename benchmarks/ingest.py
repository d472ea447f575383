"""How fast deliveries are taken in: verified, deduplicated, on disk, and diagnosed.

    python benchmarks/ingest.py [--rounds 5] [--seconds 4] [--connections 64] [--json FILE]

Two servers, each in a process of its own on core 0: `receiver serve` on a fresh SQLite file, its log in a file, on
uvloop where that is installed; and a bare aiohttp handler that reads the body and answers 204, on asyncio's own loop,
which is aiohttp's default. This process is the load, on core 1. Both get the same requests, one after the other,
round by round. The ratio is the share of the bare handler's rate that the service reaches until its diagnoser has
looked at every event: what remains to be diagnosed when the last delivery was answered counts in full. Only 2xx
counts, and after each round as many events are on disk as were answered so.
"""

import asyncio
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from load import Load, drive
from measuring import Diagnosed, Rate, Service, Store, fresh_requests, options, rate, take_core
from servers import bare, receiver


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


class Bench:
    """Drives both servers, the one and the other first by turns."""

    def __init__(self, bare_port: int, service: Service, connections: int) -> None:
        self._bare, self._service = bare_port, service
        self._connections = connections

    def measure(self, number: int, seconds: float) -> Round:
        """One round: as many seconds for each server; the bare handler gets the requests several times over."""
        sent = fresh_requests(number, seconds)
        if number % 2:
            taken_in = self._service.drive(sent, self._connections, seconds)
            other = self._drive_bare(sent * 4, seconds)
        else:
            other = self._drive_bare(sent * 4, seconds)
            taken_in = self._service.drive(sent, self._connections, seconds)
        return _round(other, taken_in)

    def _drive_bare(self, sent: list[bytes], seconds: float) -> Load:
        load = asyncio.run(drive(self._bare, sent, self._connections, seconds))
        assert set(load.statuses) == {204}, load.statuses
        return load


def _round(other: Load, taken_in: Diagnosed) -> Round:
    return Round(
        bare=rate(other, other.seconds),
        receiver=taken_in.rate,
        answered_rps=taken_in.answered_rps,
        pending=taken_in.pending,
        drain_ms=taken_in.drain_s * 1000,
    )


_TABLE = "{:>5} | {:>8} {:>7} {:>7} | {:>8} {:>7} {:>7} {:>7} | {:>8} {:>8}"
_HEAD = ("", "bare", "p50 ms", "p99 ms", "receiver", "ratio", "p50 ms", "p99 ms", "pending", "drain ms")


def _print(number: int, row: Round) -> None:
    bare_figures = f"{row.bare.rps:.0f}", f"{row.bare.p50_ms:.1f}", f"{row.bare.p99_ms:.1f}"
    figures = f"{row.receiver.rps:.0f}", f"{row.ratio:.3f}", f"{row.receiver.p50_ms:.1f}", f"{row.receiver.p99_ms:.1f}"
    print(_TABLE.format(number, *bare_figures, *figures, row.pending, f"{row.drain_ms:.0f}"), flush=True)


def _report(rounds: list[Round], file: Path | None) -> None:
    ratios = sorted(one.ratio for one in rounds)
    middle = median(ratios)
    print(f"ratio: median {middle:.3f}, min {ratios[0]:.3f}, max {ratios[-1]:.3f}")
    if file is not None:
        figures = {"ratio": middle, "rounds": [{"ratio": one.ratio, **asdict(one)} for one in rounds]}
        file.write_text(json.dumps(figures, indent=2) + "\n")


def main() -> None:
    """Measure, and print a table."""
    chosen = options(__doc__)
    take_core()
    with tempfile.TemporaryDirectory() as name, bare(Path(name)) as one, receiver(Path(name)) as other:
        bench = Bench(one, Service(other, Store(Path(name) / "receiver.sqlite3")), chosen.connections)
        bench.measure(0, min(chosen.seconds, 1.0))
        print(_TABLE.format(*_HEAD))
        rounds = []
        for number in range(1, chosen.rounds + 1):
            rounds.append(bench.measure(number, chosen.seconds))
            _print(number, rounds[-1])
    _report(rounds, chosen.json)


if __name__ == "__main__":
    main()
