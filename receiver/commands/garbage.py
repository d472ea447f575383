"""How often a process that does much for long looks for cycles."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

GARBAGE = 50_000
"""How many more objects there must be before the collector looks for cycles."""
SOME_GARBAGE = 10_000
"""The same where requests wait meanwhile: among 50,000 it looks for 40 ms."""


def collect_seldom() -> None:
    """What is loaded stays, and what a request or an event makes is freed without the collector: looking for cycles as
    often as usual costs a tenth of the throughput."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(SOME_GARBAGE)


@contextmanager
def not_collecting() -> Iterator[None]:
    """Until the block ends, in which modules are loaded: of what they make nothing can be freed, and looking for it
    takes a quarter of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """As `collect_seldom`, and more seldom, until the block ends: for what nobody waits for."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
