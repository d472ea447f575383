"""Threads that transactions are handed to from an event loop.

The standard library's executor does as much, for three times what it costs: a delivery on an idle service is handed
over and back once, and that was a tenth of all that it took.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """So many at most, begun one by one as work comes. They do what was handed in first, first."""

    def __init__(self, name: str, most: int) -> None:
        self._name, self._most = name, most
        self._threads: list[Thread] = []
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._door = Lock()
        self._closed = False

    def hand(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """What it returns or raises, in the caller's event loop; it is done though nobody waits for that any more.
        Raises RuntimeError once this is closed."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        with self._door:
            if self._closed:
                raise RuntimeError("the database is closed")
            self._jobs.put(partial(_do, work, done, loop))
            if len(self._threads) < self._most:
                thread = Thread(target=self._work, name=f"{self._name}_{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
        return done

    def close(self) -> None:
        """Finish what was handed in, and take no more. Blocks."""
        with self._door:
            self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # and all that it holds, before the next one comes


def _do(work: Callable[[], T], done: asyncio.Future[T], loop: asyncio.AbstractEventLoop) -> None:
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 -- whatever it is, it is for who waits
        tell = partial(_fail, done, error)
    else:
        tell = partial(_succeed, done, result)
    with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
        loop.call_soon_threadsafe(tell)


def _succeed(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[T], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
