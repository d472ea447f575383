"""How the webhooks are judged beside the streams that they tell of."""

from functools import partial

from receiver.diagnoser.bounds import Bounds
from receiver.diagnoser.records import conditions_of
from receiver.simulation.scenes import MINUTE
from receiver.storage.coverage import note_heard
from tests.diagnoser.tales import HOUR, START_MS
from tests.diagnoser.telling import FIRST_WEBHOOK, arrive, told, town_hall
from tests.diagnoser.world import World


def test_a_rebuild_of_nothing_changes_nothing(made: World) -> None:
    """A service that has never had a delivery has nothing that could come out differently."""
    assert (0, 0) == (made.rebuild().subjects, made.rebuild().differing)


def test_a_webhook_that_loses_events_and_is_late_with_others_lets_the_passes_end(made: World) -> None:
    """It shows what is missing, but its streams are judged by its delay too: that is found once, not in every pass."""
    made.bounds = Bounds(due=1)
    studios = [town_hall(seed) for seed in (7, 8)]
    made.live(START_MS)
    for studio in studios:
        arrive(made, told(studio.started(0), studio.idle(MINUTE)))
    made.live(START_MS + 40 * MINUTE)
    for studio in studios:
        arrive(made, told(studio.recording_started(30 * MINUTE), after_ms=10 * MINUTE))
    made.live(START_MS + HOUR)
    shown = conditions_of(made.subjects()["webhook", FIRST_WEBHOOK])
    assert [("true", "EventsMissing")] == [(condition.status, condition.reason) for condition in shown]
    assert made.rebuild().differing == 0


def test_a_time_that_was_heard_of_afterwards_explains_a_delay_all_the_same(made: World) -> None:
    """What could not be delivered while we were away is late for that, though the sender's log was read since."""
    studio = town_hall(7)
    made.live(START_MS + MINUTE)
    made.stop()
    made.clock.set(START_MS + HOUR)
    made.start()
    made.database.write_now(partial(note_heard, ids=made.ids, from_ms=START_MS, until_ms=START_MS + HOUR))
    arrive(made, told(studio.started(10 * MINUTE), after_ms=51 * MINUTE))
    made.live(START_MS + HOUR + 2 * MINUTE)
    shown = conditions_of(made.subjects()["webhook", FIRST_WEBHOOK])
    assert [("false", "DeliveriesArriving")] == [(condition.status, condition.reason) for condition in shown]
