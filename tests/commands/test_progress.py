"""The line that says how far a long command is."""

import io

from receiver.clock import ManualClock
from receiver.commands.progress import Bar, line


class Terminal(io.StringIO):
    """What a terminal would be sent."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def shown(stream: io.StringIO, *, wanted: bool = True) -> str:
    """What is written of a command that does 100 things in a second, in four steps."""
    clock = ManualClock(1_000_000)
    with Bar(stream, clock, wanted=wanted) as bar:
        for done in (25, 50, 75, 100):
            clock.advance(250)
            bar.show("events", done, 100)
    return stream.getvalue()


def test_a_terminal_is_shown_how_far_it_is() -> None:
    """The line is written over, and ended."""
    written = shown(Terminal())
    assert 4 == written.count("\r")
    assert written.endswith("\revents [########################] 100%  100 of 100  100/s         \n")


def test_nothing_else_is() -> None:
    """Neither a file nor who has asked for JSON."""
    assert ["", ""] == [shown(io.StringIO()), shown(Terminal(), wanted=False)]


def test_a_line_says_how_fast_it_goes_and_how_long_it_takes() -> None:
    """And without a total what is known."""
    assert "events [######------------------]  25%  1,000,000 of 4,000,000  20,000/s  2 min 30 s left" == line(
        "events", 1_000_000, 4_000_000, 50_000
    )
    assert "deliveries  8,192" == line("deliveries", 8192, None, 0)
    assert "events [########################] 100%  0 of 0" == line("events", 0, 0, 5)


def test_steps_that_follow_each_other_closely_are_not_all_told() -> None:
    """Ten lines a second are enough, but the last one is told."""
    clock, stream = ManualClock(0), Terminal()
    with Bar(stream, clock) as bar:
        for done in range(1, 101):
            clock.advance(10)
            bar.show("events", done, 100)
    assert 11 == stream.getvalue().count("\r")
    assert "100 of 100" in stream.getvalue()
