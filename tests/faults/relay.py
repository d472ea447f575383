"""A network between a service and its database that can be cut at any moment."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Relay:
    """Passes on what it is sent, in pieces, until it is told to cut all connections: at some piece from now on, or
    instead of the answer to a statement. New ones are let through again."""

    to_port: int
    port: int = 0
    cuts: int = 0
    """How often it was cut."""
    _left: int | None = None
    _at: bytes | None = None
    _muted: bool = False
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _serving: set[asyncio.Task[None]] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None
    _stopping: asyncio.Event | None = None

    def cut_after(self, pieces: int) -> None:
        """Cut once so many more pieces were passed on, in either direction."""
        self._left = pieces

    def cut_at(self, words: bytes) -> None:
        """Pass the next statement with these words on, and cut before its answer is passed back."""
        self._at = words

    def disarm(self) -> None:
        """Cut no more."""
        self._left, self._at, self._muted = None, None, False

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.to_port)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, server_writer}
        self._writers |= pair
        up = asyncio.create_task(self._pass_on(reader, server_writer, asks=True))
        down = asyncio.create_task(self._pass_on(server_reader, writer, asks=False))
        await asyncio.wait({up, down})
        self._writers -= pair
        for end in pair:
            end.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, asks: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(1 << 16):
                if self._left == 0:
                    self._cut()
                    return
                self._left = None if self._left is None else self._left - 1
                self._muted = self._muted or (asks and self._at is not None and self._at in piece)
                if asks or not self._muted:
                    writer.write(piece)
                elif self._muted:
                    self._cut()
                    return
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()

    def _cut(self) -> None:
        self.cuts += 1
        self.disarm()
        for writer in self._writers:
            writer.transport.abort()

    async def run(self, ready: threading.Event) -> None:
        """Listen until told to stop."""
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        ready.set()
        await self._stopping.wait()
        server.close()
        self._cut()
        await asyncio.gather(*self._serving)

    def stop(self) -> None:
        """Stop listening; cut what is left."""
        assert self._loop is not None
        assert self._stopping is not None
        self._loop.call_soon_threadsafe(self._stopping.set)


@contextmanager
def relay(to_port: int) -> Iterator[Relay]:
    """A relay to a port of this machine, in a thread of its own: who starts a service waits for its database."""
    made, ready = Relay(to_port), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(made.run(ready)))
    thread.start()
    ready.wait()
    try:
        yield made
    finally:
        made.stop()
        thread.join()
