"""The load: keep-alive connections that each send the next request as soon as the last was answered."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_HEAD_END = b"\r\n\r\n"


@dataclass
class Load:
    """What was answered: statuses with their counts, and how long each answer took."""

    statuses: Counter[int] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def taken_in(self) -> int:
        """The answers that count."""
        return sum(n for status, n in self.statuses.items() if 200 <= status < 300)

    def percentile_ms(self, share: float) -> float:
        """How long the given share of the answers took at most."""
        ordered = sorted(self.took_s)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


async def drive(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Send the requests, each once, until they are used up or the time is; every request is answered at the end."""
    load, queue, loop = Load(), iter(requests), asyncio.get_running_loop()
    pairs = [await loop.create_connection(lambda: _Caller(load, queue), "127.0.0.1", port) for _ in range(connections)]
    begun = time.perf_counter()
    for _, caller in pairs:
        caller.begin(begun + seconds)
    await asyncio.gather(*(caller.done for _, caller in pairs))
    load.seconds = time.perf_counter() - begun
    for transport, _ in pairs:
        transport.close()
    return load


class _Caller(asyncio.Protocol):
    def __init__(self, load: Load, queue: Iterator[bytes]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._load, self._queue = load, queue
        self._transport: asyncio.WriteTransport | None = None
        self._received = b""
        self._until = self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def begin(self, until: float) -> None:
        """Send the first request; no more are sent after `until`."""
        self._until = until
        self._next()

    def _next(self) -> None:
        self._sent = time.perf_counter()
        request = next(self._queue, None) if self._sent < self._until else None
        if request is None:
            self.done.set_result(None)
        elif self._transport is not None:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(_HEAD_END)
        if not end or len(rest) < _length(head):
            return
        self._received = b""
        self._load.took_s.append(time.perf_counter() - self._sent)
        self._load.statuses[int(head[9:12])] += 1
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
