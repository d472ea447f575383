"""The soak in long: many streams live while `receiver serve` is killed with SIGKILL every few seconds (and PostgreSQL
restarted each minute), and a sender that behaves as Livepeer's delivers their events. Then everything is held against
what the sender knows, against what happened in the lives, against a replay and against a calm run.

Run it in a clone, with the extra `dev`: `python benchmarks/soak.py`. Exit code 1 says that a promise was broken; the
folder with the logs of all processes, and with the SQLite file, is then kept, and named.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.postgres import postgres
from tests.soak.houses import House, PostgresHouse, SqliteHouse
from tests.soak.report import report, table
from tests.soak.soaking import Plan, Soak

LIVES_PER_S = 3


def options() -> argparse.Namespace:
    """What may be set on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--replicas", type=int, help="a SQLite file has one; else 2")
    parser.add_argument("--kill-every", type=float, default=3, metavar="SECONDS", help="of serving, on average")
    parser.add_argument("--restart-every", type=float, default=60, metavar="SECONDS", help="of PostgreSQL")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args()


def main() -> int:
    """Soak, print, and say whether anything is wrong."""
    given = options()
    folder = Path(tempfile.mkdtemp(prefix="receiver-soak-"))
    lasts_s = given.minutes * 60
    replicas = 1 if given.database == "sqlite" else given.replicas or 2
    plan = Plan(lasts_s, given.kill_every, replicas, lives=round(lasts_s * LIVES_PER_S), seed=given.seed)
    with house(given.database, folder, given.restart_every) as store:
        soak = Soak(plan, store, folder)
        found = asyncio.run(soak.run())
        figures = report(soak, found)
    print(table(figures))
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")
    if found:
        print(f"\nKept: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


@contextmanager
def house(database: str, folder: Path, restart_every_s: float) -> Iterator[House]:
    """The store; a PostgreSQL server is started, and gone at the end with all that it has."""
    if database == "sqlite":
        yield SqliteHouse(folder)
        return
    with postgres() as server:
        yield PostgresHouse(server, restart_every_s)


if __name__ == "__main__":
    sys.exit(main())
