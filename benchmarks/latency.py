"""How long an answer takes at a fixed rate, and how soon what came is to be read.

    python benchmarks/latency.py [--rounds 5] [--seconds 6] [--rate 500] [--cores 2] [--stolen 0.05] [--json FILE]

`receiver serve` on a fresh SQLite file, on both cores, as a service has its machine; this process is the load, on core
1. With `--cores 1` the service has core 0 alone. In each round, one after the other: deliveries at the rate, each timed
from its moment to its answer; the same number of bodies appended to a file on the same disk at the same rate, each with
one `fdatasync`, the least that durability costs; and deliveries at the rate once more, while ten times a second a
stream starts that nobody has heard of, and is asked for over REST from its 2xx on until its conditions say so. These
questions, some hundred a second, are a load of their own: the table has the answers of the deliveries without them and
beside them. Rounds in which others had the cores (`quiet`) do not count.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

import aiohttp
from load import Load
from measuring import fresh_requests, take_core
from offered import offer
from quiet import Quiet, add_options, quiet_rounds
from servers import SECRET, receiver
from traffic import WEBHOOK_ID

from receiver.simulation.sender import Studio, attempt

CONNECTIONS = 64
LOOK_EACH_S = 0.1
ASK_EACH_S = 0.025
SEEN_WITHIN_S = 30.0
PATH = "/webhooks/livepeer"


@dataclass(frozen=True)
class Round:
    """Times in milliseconds: of the answers, of an append with `fdatasync`, of the answers while the API is asked, and
    from a 2xx to the condition."""

    p50: float
    p99: float
    disk_p50: float
    disk_p99: float
    asked_p50: float
    asked_p99: float
    seen_p50: float
    seen_p99: float

    @property
    def ratios(self) -> tuple[float, float]:
        """How many appends an answer takes, at the median and at the 99th percentile."""
        return self.p50 / self.disk_p50, self.p99 / self.disk_p99


class Bench:
    """The service, and a folder on its disk."""

    def __init__(self, port: int, folder: Path) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._port = port
        self._folder = folder
        self._token = (folder / "api_token").read_text().strip()

    async def measure(self, number: int, seconds: float, rate: int) -> Round:
        """One round."""
        alone = await self._offer(fresh_requests(f"{number} alone", seconds, rate), rate)
        disk = Load(took_s=self._append(fresh_requests(f"{number} appended", seconds, rate), rate))
        asked, seen = await asyncio.gather(
            self._offer(fresh_requests(f"{number} asked", seconds, rate), rate), self._look(int(seconds / LOOK_EACH_S))
        )
        shown = Load(took_s=seen)
        times = [each.percentile_ms(share) for each in (alone, disk, asked, shown) for share in (0.5, 0.99)]
        return Round(*times)

    async def _offer(self, sent: Sequence[bytes], rate: int) -> Load:
        load = await offer(self._port, sent, CONNECTIONS, rate)
        assert set(load.statuses) == {204}, load.statuses
        return load

    async def _look(self, times: int) -> list[float]:
        """How long it took each time until a new stream was to be read."""
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {self._token}"}) as session:
            looks: list[asyncio.Task[float]] = []
            for _ in range(times):
                looks.append(asyncio.create_task(self._start_and_see(session)))
                await asyncio.sleep(LOOK_EACH_S)
            return await asyncio.gather(*looks)

    async def _start_and_see(self, session: aiohttp.ClientSession) -> float:
        now_ms = time.time_ns() // 1_000_000
        studio = Studio(now_ms, Random(now_ms), name="looked-for")  # noqa: S311 -- ids of a fiction
        sent = attempt(studio.started(0), WEBHOOK_ID, SECRET, now_ms)
        headers = {"Livepeer-Signature": sent.signature, "Content-Type": "application/json"}
        async with session.post(f"{self._url}{PATH}", data=sent.body, headers=headers) as response:
            assert response.status == 204, await response.text()
        since = time.perf_counter()
        while not await self._is_live(session, studio.stream.id):
            assert time.perf_counter() - since < SEEN_WITHIN_S, "it is not to be read"
            await asyncio.sleep(ASK_EACH_S)
        return time.perf_counter() - since

    async def _is_live(self, session: aiohttp.ClientSession, stream_id: str) -> bool:
        async with session.get(f"{self._url}/v1/streams/{stream_id}") as response:
            if response.status == 404:
                return False
            assert response.status == 200, await response.text()
            return any(one["reason"] == "PushAccepted" for one in (await response.json())["conditions"])

    def _append(self, sent: Sequence[bytes], rate: int) -> list[float]:
        took_s: list[float] = []
        begun = time.perf_counter()
        file = os.open(self._folder / "appended", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        for number, request in enumerate(sent):
            time.sleep(max(begun + number / rate - time.perf_counter(), 0.0))
            since = time.perf_counter()
            os.write(file, request)
            os.fdatasync(file)
            took_s.append(time.perf_counter() - since)
        os.close(file)
        return took_s


_TABLE = "{:>5} | {:>7} {:>7} | {:>8} {:>8} | {:>6} {:>6} | {:>9} {:>9} | {:>8} {:>8} | {:>6}"
_HEAD = (
    "",
    "p50 ms",
    "p99 ms",
    "disk p50",
    "disk p99",
    "ratio",
    "ratio",
    "asked p50",
    "asked p99",
    "seen p50",
    "seen p99",
    "stolen",
)


def _print(number: int, one: Quiet[Round]) -> None:
    row = one.row
    times = [f"{value:.2f}" for value in (row.p50, row.p99, row.disk_p50, row.disk_p99)]
    ratios = [f"{ratio:.1f}" for ratio in row.ratios]
    asked = [f"{value:.2f}" for value in (row.asked_p50, row.asked_p99)]
    seen = [f"{value:.1f}" for value in (row.seen_p50, row.seen_p99)]
    print(_TABLE.format(number, *times, *ratios, *asked, *seen, f"{one.stolen:.0%}"), flush=True)


def _report(rounds: list[Quiet[Round]], file: Path | None) -> None:
    p50, p99 = median(one.row.ratios[0] for one in rounds), median(one.row.ratios[1] for one in rounds)
    seen = median(one.row.seen_p99 for one in rounds)
    print(f"medians: an answer takes {p50:.1f} appends at p50, {p99:.1f} at p99; seen at p99 after {seen:.0f} ms")
    if file is not None:
        figures = {"p50_ratio": p50, "p99_ratio": p99, "seen_p99_ms": seen, "rounds": [one.figures() for one in rounds]}
        file.write_text(json.dumps(figures, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rate", type=int, default=500, help="deliveries a second")
    parser.add_argument("--cores", type=int, choices=[1, 2], default=2, help="of the service")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args()


def main() -> None:
    """Measure, and print a table."""
    options = _options()
    take_core()
    with tempfile.TemporaryDirectory() as name, receiver(Path(name), cores=range(options.cores)) as port:
        bench = Bench(port, Path(name))
        asyncio.run(bench.measure(0, min(options.seconds, 1.0), options.rate))
        print(_TABLE.format(*_HEAD))
        rounds = quiet_rounds(
            options, lambda number: asyncio.run(bench.measure(number, options.seconds, options.rate)), _print
        )
    _report(rounds, options.json)


if __name__ == "__main__":
    main()
