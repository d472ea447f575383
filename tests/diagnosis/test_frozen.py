from dataclasses import FrozenInstanceError, replace

import pytest

from receiver.diagnosis import frozen
from receiver.diagnosis.values import Report

REPORT = Report(
    error="forbidden",
    http_status=403,
    message="no",
    key_prefix_matches=None,
    key_is_playback_id=None,
    identifier="pb",
)


def made() -> Report:
    """The same report, made quickly."""
    return frozen.made(
        Report,
        error="forbidden",
        http_status=403,
        message="no",
        key_prefix_matches=None,
        key_is_playback_id=None,
        identifier="pb",
    )


def test_what_is_made_equals_what_the_dataclass_makes() -> None:
    """Its value, its hash and how it reads."""
    assert (REPORT, hash(REPORT), repr(REPORT)) == (made(), hash(made()), repr(made()))


def test_a_change_is_made_to_a_copy() -> None:
    """As the standard library does it; what it was made from stays."""
    first = made()
    assert replace(REPORT, http_status=401) == frozen.replace(first, http_status=401)
    assert first == REPORT


def test_what_is_made_is_frozen() -> None:
    """No field can be set."""
    with pytest.raises(FrozenInstanceError):
        made().http_status = 500  # type: ignore[misc]
