"""How fast everything is concluded anew from the log, by one core.

    python benchmarks/rebuild.py [--events 300000] [--rounds 5] [--stolen 0.05] [--json FILE]

A store is filled as filling.py has it: whole stories, real bodies, all diagnosed. Then `receiver replay` rebuilds it,
again and again, on core 0: the rate is events by the seconds of that core that the whole command takes, its start
included, its modules compiled as in an installation. Once more after what was folded of every stream was spoiled, so
that all of it comes out differently and is written. Rounds in which others had the cores (`quiet`) do not count.
"""

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from filling import BATCH_EACH_MS, fill
from quiet import add_options, quiet_rounds
from servers import CORE, SECRET

BATCH_EVENTS = 3_780
_NOT_USUAL = ("RECEIVER_", "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True)
class Rebuild:
    """How long the command took, for how much of that it had the core, and what it said."""

    seconds: float
    core_s: float
    differing: int


def rebuild(folder: Path) -> Rebuild:
    """One `receiver replay`."""
    environ = {"RECEIVER_DATA_DIR": str(folder), "RECEIVER_WEBHOOK_SECRETS": SECRET}
    usual = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_USUAL)}
    command = [sys.executable, "-m", "receiver", "replay", "--json"]
    since, used_s = time.perf_counter(), _used_s()
    done = subprocess.run(command, env=usual | environ, capture_output=True, check=False, text=True)  # noqa: S603 -- ours
    seconds = time.perf_counter() - since
    assert done.returncode in {0, 1}, done.stderr
    return Rebuild(seconds, _used_s() - used_s, json.loads(done.stdout)["differing"])


def _used_s() -> float:
    """What all commands that have ended had of the core."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def spoil(file: Path) -> int:
    """Give every stream another name than its events do. Returns how many."""
    with closing(sqlite3.connect(file)) as store, store:
        named = """UPDATE subjects SET folded = replace(folded, '"name":"', '"name":"not ') WHERE kind = 'stream'"""
        return store.execute(named).rowcount


def count(file: Path) -> int:
    """How many events there are."""
    with closing(sqlite3.connect(file)) as store:
        found: int = store.execute("SELECT count(*) FROM signals").fetchone()[0]
        return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    add_options(parser)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args()


def _print(events: int, one: Rebuild, stolen: float) -> None:
    took = f"{one.seconds:.2f} s, {one.core_s:.2f} s of the core"
    rate = f"{events / one.core_s:.0f}/s"
    print(f"{events} events in {took}: {rate}; {one.differing} differing; stolen {stolen:.0%}", flush=True)


def main() -> None:
    """Measure, and print a table."""
    options = _options()
    os.sched_setaffinity(0, {CORE})
    begin_ms = time.time_ns() // 1_000_000 - (options.events // BATCH_EVENTS + 3) * BATCH_EACH_MS
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "receiver.sqlite3"
        fill(file, options.events, begin_ms)
        events = count(file)
        rebuild(Path(name))
        same = quiet_rounds(options, lambda _: rebuild(Path(name)), lambda _, one: _print(events, one.row, one.stolen))
        spoil(file)
        another = rebuild(Path(name))
    rate = median(events / one.row.core_s for one in same)
    print(f"nothing differs: median {rate:.0f}/s; everything does: {events / another.core_s:.0f}/s")
    if options.json is not None:
        figures = {
            "rate": rate,
            "events": events,
            "rounds": [one.figures() for one in same],
            "spoiled": asdict(another),
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
