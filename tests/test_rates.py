"""How often something may happen."""

import pytest

from receiver.rates import Gauge, Rate

PLENTY = Rate(per_s=1000, burst=100_000)


def allowed(gauge: Gauge, remote: str, times: int, now_ms: int = 0) -> int:
    """How many of so many at once are allowed."""
    return sum(gauge.allows(remote, now_ms) for _ in range(times))


def test_a_burst_is_allowed_at_once() -> None:
    """A source that was quiet may send its burst, and no more."""
    assert allowed(Gauge(Rate(1, 5), PLENTY), "a", 9) == 5


def test_time_fills_again() -> None:
    """After the burst, as many are allowed as the rate gives in the time that passed."""
    gauge = Gauge(Rate(2, 5), PLENTY)
    allowed(gauge, "a", 9)
    assert [allowed(gauge, "a", 9, now_ms) for now_ms in (499, 500, 2500, 1_000_000)] == [0, 1, 4, 5]


def test_sources_do_not_share() -> None:
    """One that sends too much takes nothing from another."""
    gauge = Gauge(Rate(1, 5), PLENTY)
    allowed(gauge, "a", 9)
    assert allowed(gauge, "b", 9) == 5


def test_all_together_are_limited() -> None:
    """Many sources cannot do more than all may."""
    gauge = Gauge(Rate(1, 5), Rate(1, 12))
    assert [allowed(gauge, remote, 9) for remote in "abc"] == [5, 5, 2]


def test_what_is_refused_costs_the_total_nothing() -> None:
    """A source beyond its rate does not use up what others may have."""
    gauge = Gauge(Rate(1, 5), Rate(1, 10))
    allowed(gauge, "a", 100)
    assert allowed(gauge, "b", 9) == 5


def test_a_clock_that_steps_back_fills_nothing() -> None:
    """Nor does the way back up, beyond what really passed."""
    gauge = Gauge(Rate(1, 5), PLENTY)
    allowed(gauge, "a", 9, 10_000)
    assert [allowed(gauge, "a", 9, now_ms) for now_ms in (5000, 6000)] == [0, 1]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", 0),
        ("2001:db8::1", "2001:db8:0:1::1", 5),
        ("fe80::1%eth0", "fe80::2%eth0", 0),
        ("not:an:address", "another:one", 5),
    ],
)
def test_a_network_of_ipv6_is_one_source(one: str, other: str, expected: int) -> None:
    """Addresses of one /64 share a rate."""
    gauge = Gauge(Rate(1, 5), PLENTY)
    allowed(gauge, one, 9)
    assert allowed(gauge, other, 9) == expected


def test_old_sources_are_forgotten() -> None:
    """Only so many are kept; one that comes again begins anew."""
    gauge = Gauge(Rate(0, 1), PLENTY)
    for number in range(5000):
        gauge.allows(f"source {number}", 0)
    assert len(gauge._sources) == 4096
    assert gauge.allows("source 0", 0)
