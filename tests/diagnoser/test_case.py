"""How one stream is folded when its signals do not come in order, nor one pass at a time."""

from receiver.diagnoser.bounds import Bounds
from receiver.simulation.scenes import MINUTE, SECOND
from receiver.simulation.sender import Event, Studio
from tests.diagnoser.tales import START_MS, Report
from tests.diagnoser.telling import SECOND_WEBHOOK, arrive, told
from tests.diagnoser.world import World

SMALL = Bounds(pending=2, due=2, checkpoint_every=2, checkpoints_kept=2)


def intent(studio: Studio, at_ms: int) -> Report:
    """A publish is announced."""
    stored = {"kind": "publish_intent", "stream_id": studio.stream.id, "at_ms": START_MS + at_ms}
    return Report(f"obs_{at_ms}", START_MS + at_ms, stored)


def pushes(studio: Studio, count: int, from_ms: int = 0) -> list[Event]:
    """Several takeovers, ten minutes apart."""
    return [studio.started(from_ms + index * 10 * MINUTE) for index in range(count)]


def folded(made: World, studio: Studio) -> str:
    """What was folded of the stream."""
    text = made.subjects()["stream", studio.stream.id]["folded"]
    assert isinstance(text, str)
    return text


def same_when_rebuilt(made: World) -> bool:
    """Whether the log gives what is stored (P5)."""
    return made.rebuild().differing == 0


def test_a_copy_from_another_webhook_is_in_the_kept_states(made: World, studio: Studio) -> None:
    """What a second webhook brought of an event is not lost when a late signal makes us fold again from there."""
    made.bounds = SMALL
    first, second, third, late = *pushes(studio, 3), studio.idle(15 * MINUTE)
    arrive(made, told(first, second), told(second, webhook_id=SECOND_WEBHOOK), told(third), told(late))
    assert same_when_rebuilt(made)
    assert SECOND_WEBHOOK in folded(made, studio)


def test_what_was_folded_before_its_turn_counts_once(made: World, studio: Studio) -> None:
    """A late event makes us read the log, with an observation in it that the next pass looks at."""
    made.bounds = Bounds(pending=1)
    arrive(made, told(studio.idle(MINUTE)))
    made.deliver(*told(studio.idle(30 * SECOND)))
    made.observe(intent(studio, 2 * MINUTE))
    made.settle()
    assert '"count":1' in folded(made, studio)


def test_a_signal_beyond_the_horizon_is_flagged_and_not_folded(made: World, studio: Studio) -> None:
    """P5: it is stored, and a rebuild leaves it out as well."""
    made.bounds = SMALL
    arrive(made, told(*pushes(studio, 12)))
    before = folded(made, studio)
    arrive(made, told(studio.idle(MINUTE)))
    assert before == folded(made, studio)
    assert ["beyond_horizon"] == [row["flag"] for row in made.signals() if row["kind"] == "stream.idle"]
    assert same_when_rebuilt(made)
    assert before == folded(made, studio)


def test_a_signal_near_the_horizon_is_folded_with_one_beyond_it(made: World, studio: Studio) -> None:
    """Of two that come late together, only the one before all kept states is left out."""
    made.bounds = Bounds(checkpoint_every=2, checkpoints_kept=2)
    arrive(made, told(*pushes(studio, 12)), told(studio.idle(MINUTE), studio.idle(105 * MINUTE)))
    flags = {row["created_ms"] - START_MS: row["flag"] for row in made.signals() if row["kind"] == "stream.idle"}
    assert {MINUTE: "beyond_horizon", 105 * MINUTE: None} == flags
    assert same_when_rebuilt(made)


def test_a_backlog_longer_than_the_horizon_is_folded_whole(made: World, studio: Studio) -> None:
    """P5: signals that were folded while they waited for their pass are not flagged when it comes."""
    made.bounds = SMALL
    made.deliver(*told(*pushes(studio, 20)))
    made.settle()
    assert {None} == {row["flag"] for row in made.signals()}
    assert same_when_rebuilt(made)


def test_an_earlier_attempt_beyond_the_horizon_is_folded_in_its_place(made: World, studio: Studio) -> None:
    """P4: of an event that was folded long ago, an attempt arrives that was made before."""
    made.bounds = SMALL
    session = [studio.started(0), studio.recording_started(SECOND), studio.idle(MINUTE)]
    waiting = studio.recording_waiting(2 * MINUTE, MINUTE)
    arrive(made, told(*session), told(waiting, after_ms=5 * MINUTE), told(*pushes(studio, 12, 10 * MINUTE)))
    arrive(made, told(waiting))
    assert f'"queued_ms":{START_MS + 2 * MINUTE + 300}' in folded(made, studio)
    assert same_when_rebuilt(made)


def test_what_is_adopted_from_beyond_the_horizon_is_flagged(made: World, studio: Studio) -> None:
    """P5: signals of a session whose stream became known too late."""
    made.bounds = SMALL
    studio.recording_started(0)
    orphans = [studio.asset_created(MINUTE), studio.task_spawned(2 * MINUTE)]
    arrive(made, told(*orphans), told(*pushes(studio, 12, 10 * MINUTE)))
    arrive(made, told(studio.recording_ready(200 * MINUTE)))
    flags = {row["kind"]: row["flag"] for row in made.signals()}
    assert ("beyond_horizon", "beyond_horizon") == (flags["asset.created"], flags["task.spawned"])
    assert same_when_rebuilt(made)
