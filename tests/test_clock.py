import pytest

from receiver.clock import ManualClock, SystemClock


def test_the_system_clock_tells_unix_milliseconds() -> None:
    """The machine's time has thirteen digits: milliseconds, not seconds."""
    assert 13 == len(str(SystemClock().now_ms()))


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    """Only `advance` and `set` move it, and `set` may step back."""
    clock = ManualClock(1_000)
    seen = [clock.now_ms(), clock.now_ms()]
    clock.advance(250)
    seen.append(clock.now_ms())
    clock.set(900)
    seen.append(clock.now_ms())
    assert [1_000, 1_000, 1_250, 900] == seen


def test_a_manual_clock_does_not_advance_backwards() -> None:
    """A negative step is a mistake in the caller, not a step back."""
    with pytest.raises(ValueError, match="does not advance by -1 ms"):
        ManualClock(0).advance(-1)
