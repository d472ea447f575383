"""The load: connections that each send the next request as soon as the last was answered, kept alive as far as the
server does."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

UNANSWERED = 0
"""In place of a status, where the server closed the connection instead of answering."""
_HEAD_END = b"\r\n\r\n"


@dataclass
class Load:
    """What was answered: statuses with their counts, and how long each answer took, or none came."""

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
    """Send the requests, each once, until they are used up or the time is; every request is answered at the end, or
    never will be. Raises OSError where the server cannot be reached."""
    load, queue = Load(), iter(requests)
    callers = [_Caller(port, load, queue) for _ in range(connections)]
    for caller in callers:
        await caller.connect()
    begun = time.perf_counter()
    for caller in callers:
        caller.begin(begun + seconds)
    await asyncio.gather(*(caller.done for caller in callers))
    load.seconds = time.perf_counter() - begun
    for caller in callers:
        caller.close()
    return load


class _Caller:
    """Has one connection; a new one for each request where the server closes it."""

    def __init__(self, port: int, load: Load, queue: Iterator[bytes]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._port, self._load, self._queue = port, load, queue
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._until = self._sent = 0.0

    async def connect(self) -> None:
        """Open the connection."""
        loop = asyncio.get_running_loop()
        _, self._connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)

    def begin(self, until: float) -> None:
        """Send the first request; no more are sent after `until`."""
        self._until = until
        self._next()

    def answered(self, status: int, *, closed: bool) -> None:
        """The request was answered; send the next."""
        self._load.took_s.append(time.perf_counter() - self._sent)
        self._load.statuses[status] += 1
        if closed:
            self.close()
        self._next()

    def lost(self) -> None:
        """The connection is no more. A server may close one that is kept alive while a request is on its way."""
        if not self.done.done():
            self.answered(UNANSWERED, closed=True)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _next(self) -> None:
        self._sent = time.perf_counter()
        request = next(self._queue, None) if self._sent < self._until else None
        if request is None:
            self.done.set_result(None)
        elif self._connection is None:
            self._connecting = asyncio.create_task(self._send_anew(request))
        else:
            self._connection.send(request)

    async def _send_anew(self, request: bytes) -> None:
        try:
            await self.connect()
        except OSError as error:
            self.done.set_exception(error)
        else:
            assert self._connection is not None
            self._connection.send(request)


class _Connection(asyncio.Protocol):
    def __init__(self, caller: _Caller) -> None:
        self._caller = caller
        self._transport: asyncio.WriteTransport | None = None
        self._received, self._closed = b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def send(self, request: bytes) -> None:
        """Send a request."""
        assert self._transport is not None
        self._transport.write(request)

    def close(self) -> None:
        """Nothing more comes."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(_HEAD_END)
        if not end or len(rest) < _length(head):
            return
        self._received = b""
        self._caller.answered(int(head[9:12]), closed=b"\r\nconnection: close" in head.lower())

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self._closed:
            self._caller.lost()


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
