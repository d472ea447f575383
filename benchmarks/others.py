"""How fast deliveries are taken in, against the programs that one would write instead.

    pip install -c constraints.txt -e '.[bench]'
    python benchmarks/others.py [--rounds 5] [--stolen 0.05] [--seconds 10] [--connections 64] [--json FILE]

The servers run on core 0, `receiver serve` as in ingest.py; this process is the load, on core 1. All get the same
requests, one server after the other, another one first in each round. The programs (benchmarks/programs) verify the
signature, read the JSON, keep each event once, and answer 204 when SQLite has synced it; nothing is diagnosed, and only
FastAPI's server logs what it answers, as it does by itself. They are measured as their documentation has them, and as
one who knows SQLite would have them (`servers.PROGRAMS`). The receiver's rate counts until its diagnoser has looked at
every event: in ten seconds, what remains for it at their end is the end of what it does all the time. Only 2xx counts,
and after each round as many events are on disk as were answered so (where a program closed the connection instead of
answering, that event may be there too). A ratio says how many times a program's rate the receiver has. Rounds in which
others had the cores (`quiet`) do not count.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

from load import UNANSWERED, Load, drive
from measuring import Diagnosed, Rate, Service, Store, fresh_requests, options, rate, take_core
from quiet import Quiet, quiet_rounds
from servers import PROGRAMS, database, program, receiver
from traffic import requests


@dataclass(frozen=True)
class Round:
    """`programs` by name; `failed` is how many of their requests were not answered 2xx."""

    receiver: Rate
    answered_rps: float
    pending: int
    drain_ms: float
    programs: dict[str, Rate]
    failed: dict[str, int]

    @property
    def ratios(self) -> dict[str, float]:
        """How many times each program's rate the receiver has."""
        return {name: self.receiver.rps / one.rps for name, one in self.programs.items()}


class Program:
    """One of them, driven and looked into."""

    def __init__(self, port: int, file: Path) -> None:
        self._port, self._file = port, file

    def drive(self, sent: Sequence[bytes], connections: int, seconds: float) -> Load:
        """A round's share of the program; all that it answered 2xx is on disk."""
        before = self._count()
        load = asyncio.run(drive(self._port, sent, connections, seconds))
        unanswered = self._count() - before - load.taken_in
        assert 0 <= unanswered <= load.statuses[UNANSWERED], "a 2xx is an event on disk"
        return load

    def check(self, sent: list[bytes]) -> None:
        """See that it keeps each event once, and refuses what is not signed."""
        forged = requests("another secret", 0, 1, Random(0))  # noqa: S311 -- a fiction
        assert set(asyncio.run(drive(self._port, sent * 2, 1, 60)).statuses) == {204}
        assert set(asyncio.run(drive(self._port, forged, 1, 60)).statuses) == {401}
        assert self._count() == len(sent), "each event once"

    def _count(self) -> int:
        with closing(Store(self._file)) as store:
            return store.count("events")


class Bench:
    """Drives all, another one first in each round."""

    def __init__(self, service: Service, programs: dict[str, Program], connections: int) -> None:
        self._service, self._programs = service, programs
        self._connections = connections

    def measure(self, number: int, seconds: float) -> Round:
        """One round: as many seconds for each server."""
        sent = fresh_requests(number, seconds)
        names = list(self._programs)
        at = number % (len(names) + 1)
        loads = self._drive(names[at:], sent, seconds)
        taken_in = self._service.drive(sent, self._connections, seconds)
        loads |= self._drive(names[:at], sent, seconds)
        return _round(taken_in, {name: loads[name] for name in names})

    def _drive(self, names: list[str], sent: list[bytes], seconds: float) -> dict[str, Load]:
        return {name: self._programs[name].drive(sent, self._connections, seconds) for name in names}


def _round(taken_in: Diagnosed, loads: dict[str, Load]) -> Round:
    return Round(
        receiver=taken_in.rate,
        answered_rps=taken_in.answered_rps,
        pending=taken_in.pending,
        drain_ms=taken_in.drain_s * 1000,
        programs={name: rate(load, load.seconds) for name, load in loads.items()},
        failed={name: load.statuses.total() - load.taken_in for name, load in loads.items()},
    )


_PATIENT: Mapping[str, str] = {"RECEIVER_TOLERANCE_S": "3600"}
"""The requests of a round are signed before it, and its last server is sent them a minute later."""
_ROW = "{:>5} | {:>14} | {:>8} {:>7} {:>7} | {:>6} {:>6} | {:>6}"
_HEAD = ("", "", "rate", "p50 ms", "p99 ms", "times", "failed", "stolen")


def _print(number: int, one: Quiet[Round]) -> None:
    row = one.row
    print(_ROW.format(number, "receiver", *_figures(row.receiver), "", "", f"{one.stolen:.0%}"))
    for name, found in row.programs.items():
        print(_ROW.format("", name, *_figures(found), f"{row.ratios[name]:.2f}", row.failed[name], ""), flush=True)


def _figures(one: Rate) -> tuple[str, str, str]:
    return f"{one.rps:.0f}", f"{one.p50_ms:.1f}", f"{one.p99_ms:.1f}"


def _report(rounds: list[Quiet[Round]], file: Path | None) -> None:
    ratios = {name: sorted(one.row.ratios[name] for one in rounds) for name in rounds[0].row.programs}
    for name, found in ratios.items():
        print(f"times {name}: median {median(found):.2f}, min {found[0]:.2f}, max {found[-1]:.2f}")
    if file is not None:
        middles = {name: median(found) for name, found in ratios.items()}
        figures = {"ratios": middles, "rounds": [{"ratios": one.row.ratios, **one.figures()} for one in rounds]}
        file.write_text(json.dumps(figures, indent=2) + "\n")


def compare(chosen: argparse.Namespace, names: Sequence[str], more: Mapping[str, str]) -> None:
    """Measure the receiver against these programs, and print a table; `more` joins the environment of each."""
    take_core()
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        service = Service(
            running.enter_context(receiver(folder, {**_PATIENT, **more})), Store(folder / "receiver.sqlite3")
        )
        ports = {name: running.enter_context(program(name, folder, more)) for name in names}
        programs = {name: Program(port, database(name, folder)) for name, port in ports.items()}
        for one in programs.values():
            one.check(fresh_requests(0, 0.01))
        bench = Bench(service, programs, chosen.connections)
        bench.measure(0, min(chosen.seconds, 1.0))
        print(_ROW.format(*_HEAD))
        rounds = quiet_rounds(chosen, lambda number: bench.measure(number, chosen.seconds), _print)
    _report(rounds, chosen.json)


def main() -> None:
    """Measure against all programs."""
    compare(options(__doc__, seconds=10).parse_args(), list(PROGRAMS), {})


if __name__ == "__main__":
    main()
