"""What is said after a time in which nothing could come in (P6)."""

import pytest

from receiver.diagnoser.records import conditions_of
from receiver.diagnosis.values import Condition
from receiver.simulation.scenes import MINUTE, SECOND
from receiver.storage import coverage
from tests.diagnoser.tales import HOUR, START_MS, Report
from tests.diagnoser.world import World

STREAM_ID = "7c1ea8c3"


@pytest.fixture
def waiting(made: World) -> World:
    """A publish was announced just now, and has half a minute to start."""
    made.pass_time(START_MS)
    made.observe(Report("obs_1", START_MS, {"kind": "publish_intent", "stream_id": STREAM_ID, "at_ms": START_MS}))
    made.settle()
    return made


def shown(made: World, condition: str) -> Condition:
    """What the stream shows."""
    [found] = [one for one in conditions_of(made.subjects()["stream", STREAM_ID]) if one.type == condition]
    return found


def due_ms(made: World, condition: str) -> int:
    """When it is looked at again, after START_MS."""
    at_ms = shown(made, condition).next_check_ms
    assert at_ms is not None
    return at_ms - START_MS


def test_after_a_restart_the_longer_wait_is_told_at_once(waiting: World) -> None:
    """The old deadline has not passed yet, but is none any more: the sender's retries get their chance first."""
    before = due_ms(waiting, "rtmp_push_rejected")
    waiting.stop()
    waiting.clock.advance(45 * SECOND)
    waiting.start()
    waiting.settle()
    assert (90 * SECOND, 135 * SECOND) == (before, due_ms(waiting, "rtmp_push_rejected"))
    assert "RetriesPending" == shown(waiting, "webhook_not_firing").reason


def test_after_a_sleep_too(waiting: World) -> None:
    """Where the process went on, the heartbeat finds the gap."""
    waiting.clock.advance(45 * SECOND)
    waiting.database.write_now(lambda c: coverage.extend(c, waiting.ids, waiting.now_ms))
    waiting.settle()
    assert 135 * SECOND == due_ms(waiting, "rtmp_push_rejected")


def test_a_deadline_that_passed_while_we_were_down_is_no_verdict(waiting: World) -> None:
    """Downtime neither loses nor doubles it: it is judged once, after the retries."""
    waiting.stop()
    waiting.clock.advance(20 * MINUTE)
    waiting.start()
    waiting.live(START_MS + 39 * MINUTE)
    assert [] == waiting.diagnoses()
    waiting.live(START_MS + 41 * MINUTE)
    assert ["PublishNotStarted"] == [diagnosis["reason"] for diagnosis in waiting.diagnoses()]
    assert ["opened"] == [
        notice["kind"].removeprefix("diagnosis.")
        for notice in waiting.notices()
        if notice["kind"].startswith("diagnosis.")
    ]


def test_what_waits_for_nothing_is_left_alone(made: World) -> None:
    """A start makes only those due that have a deadline."""
    made.observe(Report("obs_1", START_MS, {"kind": "playback_ok", "stream_id": STREAM_ID, "at_ms": START_MS}))
    made.settle()
    made.live(START_MS + 25 * HOUR)
    made.restart()
    assert 0 == made.once().handled
