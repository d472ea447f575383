from itertools import pairwise

import pytest

from receiver.diagnosis.ordering import position, standing_ms

CAUSAL = (
    "observation.publish_intent",
    "observation.publish_rejected",
    "stream.started",
    "recording.started",
    "multistream.connected",
    "stream.idle",
    "recording.waiting",
    "some.new.event",
    "asset.created",
    "task.spawned",
    "task.updated",
    "asset.updated",
    "task.failed",
    "asset.failed",
    "asset.ready",
    "recording.ready",
    "task.completed",
    "asset.deleted",
    "observation.playback_error",
    "observation.playback_ok",
    "observation.recording_requested",
)


def test_time_at_the_source_comes_first() -> None:
    """However the kinds and the ids would sort (DESIGN 4)."""
    assert position(999, "observation.recording_requested", "z") < position(1000, "stream.started", "a")


def test_of_one_moment_the_cause_comes_before_its_effect() -> None:
    """Attempt, start, session, idle, queue, work, outcome, deletion, and then what players make of it."""
    assert all(position(0, one, "z") < position(0, next_one, "a") for one, next_one in pairwise(CAUSAL))


def test_of_one_moment_and_kind_the_id_decides() -> None:
    """So that there is one order, whatever arrived first (P4)."""
    assert position(0, "stream.idle", "a") < position(0, "stream.idle", "b")


@pytest.mark.parametrize("at_ms", [0, 1_726_153_200_184, 253_402_300_799_999])
def test_a_position_tells_its_time(at_ms: int) -> None:
    """Up to the end of the calendar."""
    assert at_ms == standing_ms(position(at_ms, "stream.idle", "a:b:c"))
