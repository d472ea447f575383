"""What an access gate adds to a call, and how it stands by many viewers.

    python benchmarks/gate.py [--rounds 5] [--calls 1000] [--viewers 1000] [--stolen 0.05] [--json FILE]

`receiver serve` with two gates on core 0; a decision URL in aiohttp that allows at once, and one that never answers, on
core 1 with this process, which is the load. In each round, call by call in turns: the decision URL is asked directly,
and through the gate; once on connections that are kept, and once on a new one for each call, as Livepeer has it (FACTS
12). What counts is the median of the differences between a call and the one beside it, of 1 ms that were asked for.
Then so many viewers at once, each on a connection of its own, at the gate that works, and at the one whose decision
URL hangs: all are answered, and none later than the budget of 1.5 s.
Rounds in which others had the cores (`quiet`) do not count.
"""

import argparse
import asyncio
import json
import socket
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from deciding import DECIDES, HANGS
from load import UNANSWERED, Load, drive
from measuring import take_core
from quiet import Quiet, add_options, quiet_rounds
from servers import decision_url, receiver

from receiver.livepeer.signature import sign

SECRETS = {"works": "gate-of-the-benchmark-1", "hangs": "gate-of-the-benchmark-2"}
BUDGET_S = 1.5
WITHIN_S = 30.0
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Round:
    """Times in milliseconds: of a call that is made directly, and what the gate added to the one beside it, on
    connections that are kept and on new ones; of the answers to all viewers at once. `refused` are those at
    the gate that works whose decision came too late, `unanswered` had no answer at all."""

    direct_kept: float
    added_kept: float
    added_kept_p99: float
    direct_new: float
    added_new: float
    added_new_p99: float
    working_p50: float
    working_most: float
    hanging_p50: float
    hanging_most: float
    refused: int
    unanswered: int


class Caller:
    """Calls one path of a server, one call after the other, on a kept connection or on new ones."""

    def __init__(self, port: int, path: str, *, keep: bool) -> None:
        self._port, self._path, self._keep = port, path, keep
        self._socket: socket.socket | None = None

    def call_ms(self, body: bytes, secret: str, now_ms: int) -> float:
        """How long the answer took, which must allow."""
        sent = request(self._path, body, secret, now_ms, keep=self._keep)
        begun = time.perf_counter()
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(sent)
        answer = b""
        while not answer.endswith(b'{"ret":0}'):
            part = self._socket.recv(65536)
            assert part, answer
            answer += part
        took_ms = (time.perf_counter() - begun) * 1000
        assert answer.startswith(b"HTTP/1.1 200"), answer
        if not self._keep:
            self.close()
        return took_ms

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def request(path: str, body: bytes, secret: str, now_ms: int, *, keep: bool) -> bytes:
    """A call as Livepeer sends it, but perhaps for its connection."""
    lines = (
        f"POST {path} HTTP/1.1",
        "content-type: application/json",
        "user-agent: livepeer.studio",
        f"Livepeer-Signature: {sign(secret, body, now_ms)}",
        "Accept: */*",
        f"Content-Length: {len(body)}",
        "Accept-Encoding: gzip,deflate",
        f"Connection: {'keep-alive' if keep else 'close'}",
        "Host: 127.0.0.1",
    )
    return "\r\n".join(lines).encode() + _HEAD_END + body


def call(now_ms: int, number: int) -> bytes:
    """The body of a viewer's call (FACTS 7.1)."""
    value = {
        "context": {"plan": "gold"},
        "accessKey": f"viewer-{number}",
        "timestamp": now_ms,
        "userIP": "203.0.113.24",
        "playDomain": "playback.livepeer.studio",
        "playURL": f"https://playback.livepeer.studio/hls/7c1ek7izba9nzj4b/index.m3u8?accessKey=viewer-{number}",
        "headers": {"Host": "playback.livepeer.studio", "Origin": "https://watch.example.com", "Referer": ""},
    }
    return json.dumps(value, separators=(",", ":")).encode()


class Bench:
    """The service and the decision URL."""

    def __init__(self, port: int, direct: int) -> None:
        self._port, self._direct = port, direct

    def measure(self, calls: int, viewers: int) -> Round:
        """One round."""
        kept, new = self._beside(calls, keep=True), self._beside(calls, keep=False)
        working, hanging = (asyncio.run(self._at_once(name, viewers)) for name in SECRETS)
        assert set(working.statuses) <= {200, 504, UNANSWERED}, working.statuses
        assert set(hanging.statuses) <= {504, UNANSWERED}, hanging.statuses
        works = working.percentile_ms(0.5), working.percentile_ms(1.0)
        hangs = hanging.percentile_ms(0.5), hanging.percentile_ms(1.0)
        unanswered = working.statuses[UNANSWERED] + hanging.statuses[UNANSWERED]
        return Round(*kept, *new, *works, *hangs, working.statuses[504], unanswered)

    def _beside(self, calls: int, *, keep: bool) -> tuple[float, float, float]:
        direct, gate = Caller(self._direct, DECIDES, keep=keep), Caller(self._port, "/gates/works", keep=keep)
        alone, added = [], []
        for number in range(calls):
            now_ms = time.time_ns() // 1_000_000
            body = call(now_ms, number)
            took_ms = [one.call_ms(body, SECRETS["works"], now_ms) for one in _in_turn(direct, gate, number)]
            first, second = took_ms if number % 2 == 0 else took_ms[::-1]
            alone.append(first)
            added.append(second - first)
        direct.close()
        gate.close()
        return median(alone), median(added), quantiles(added, n=100)[98]

    async def _at_once(self, name: str, viewers: int) -> Load:
        now_ms = time.time_ns() // 1_000_000
        bodies = [call(now_ms, number) for number in range(viewers)]
        sent = [request(f"/gates/{name}", body, SECRETS[name], now_ms, keep=False) for body in bodies]
        return await drive(self._port, sent, viewers, WITHIN_S)


def _in_turn(direct: Caller, gate: Caller, number: int) -> Sequence[Caller]:
    """Each is first in half of the pairs."""
    return (direct, gate) if number % 2 == 0 else (gate, direct)


_TABLE = "{:>5} | {:>7} {:>7} {:>7} | {:>7} {:>7} {:>7} | {:>7} {:>7} | {:>7} {:>7} | {:>6}"
_HEAD = ("", "kept ms", "added", "p99", "new ms", "added", "p99", "works", "most", "hangs", "most", "stolen")


def _print(number: int, one: Quiet[Round]) -> None:
    row = one.row
    kept = (row.direct_kept, row.added_kept, row.added_kept_p99)
    new = (row.direct_new, row.added_new, row.added_new_p99)
    at_once = (row.working_p50, row.working_most, row.hanging_p50, row.hanging_most)
    times = [*(f"{value:.2f}" for value in (*kept, *new)), *(f"{value:.0f}" for value in at_once)]
    print(_TABLE.format(number, *times, f"{one.stolen:.0%}"), flush=True)


def _report(rounds: Sequence[Quiet[Round]], file: Path | None) -> None:
    kept = median(one.row.added_kept for one in rounds)
    new = median(one.row.added_new for one in rounds)
    late = max(one.row.hanging_most for one in rounds)
    unanswered, refused = (
        sum(counts) for counts in zip(*((r.row.unanswered, r.row.refused) for r in rounds), strict=True)
    )
    print(f"the gate adds {kept:.2f} ms to a call on a kept connection, {new:.2f} ms on a new one (medians)")
    print(f"the last answer while the decision URL hangs came after {late:.0f} ms of {BUDGET_S * 1000:.0f}")
    print(f"{unanswered} viewers had no answer, {refused} were refused because the gate that works was too late")
    if file is not None:
        figures = {"added_kept_ms": kept, "added_new_ms": new, "hanging_most_ms": late}
        figures |= {"unanswered": unanswered, "refused": refused}
        file.write_text(json.dumps({**figures, "rounds": [one.figures() for one in rounds]}, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--calls", type=int, default=1000, help="pairs of calls in a round, on each kind of connection")
    parser.add_argument("--viewers", type=int, default=1000, help="at once")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args()


def main() -> None:
    """Measure, and print a table."""
    options = _options()
    take_core()
    with tempfile.TemporaryDirectory() as name, decision_url(Path(name)) as direct:
        urls = {"works": DECIDES, "hangs": HANGS}
        gates = {
            gate: {"url": f"http://127.0.0.1:{direct}{path}", "secret": SECRETS[gate]} for gate, path in urls.items()
        }
        settings = {"RECEIVER_GATES": json.dumps(gates), "RECEIVER_GATE_TIMEOUT_S": str(BUDGET_S)}
        with receiver(Path(name), settings) as port:
            bench = Bench(port, direct)
            bench.measure(50, 50)
            print(_TABLE.format(*_HEAD))
            rounds = quiet_rounds(options, lambda _: bench.measure(options.calls, options.viewers), _print)
    _report(rounds, options.json)


if __name__ == "__main__":
    main()
