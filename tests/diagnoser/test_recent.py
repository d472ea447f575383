"""What was just taken in is not read again, and nothing comes out otherwise for it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from receiver.diagnoser.recent import Recent
from receiver.simulation.scenes import MINUTE
from receiver.storage.arrival import Arrival
from receiver.storage.arrivals import append
from tests.diagnoser.tales import HOUR, START_MS
from tests.diagnoser.telling import told, town_hall
from tests.diagnoser.world import RECEPTION, World, world


def take(made: World, most: int = 100, most_bytes: int = 1 << 20) -> Sequence[Arrival]:
    """What a pass would file."""
    return made.database.write_now(lambda c: made.recent.take(c, most, most_bytes))


def test_what_was_taken_in_is_not_read(made: World) -> None:
    """As many as asked for, in their order; what was filed by whomever is forgotten, and read where that failed."""
    studio = town_hall()
    known = made.deliver(*told(studio.started(0), studio.recording_started(1), studio.idle(MINUTE)))
    assert take(made, most=2) == known[:2]
    assert [id(arrival) for arrival in take(made)[2:]] == [id(known[2])]
    read = take(made)
    assert read == known
    assert [id(arrival) for arrival in read] != [id(arrival) for arrival in known]


def test_no_more_is_remembered_than_the_bound(made: World) -> None:
    """The oldest, which are needed first; the others are read."""
    made.recent = Recent(most=1)
    studio = town_hall()
    known = made.deliver(*told(studio.started(0), studio.recording_started(1)))
    assert [True, False] == [one is other for one, other in zip(take(made), known, strict=True)]


def test_large_bodies_are_read_a_few_at_a_time(made: World) -> None:
    """A pass takes as many as hold about so many bytes, and what is remembered waits for its turn."""
    studio = town_hall()
    made.remember = False
    made.deliver(*(body + b" " * 200_000 for body in told(*(studio.started(at_ms) for at_ms in range(200)))))
    made.remember = True
    made.deliver(*told(studio.idle(MINUTE)))
    taken = take(made, most=1000, most_bytes=1_000_000)
    assert 0 < len(taken) < 200
    made.settle()
    assert ("idle", 201) == next(
        (r["state"], r["folded_count"]) for k, r in made.subjects().items() if k[0] == "stream"
    )


@pytest.mark.parametrize("remember", [True, False])
def test_an_earlier_attempt_changes_what_is_remembered(migrated_file: Path, remember: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """Another process takes in an earlier attempt at an event before it was looked at: the earlier one counts."""
    studio = town_hall()
    events = [studio.started(0), studio.recording_started(1), studio.idle(MINUTE)]
    waiting = studio.recording_waiting(2 * MINUTE, MINUTE)
    with world(migrated_file, START_MS - HOUR, remember=remember) as made:
        made.deliver(*told(*events), *told(waiting, after_ms=5 * MINUTE))
        earlier = RECEPTION.receive(made._delivery(told(waiting)[0], "of the story"), made.ids.next())
        made.database.write_now(lambda c: append(c, [earlier]))
        made.settle()
        folded = next(row["folded"] for key, row in made.subjects().items() if key[0] == "stream")
    assert f'"queued_ms":{earlier.route.attempted_ms}' in folded
