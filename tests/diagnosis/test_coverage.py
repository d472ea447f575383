import pytest

from receiver.diagnosis.coverage import LONGEST_RETRY_MS, OPEN_END_MS, Coverage, coverage

GRACE_MS = 60_000
MINUTE = 60_000
HOUR = 60 * MINUTE
FOREVER = OPEN_END_MS


def due(*up: tuple[int, int], start_ms: int = 0, wait_ms: int = 7 * MINUTE) -> int | None:
    """When silence since `start_ms` is conclusive for who was up at these times."""
    return Coverage(up).conclusive_ms(start_ms, wait_ms, GRACE_MS)


def test_silence_is_conclusive_after_the_wait_and_the_grace() -> None:
    """With no gap at all, the wait and the grace are all that has to pass."""
    assert 8 * MINUTE == due((-HOUR, FOREVER))


def test_what_happened_before_the_first_start_is_waited_for_from_that_start_on() -> None:
    """Time before the first start ever is not covered, but no gap either: no retries are waited for."""
    assert 2 * HOUR + 8 * MINUTE == due((2 * HOUR, FOREVER))


def test_a_gap_does_not_count() -> None:
    """Of eight minutes that are needed, those in a short gap are added at the end."""
    assert 8 * MINUTE + 30_000 == due((-HOUR, MINUTE), (MINUTE + 30_000, FOREVER))


@pytest.mark.parametrize(
    ("gap_ms", "patience_ms"),
    [
        (10_000, GRACE_MS),
        (GRACE_MS, GRACE_MS),
        (20 * MINUTE, 20 * MINUTE),
        (HOUR, LONGEST_RETRY_MS),
        (5 * HOUR, LONGEST_RETRY_MS),
    ],
)
def test_after_a_gap_the_next_retry_is_waited_for(gap_ms: int, patience_ms: int) -> None:
    """The sender's waits double: its next retry comes within the gap's length, never before the grace nor after an
    hour."""
    gap_from, gap_until = 7 * MINUTE + 59_000, 7 * MINUTE + 59_000 + gap_ms
    assert gap_until + patience_ms == due((-HOUR, gap_from), (gap_until, FOREVER))


def test_a_gap_that_was_over_before_is_still_waited_for() -> None:
    """What the sender could not deliver in a gap may be what we wait for, although the wait began after it."""
    assert 59 * MINUTE == due((-9 * HOUR, -HOUR - MINUTE), (-MINUTE, FOREVER))


def test_a_gap_long_past_changes_nothing() -> None:
    """After an hour the sender has tried everything again."""
    assert 8 * MINUTE == due((-9 * HOUR, -5 * HOUR), (-2 * HOUR, FOREVER))


def test_a_gap_after_the_conclusion_changes_nothing() -> None:
    """What has been concluded stays so, whatever we miss later (P6)."""
    assert 8 * MINUTE == due((-HOUR, 8 * MINUTE), (9 * MINUTE, FOREVER))


def test_one_gap_after_another_is_waited_for() -> None:
    """A gap in the time of patience after another has its own patience."""
    assert 50 * MINUTE == due((-HOUR, 5 * MINUTE), (15 * MINUTE, 20 * MINUTE), (35 * MINUTE, FOREVER))


def test_nothing_is_concluded_while_a_gap_lasts() -> None:
    """As long as it is not known when we will be back, it is not known when silence will mean something."""
    assert due((-HOUR, 5 * MINUTE)) is None
    assert due() is None


def test_nothing_is_concluded_from_patience_that_runs_into_a_gap_that_lasts() -> None:
    """The conclusion must fall into covered time."""
    assert due((-HOUR, 5 * MINUTE), (15 * MINUTE, 20 * MINUTE)) is None


@pytest.mark.parametrize(
    ("from_ms", "until_ms", "expected"),
    [(0, 10, False), (0, 11, True), (19, 30, True), (20, 30, False), (12, 13, True), (0, 30, True), (-90, -80, False)],
)
def test_a_gap_is_found_where_it_touches_the_time_asked_for(from_ms: int, until_ms: int, *, expected: bool) -> None:
    """Up to its first and from its last moment on we were there; before the first start there is no gap."""
    assert expected == Coverage(((-50, 10), (20, FOREVER))).gap_within(from_ms, until_ms)


@pytest.mark.parametrize(
    ("up", "refusing", "expected"),
    [
        ([(0, 100)], [], [(0, 100)]),
        ([(0, 100)], [(20, 30)], [(0, 20), (30, 100)]),
        ([(0, 100)], [(0, 30)], [(30, 100)]),
        ([(0, 100)], [(90, 200)], [(0, 90)]),
        ([(0, 100)], [(100, 200)], [(0, 100)]),
        ([(0, 100)], [(0, 100)], []),
        ([(0, 10), (20, 30), (40, 50)], [(5, 45)], [(0, 5), (45, 50)]),
        ([(0, 100)], [(10, 20), (30, 40)], [(0, 10), (20, 30), (40, 100)]),
        ([], [(0, 10)], []),
    ],
)
def test_time_in_which_the_signature_was_refused_is_not_covered(
    up: list[tuple[int, int]], refusing: list[tuple[int, int]], expected: list[tuple[int, int]]
) -> None:
    """Being up is not enough: who refuses the sender hears as little as who is away."""
    assert Coverage(tuple(expected)) == coverage(up, refusing)
