"""How fast deliveries are taken in: verified, deduplicated, on disk, and diagnosed.

    python benchmarks/ingest.py [--rounds 5] [--stolen 0.05] [--seconds 4] [--connections 64] [--json FILE]
                                [--role all|ingest] [--database sqlite|postgresql]

Two servers, each in a process of its own on core 0: `receiver serve` on an empty database, its log in a file, on
uvloop where that is installed; and a bare aiohttp handler that reads the body and answers 204, on asyncio's own loop,
which is aiohttp's default. This process is the load, on core 1. Both get the same requests, one after the other,
round by round. The ratio is the share of the bare handler's rate that the service reaches until its diagnoser has
looked at every event: what remains to be diagnosed when the last delivery was answered counts in full. Only 2xx
counts, and after each round as many events are on disk as were answered so. Rounds in which others had the cores
(`quiet`) do not count.

With `--role ingest` the diagnoser is idle: the service stores and files, each event once, and the time counts until
all is filed. With `--database postgresql` a server of the tests' own runs on core 1, beside the load.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from load import Load, drive
from measuring import Diagnosed, Rate, ServerStore, Service, Store, fresh_requests, options, rate, take_core
from quiet import Quiet, quiet_rounds
from servers import bare, receiver

from receiver.storage.schema import migrate
from tests.postgres import postgres


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

    @property
    def answered_ratio(self) -> float:
        """The same, until the last delivery was answered."""
        return self.answered_rps / self.bare.rps


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


_TABLE = "{:>5} | {:>8} {:>7} {:>7} | {:>8} {:>7} {:>7} {:>7} | {:>8} {:>8} | {:>6}"
_HEAD = ("", "bare", "p50 ms", "p99 ms", "receiver", "ratio", "p50 ms", "p99 ms", "pending", "drain ms", "stolen")


def _print(number: int, one: Quiet[Round]) -> None:
    row = one.row
    bare_figures = f"{row.bare.rps:.0f}", f"{row.bare.p50_ms:.1f}", f"{row.bare.p99_ms:.1f}"
    figures = f"{row.receiver.rps:.0f}", f"{row.ratio:.3f}", f"{row.receiver.p50_ms:.1f}", f"{row.receiver.p99_ms:.1f}"
    rest = row.pending, f"{row.drain_ms:.0f}", f"{one.stolen:.0%}"
    print(_TABLE.format(number, *bare_figures, *figures, *rest), flush=True)


def _report(rounds: list[Quiet[Round]], file: Path | None) -> None:
    ratios = sorted(one.row.ratio for one in rounds)
    middle = median(ratios)
    answered = median(one.row.answered_ratio for one in rounds)
    print(f"ratio: median {middle:.3f}, min {ratios[0]:.3f}, max {ratios[-1]:.3f}; as answered {answered:.3f}")
    if file is not None:
        figures = {
            "ratio": middle,
            "answered_ratio": answered,
            "rounds": [{"ratio": one.row.ratio, **one.figures()} for one in rounds],
        }
        file.write_text(json.dumps(figures, indent=2) + "\n")


@contextmanager
def served(folder: Path, role: str, kind: str) -> Iterator[Service]:
    """The service in that role, on an empty database of that kind."""
    waiting = ("inbox", "pending") if role == "all" else ("inbox",)
    with ExitStack() as running:
        url = running.enter_context(_server()) if kind == "postgresql" else None
        other = {} if url is None else {"RECEIVER_DATABASE_URL": url, "RECEIVER_API_TOKENS": "of-the-benchmark-alone"}
        port = running.enter_context(receiver(folder, {"RECEIVER_ROLE": role, **other}))
        store = Store(folder / "receiver.sqlite3", waiting) if url is None else ServerStore(url, waiting)
        yield Service(port, running.enter_context(closing(store)))


@contextmanager
def _server() -> Iterator[str]:
    """The URL of an empty database of a PostgreSQL server, on the core that this process runs on."""
    with postgres() as server:
        url = server.create("ingest")
        migrate(url.replace("postgresql://", "postgresql+psycopg://", 1))
        yield url


def _options() -> argparse.Namespace:
    parser = options(__doc__)
    parser.add_argument("--role", choices=("all", "ingest"), default="all")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    return parser.parse_args()


def main() -> None:
    """Measure, and print a table."""
    chosen = _options()
    take_core()
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        one = running.enter_context(bare(folder))
        service = running.enter_context(served(folder, chosen.role, chosen.database))
        bench = Bench(one, service, chosen.connections)
        bench.measure(0, min(chosen.seconds, 1.0))
        print(_TABLE.format(*_HEAD))
        rounds = quiet_rounds(chosen, lambda number: bench.measure(number, chosen.seconds), _print)
    _report(rounds, chosen.json)


if __name__ == "__main__":
    main()
