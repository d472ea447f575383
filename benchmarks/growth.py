"""How long the API's queries take as the store grows.

    python benchmarks/growth.py [--events 10000 100000 1000000 5000000] [--rounds 41] [--folder DIR] [--json FILE]

One store is made of the events of one batch of streams, copied under other ids (cloning.py), and grows from size to
size. At each, `receiver serve` runs on it on core 0, and this process on core 1 asks for every list and detail query,
with each of its filters, from its start and from cursors anywhere in it, one after another over one connection. The
figures are medians, of whole HTTP answers; the ratio is that of the last size to a hundred thousand. Three times over
for streams of which deliveries fail: while nobody's do, a webhook's that has told of few, and of the one that brought
all. Five million events take ten minutes to make, and six gigabytes.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from statistics import median

from asking import Paths, paths
from cloning import SECOND_WEBHOOK, Clones
from measuring import take_core
from servers import receiver
from sqlalchemy import update
from traffic import WEBHOOK_ID

from receiver.diagnoser.records import text_of
from receiver.diagnosis.senders import WebhookState
from receiver.diagnosis.values import Condition
from receiver.storage import cases
from receiver.storage.engine import Database
from receiver.storage.tables import SubjectRow

BATCH_EVENTS, BATCH_MS = 3_780, 400_000
BASE_EVENTS = 100_000
Figures = Mapping[str, float]


class Asking:
    """Asks one service on one connection."""

    def __init__(self, port: int, folder: Path) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)
        self._headers = {"Authorization": f"Bearer {(folder / 'api_token').read_text().strip()}"}

    def medians(self, asked: Paths, rounds: int) -> Figures:
        """How long each query takes, in milliseconds; another order in each round."""
        took_ms: dict[str, list[float]] = defaultdict(list)
        names = list(asked)
        for number in range(-2, rounds):  # two rounds to warm up
            Random(number).shuffle(names)  # noqa: S311 -- an order
            for name in names:
                took = self._ask(asked[name][number % len(asked[name])])
                if number >= 0:
                    took_ms[name].append(took)
        return {name: median(took_ms[name]) for name in asked}

    def _ask(self, path: str) -> float:
        since = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        took_ms = (time.perf_counter() - since) * 1000
        assert answer.status == 200, (path, body)
        return took_ms


def measure(folder: Path, until_ms: int, rounds: int) -> Figures:
    """All queries at the store's present size."""
    database = Database.open(f"sqlite:///{folder / 'receiver.sqlite3'}")
    with receiver(folder) as port:
        settle(database)
        asking = Asking(port, folder)
        asked = database.read_now(lambda conn: paths(conn, until_ms))
        figures = dict(asking.medians(asked, rounds))
        for webhook_id, name in ((SECOND_WEBHOOK, "of few"), (WEBHOOK_ID, "of all")):
            _fail(database, webhook_id, failing=True)
            late = {f"{key}, a webhook {name} late": asked[key] for key in asked if "webhook_not_firing" in key}
            late = {key: value for key, value in late.items() if key.startswith("streams")}
            figures |= asking.medians(late, rounds)
            _fail(database, webhook_id, failing=False)
    database.close_now()
    return figures


def settle(database: Database) -> None:
    """Wait until what waits for time was looked at, as it is when the service starts."""
    while database.read_now(lambda conn: cases.due_subjects(conn, time.time_ns() // 1_000_000, 1)):
        time.sleep(0.1)


def _fail(database: Database, webhook_id: str, *, failing: bool) -> None:
    """Let a webhook be late from now on, as lists see it; or not any more."""
    late = Condition("webhook_not_firing", "true", "DeliveriesDelayed", "Late.", "confirmed", "warning", 0)
    values = {
        "conditions": text_of((late,) if failing else ()),
        "folded": text_of(WebhookState(webhook_id, delaying=failing)),
    }
    mine = update(SubjectRow).where(SubjectRow.kind == "webhook", SubjectRow.id == webhook_id)
    database.write_now(lambda conn: conn.execute(mine.values(values)))


def _print(sizes: Sequence[int], found: Mapping[int, Figures]) -> None:
    print(f"{'p50 ms at so many events':<60}", *(f"{size:>9}" for size in sizes), f"{'ratio':>6}")
    for name in found[sizes[0]]:
        row = [found[size][name] for size in sizes]
        print(f"{name:<60}", *(f"{value:>9.2f}" for value in row), f"{_ratio(sizes, found, name):>6.2f}")


def _ratio(sizes: Sequence[int], found: Mapping[int, Figures], name: str) -> float:
    base = next((size for size in sizes if size >= BASE_EVENTS), sizes[0])
    return found[sizes[-1]][name] / found[base][name]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="+", default=[10_000, 100_000, 1_000_000, 5_000_000])
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--folder", type=Path, help="where the store is made; by default a temporary one")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args()


def main() -> None:
    """Measure, and print a table."""
    options = _options()
    take_core()
    sizes = sorted(options.events)
    begin_ms = time.time_ns() // 1_000_000 - (sizes[-1] // BATCH_EVENTS + 3) * BATCH_MS
    found: dict[int, Figures] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        clones = Clones(folder / "receiver.sqlite3", begin_ms)
        for size in sizes:
            clones.grow(size)
            found[size] = measure(folder, clones.until_ms, options.rounds)
            print(f"{clones.events} events: {max(found[size].values()):.1f} ms at most", flush=True)
        clones.close()
    _print(sizes, found)
    if options.json is not None:
        ratios = {name: _ratio(sizes, found, name) for name in found[sizes[0]]}
        options.json.write_text(json.dumps({"ratios": ratios, "p50_ms": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
