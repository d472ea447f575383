"""The load at a fixed rate: so many requests a second, whatever the server makes of them. One that finds no connection
free waits for one, and that counts."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

from load import Load

_END = b"\r\n\r\n"


async def offer(port: int, requests: Sequence[bytes], connections: int, per_s: float) -> Load:
    """Send the requests to a server whose answers have no body, each at its time and once; at the end all are
    answered."""
    load, loop = Load(), asyncio.get_running_loop()
    answered: asyncio.Future[None] = loop.create_future()
    waiting: deque[tuple[bytes, float]] = deque()
    idle: list[_Caller] = []

    def follow(caller: _Caller) -> None:
        if waiting:
            caller.send(*waiting.popleft())
        else:
            idle.append(caller)
        if len(load.took_s) == len(requests):
            answered.set_result(None)

    pairs = [await loop.create_connection(lambda: _Caller(load, follow), "127.0.0.1", port) for _ in range(connections)]
    idle += [caller for _, caller in pairs]
    begun = time.perf_counter()
    for number, request in enumerate(requests):
        await asyncio.sleep(begun + number / per_s - time.perf_counter())
        waiting.append((request, time.perf_counter()))
        if idle:
            follow(idle.pop())
    await answered
    load.seconds = time.perf_counter() - begun
    for transport, _ in pairs:
        transport.close()
    return load


class _Caller(asyncio.Protocol):
    """One connection; `follow` is called when it is free again."""

    def __init__(self, load: Load, follow: Callable[["_Caller"], None]) -> None:
        self._load, self._follow = load, follow
        self._transport: asyncio.WriteTransport | None = None
        self._received, self._since = b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def send(self, request: bytes, since: float) -> None:
        """Send a request that has waited since then."""
        assert self._transport is not None
        self._since = since
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._received.endswith(_END):
            return
        self._load.took_s.append(time.perf_counter() - self._since)
        self._load.statuses[int(self._received[9:12])] += 1
        self._received = b""
        self._follow(self)
