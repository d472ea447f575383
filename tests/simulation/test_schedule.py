import pytest

from receiver.simulation.schedule import RETRY_WAITS_MS, attempt_times, attempts_until


def test_the_waits_double_and_then_stay_at_an_hour() -> None:
    """5 s to 2560 s, then 3600 s; 33 retries in about 24.4 h (FACTS 1.3)."""
    assert (5_000, 10_000, 2_560_000, 3_600_000, 3_600_000) == (
        *RETRY_WAITS_MS[:2],
        *RETRY_WAITS_MS[9:11],
        RETRY_WAITS_MS[-1],
    )
    assert (33, 24.4) == (len(RETRY_WAITS_MS), round(sum(RETRY_WAITS_MS) / 3_600_000, 1))


def test_a_delivery_is_tried_34_times() -> None:
    """The first attempt and 33 retries."""
    times = list(attempt_times(1_000))
    assert (34, [1_000, 6_000, 16_000]) == (len(times), times[:3])


def test_the_first_attempt_that_finds_the_receiver_is_the_last() -> None:
    """What could not be delivered for a minute comes after 75 s."""
    assert (0, 5_000, 15_000, 35_000, 75_000) == attempts_until(0, 60_000)
    assert (0,) == attempts_until(0, 0)


def test_the_sender_gives_up_after_a_day() -> None:
    """Then the event is lost for good."""
    with pytest.raises(ValueError, match="gives up"):
        attempts_until(0, 90_000_000)
