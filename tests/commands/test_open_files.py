import resource
from collections.abc import Iterator

import pytest

from receiver.commands.open_files import ENOUGH, allow_enough

FEW = 512


@pytest.fixture
def hard() -> Iterator[int]:
    """The most that may be had, with few allowed until the test ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_limit_is_raised_as_far_as_it_may(hard: int) -> None:
    """Not beyond what is enough, nor what is allowed; the hard limit is left alone."""
    allow_enough()
    most = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    assert (most, hard) == resource.getrlimit(resource.RLIMIT_NOFILE)


def test_a_limit_that_is_higher_is_left_alone(hard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is taken away."""
    monkeypatch.setattr("receiver.commands.open_files.ENOUGH", FEW - 1)
    allow_enough()
    assert (FEW, hard) == resource.getrlimit(resource.RLIMIT_NOFILE)


def test_a_limit_that_may_not_be_raised_stays(hard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As under systemd's filter of system calls: the service starts all the same."""

    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("resource.setrlimit", forbidden)
    allow_enough()
    assert FEW == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
