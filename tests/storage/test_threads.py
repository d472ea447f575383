"""Work is handed to threads, and its result back."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from functools import partial

import pytest

from receiver.storage.threads import Threads


@pytest.fixture
def threads() -> Iterator[Threads]:
    """Two at most."""
    made = Threads("test", 2)
    yield made
    made.close()


async def test_what_work_returns_or_raises_comes_back(threads: Threads) -> None:
    """To the loop's own thread."""

    def fails() -> None:
        raise LookupError("not there")

    assert (3, 4) == (await threads.hand(lambda: 3), await threads.hand(lambda: 4))
    with pytest.raises(LookupError, match="not there"):
        await threads.hand(fails)
    assert 5 == await threads.hand(lambda: 5), "a failure ends no thread"


async def test_there_are_so_many_at_most(threads: Threads) -> None:
    """However much there is to do, each thread does one thing at a time."""
    both = threading.Barrier(3)
    names = [threads.hand(lambda: (both.wait(5), threading.current_thread().name)[1]) for _ in range(2)]
    later = threads.hand(lambda: threading.current_thread().name)
    await asyncio.to_thread(both.wait, 5)
    assert {"test_0", "test_1"} == set(await asyncio.gather(*names))
    assert await later in {"test_0", "test_1"}


async def test_one_thread_does_first_what_came_first() -> None:
    """That is what makes one writer of it."""
    done: list[int] = []
    one = Threads("test", 1)
    await asyncio.gather(*(one.hand(lambda number=number: done.append(number)) for number in range(50)))  # type: ignore[misc]
    one.close()
    assert [*range(50)] == done


async def test_work_goes_on_when_its_caller_is_cancelled(threads: Threads) -> None:
    """A transaction is not cut in the middle."""
    free, done = threading.Event(), threading.Barrier(3)

    def work() -> None:
        free.wait(5)
        done.wait(5)

    for waiting in [threads.hand(work) for _ in range(2)]:
        waiting.cancel()
    free.set()
    await asyncio.to_thread(done.wait, 5)
    assert 6 == await threads.hand(lambda: 6)


async def test_closing_finishes_what_was_handed_in(threads: Threads) -> None:
    """And takes no more."""
    free = threading.Event()
    work = [threads.hand(lambda: free.wait(5)) for _ in range(5)]
    closing = asyncio.create_task(asyncio.to_thread(threads.close))
    await asyncio.sleep(0.01)
    free.set()
    await closing
    assert [True] * 5 == await asyncio.gather(*work)
    with pytest.raises(RuntimeError, match="is closed"):
        threads.hand(lambda: 0)


def test_who_waits_may_be_gone() -> None:
    """Its loop has ended: the work is done all the same, and the thread goes on."""
    threads, free = Threads("test", 1), threading.Event()

    async def hands() -> None:
        threads.hand(lambda: free.wait(5))

    asyncio.run(hands())
    free.set()
    assert 7 == asyncio.run(_answer(threads))
    threads.close()


async def _answer(threads: Threads) -> int:
    return await threads.hand(lambda: 7)


async def test_what_was_done_is_not_kept(threads: Threads) -> None:
    """A thread that waits for work holds nothing of the last."""

    class Large:
        """Something to hold."""

    held = Large()
    gone = weakref.ref(held)
    await threads.hand(partial(type, held))
    del held
    await threads.hand(lambda: None)
    gc.collect()
    assert gone() is None
