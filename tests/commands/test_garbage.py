"""The collector is as it was after each command."""

import gc

import pytest

from receiver.commands.garbage import GARBAGE, collecting_seldom, not_collecting


def test_while_modules_are_loaded_nothing_is_collected() -> None:
    """Afterwards it is, whatever became of them."""
    with not_collecting():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), not_collecting():
        raise ImportError
    assert gc.isenabled()


def test_what_is_loaded_is_left_alone_for_a_while() -> None:
    """And what is made meanwhile is looked at seldom."""
    before = gc.get_threshold(), gc.get_freeze_count()
    with collecting_seldom():
        assert (GARBAGE, True) == (gc.get_threshold()[0], gc.get_freeze_count() > 0)
    assert before == (gc.get_threshold(), gc.get_freeze_count())
