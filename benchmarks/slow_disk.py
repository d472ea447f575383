"""How fast deliveries are taken in on a disk that syncs slowly, against the programs that one would write instead.

    pip install -c constraints.txt -e '.[bench]'
    python benchmarks/slow_disk.py [--delay-ms 2] [--programs aiohttp-wal] [--rounds 5] [--stolen 0.05] [--seconds 4]
                                   [--json FILE]

As others.py, but that each `fsync` and `fdatasync` of all of them takes so much longer: a small library that the system
loads before the C library (slow_disk.c, compiled here with `cc`, Linux only) waits in front of the real one. Without
group commit, no program commits more often than the disk syncs.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import options
from others import compare
from servers import PROGRAMS

SOURCE = Path(__file__).with_name("slow_disk.c")
NO_COMPILER = "slow_disk.py needs a C compiler: there is no `cc` here. Install one (Debian: apt-get install gcc)."
PROBE = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("PRAGMA synchronous = FULL")
db.execute("CREATE TABLE probe (n)")
begun = time.perf_counter()
for n in range(20):
    db.execute("INSERT INTO probe VALUES (?)", (n,))
print((time.perf_counter() - begun) / 20 * 1000)
"""


def delaying(folder: Path, delay_ms: float) -> dict[str, str]:
    """The environment in which a process has a disk that syncs so slowly."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise SystemExit(NO_COMPILER)
    library = folder / "slow_disk.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)  # noqa: S603 -- ours
    return {"LD_PRELOAD": str(library), "FSYNC_DELAY_US": str(int(delay_ms * 1000))}


def commit_ms(folder: Path, environ: dict[str, str]) -> float:
    """How long SQLite takes to commit there."""
    command = [sys.executable, "-c", PROBE, str(folder / "probe")]
    return float(subprocess.run(command, env=environ, capture_output=True, check=True, text=True).stdout)  # noqa: S603


def main() -> None:
    """Measure, and print a table."""
    parser = options(__doc__)
    parser.add_argument("--delay-ms", type=float, default=2.0)
    parser.add_argument("--programs", nargs="+", choices=list(PROGRAMS), default=["aiohttp-wal"])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        slow = delaying(Path(name), chosen.delay_ms)
        took_ms = commit_ms(Path(name), slow)
        print(f"a commit of SQLite takes {took_ms:.2f} ms on this disk")
        assert took_ms >= chosen.delay_ms, "the delay does not reach SQLite"
        compare(chosen, chosen.programs, slow)


if __name__ == "__main__":
    main()
