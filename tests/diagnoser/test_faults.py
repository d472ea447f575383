"""Subjects that cannot be judged: how many there are, and how they become right again."""

import pytest
from sqlalchemy import update

from receiver.diagnoser import Diagnoser
from receiver.diagnoser.streams import RETRY_AFTER_MS
from receiver.simulation.scenes import MINUTE, SECOND
from receiver.simulation.sender import Event, Studio
from receiver.storage.tables import SignalRow
from tests.diagnoser.telling import arrive, told, town_hall
from tests.diagnoser.world import World


@pytest.fixture
def studio() -> Studio:
    """One stream."""
    return town_hall()


def spoil_events(made: World, kind: str, body: bytes = b"?") -> None:
    """Write a body into the log that our own code would never write; or another again."""
    spoilt = update(SignalRow).where(SignalRow.kind == kind).values(body=body)
    made.database.write_now(lambda c: c.execute(spoilt))


def arrive_spoilt(made: World, event: Event) -> bytes:
    """It arrives, and cannot be read when it is looked at. Returns how it was."""
    made.remember = False
    [body] = told(event)
    made.deliver(body)
    spoil_events(made, event.name)
    made.settle()
    return body


async def told_by_health(made: World) -> int:
    """The faults that a diagnoser which has just been started tells of, after its first look."""
    diagnoser = Diagnoser(made.database, made.ids, made.clock, made.limits)
    await diagnoser.settle()
    return diagnoser.health.faults


async def test_a_fault_stands_until_it_is_mended(made: World, studio: Studio) -> None:
    """Passes with nothing to do and a restart leave it in sight; after the retry it is gone."""
    body = arrive_spoilt(made, studio.started(0))
    counts = [made.once().faults, await told_by_health(made)]
    made.restart()
    counts += [made.once().faults, await told_by_health(made)]
    spoil_events(made, "stream.started", body)
    made.live(made.now_ms + RETRY_AFTER_MS)
    counts += [made.once().faults, await told_by_health(made)]
    assert [1, 1, 1, 1, 0, 0] == counts


def test_each_subject_counts_by_itself(made: World) -> None:
    """However many passes have met it, and whatever goes well beside it."""
    for seed in (1, 2):
        arrive_spoilt(made, town_hall(seed).started(0))
    arrive(made, told(town_hall(3).idle(MINUTE)))
    made.live(made.now_ms + 3 * RETRY_AFTER_MS)
    assert 2 == made.once().faults


def test_an_orphans_fault_is_its_streams_once_that_adopts_it(made: World, studio: Studio) -> None:
    """What cannot be read is one fault, wherever it belongs, and none when it can be read again."""
    named = studio.recording_started(0)
    body = arrive_spoilt(made, studio.task_spawned(SECOND))
    counts = [made.once().faults]
    arrive(made, told(named))
    counts.append(made.once().faults)
    spoil_events(made, "task.spawned", body)
    made.live(made.now_ms + RETRY_AFTER_MS)
    assert [1, 1, 0] == [*counts, made.once().faults]
