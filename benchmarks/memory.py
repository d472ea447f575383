"""How much memory the service takes with a short history and with a long one.

    python benchmarks/memory.py [--events 10000 5000000] [--deliveries 3000] [--folder DIR] [--json FILE]

For each size a store is made as in growth.py. `receiver serve` is started on it, takes in deliveries, diagnoses them,
and is asked every list and detail query of the API twice; then its resident memory is looked at, and the most that it
ever was, that of the process that concludes beside it included.
"""

import argparse
import json
import re
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from asking import Paths, paths
from cloning import Clones
from growth import BATCH_EVENTS, BATCH_MS, Asking, settle
from measuring import Service, Store, take_core
from servers import SECRET, receiver
from traffic import requests

from receiver.storage.engine import Database

CONNECTIONS = 64
KIB = 1024


@dataclass(frozen=True)
class Memory:
    """In MiB: after the start, and after all that was asked of it; and the most that it ever was."""

    events: int
    started: float
    resident: float
    most: float


def measure(folder: Path, events: int, until_ms: int, deliveries: int) -> Memory:
    """The memory of a service on the store in the folder."""
    file = folder / "receiver.sqlite3"
    database = Database.open(f"sqlite:///{file}")
    asked = database.read_now(lambda conn: paths(conn, until_ms))
    with receiver(folder) as port:
        settle(database)
        database.close_now()
        process = int((folder / "receiver.pid").read_text())
        started = _mib(process, "VmRSS")
        _work(Service(port, Store(file)), Asking(port, folder), asked, deliveries)
        all_of_it = [process, *_children(process)]
        return Memory(events, started, *(sum(_mib(one, name) for one in all_of_it) for name in ("VmRSS", "VmHWM")))


def _work(service: Service, asking: Asking, asked: Paths, deliveries: int) -> None:
    for number in range(3):
        now_ms = time.time_ns() // 1_000_000
        some = requests(SECRET, now_ms, deliveries // 3, Random(f"{now_ms} {number}"))  # noqa: S311 -- a fiction
        service.drive(some, CONNECTIONS, 60)
        asking.medians(asked, 2)


def _children(process: int) -> list[int]:
    """The process that concludes beside the service, if there is one."""
    lists = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for each in lists for child in each.read_text().split()]


def _mib(process: int, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found is not None
    return int(found[1]) / KIB


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="+", default=[10_000, 5_000_000])
    parser.add_argument("--deliveries", type=int, default=3_000)
    parser.add_argument("--folder", type=Path, help="where the store is made; by default a temporary one")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args()


_ROW = "{:>9} | {:>13} {:>9} {:>9}"


def main() -> None:
    """Measure, and print a table."""
    options = _options()
    take_core()
    sizes = sorted(options.events)
    found: list[Memory] = []
    begin_ms = time.time_ns() // 1_000_000 - (sizes[-1] // BATCH_EVENTS + 3) * BATCH_MS
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        clones = Clones(Path(name) / "receiver.sqlite3", begin_ms)
        print(_ROW.format("events", "started, MiB", "resident", "at most"))
        for size in sizes:
            clones.grow(size)
            found.append(measure(Path(name), size, clones.until_ms, options.deliveries))
            print(_ROW.format(*(f"{value:.0f}" for value in asdict(found[-1]).values())), flush=True)
        clones.close()
    ratio = found[-1].resident / found[0].resident
    print(f"resident: {ratio:.2f} times as much")
    if options.json is not None:
        figures = {"ratio": ratio, "sizes": [asdict(one) for one in found]}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
