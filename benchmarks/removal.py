"""How long removal holds the writer, and whether that grows with what is stored.

    python benchmarks/removal.py [--events 20000 200000] [--json FILE]

For each number of events, a store with such a history is filled; then half of its bodies are compressed, and its older
half is removed, as the service does it: batch after batch, each a write transaction, here without the pauses between
them. What a batch takes is what a delivery may have to wait. The rows that stay are there to be in the way.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

from filling import fill

from receiver.diagnosis.values import Limits
from receiver.keeping import Keeping
from receiver.retention import Chore, chores
from receiver.storage.engine import Database

BEGIN_MS = 1_726_153_200_000
MEASURED = ("bodies_compressed", "events_removed", "deliveries_removed", "bytes_given_back")


@dataclass(frozen=True)
class Measured:
    """The batches of one kind in a store of so many events: how many, of what size in all, and how long they took."""

    events: int
    kind: str
    batches: int
    removed: int
    p50_ms: float
    p99_ms: float


def measure(events: int) -> list[Measured]:
    """Of one store, each kind."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "receiver.sqlite3"
        end_ms = fill(file, events, BEGIN_MS)
        half_ms = (end_ms - BEGIN_MS) // 2
        keeping = Keeping(half_ms, half_ms, half_ms, half_ms, half_ms, half_ms)
        known = {chore.name: chore for chore in chores(keeping, Limits())}
        database = Database.open(f"sqlite:///{file}")
        try:
            return [_measured(database, known[kind], events, end_ms) for kind in MEASURED]
        finally:
            database.close_now()


def _measured(database: Database, chore: Chore, events: int, now_ms: int) -> Measured:
    took: list[float] = []
    removed, after = 0, 0
    while True:
        begun = time.perf_counter()
        step = database.write_now(partial(chore.work, after=after, now_ms=now_ms))
        took.append((time.perf_counter() - begun) * 1000)
        removed += step.removed
        if step.reached is None:
            break
        after = step.reached
    took.sort()
    return Measured(events, chore.name, len(took), removed, median(took), took[len(took) * 99 // 100])


def _print(rows: Sequence[Measured]) -> None:
    print(f"{'events':>9} {'kind':<20} {'batches':>8} {'in all':>10} {'p50 ms':>8} {'p99 ms':>8}")
    for row in rows:
        figures = f"{row.batches:>8} {row.removed:>10} {row.p50_ms:>8.1f} {row.p99_ms:>8.1f}"
        print(f"{row.events:>9} {row.kind:<20} {figures}", flush=True)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--json", type=Path, help="write the figures here too")
    chosen = parser.parse_args()
    rows = [row for events in chosen.events for row in measure(events)]
    _print(rows)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
