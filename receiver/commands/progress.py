"""How far a long command is: a line on a terminal that is written over."""

from types import TracebackType
from typing import Self, TextIO

from receiver.clock import Clock

WIDTH = 24
EACH_MS = 100


class Bar:
    """Written to a terminal, and to nothing else. The line ends when the block does."""

    def __init__(self, stream: TextIO, clock: Clock, *, wanted: bool = True) -> None:
        self._stream, self._clock = stream, clock
        self._shown = wanted and stream.isatty()
        self._what, self._length = "", 0
        self._begun_ms = self._last_ms = self._told_ms = clock.now_ms()

    def show(self, what: str, done: int, of: int | None) -> None:
        """So many of these things are done, of so many where that is known."""
        before_ms, self._last_ms = self._last_ms, self._clock.now_ms()
        now_ms = self._last_ms
        if what != self._what:
            self._what, self._begun_ms = what, before_ms
        elif now_ms - self._told_ms < EACH_MS and done != of:
            return
        self._told_ms = now_ms
        self._write(line(what, done, of, now_ms - self._begun_ms))

    def _write(self, text: str) -> None:
        if self._shown:
            self._stream.write(f"\r{text.ljust(self._length)}")
            self._stream.flush()
            self._length = len(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._length:
            self._stream.write("\n")


def line(what: str, done: int, of: int | None, took_ms: int) -> str:
    """`events [######------------------]  25 %  1,000 of 4,000  2,000/s  1 s left`; the rate once there is one."""
    rate = done * 1000 // took_ms if took_ms else 0
    told = f"  {rate:,}/s" if rate else ""
    if of is None:
        return f"{what}  {done:,}{told}"
    share = min(done / of, 1.0) if of else 1.0
    bar = ("#" * int(share * WIDTH)).ljust(WIDTH, "-")
    left = f"  {_time((of - done) // rate)} left" if rate and done < of else ""
    return f"{what} [{bar}] {share:4.0%}  {done:,} of {of:,}{told}{left}"


def _time(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
