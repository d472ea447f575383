"""What is stored of the endpoint and the webhooks, spoiled by hand."""

from collections.abc import Mapping

import pytest
from sqlalchemy import update

from receiver.diagnoser import Diagnoser
from receiver.diagnoser.records import conditions_of
from receiver.simulation.scenes import MINUTE, SECOND
from receiver.storage.tables import FailingRow, SubjectRow, table_of
from tests.diagnoser.tales import HOUR, START_MS
from tests.diagnoser.telling import FIRST_WEBHOOK, SECOND_WEBHOOK, arrive, told, town_hall
from tests.diagnoser.world import World

SENDERS = (("endpoint", "endpoint"), ("webhook", FIRST_WEBHOOK), ("webhook", SECOND_WEBHOOK))
DEEP = "[" * 3000 + "]" * 3000
WRONG: Mapping[str, Mapping[str, object]] = {
    "what was folded": {"folded": "no JSON"},
    "nothing folded": {"folded": None},
    "what was said": {"conditions": '[{"type":"webhook_not_firing","status":"true","rea'},
    "no text": {"conditions": b"\xff"},
    "both": {"folded": "{}", "conditions": ""},
    "without end": {"folded": f'{{"y":{DEEP}}}', "conditions": f'[{{"type":"x","status":"true","y":{DEEP}}}]'},
}


@pytest.fixture
def lossy(made: World) -> World:
    """Our endpoint has refused several deliveries after those that it accepted of two webhooks; of one of these, an
    event is missing."""
    studio = town_hall()
    arrive(made, told(studio.started(0), studio.recording_started(SECOND), studio.idle(MINUTE)))
    arrive(made, told(studio.recording_ready(2 * MINUTE)))
    arrive(made, told(town_hall(2).started(0), webhook_id=SECOND_WEBHOOK))
    made.live(START_MS + 30 * MINUTE)
    for number in range(4):
        made.refuse(*told(town_hall(10 + number).started(0)))
    made.live(START_MS + HOUR)
    return made


def spoil(made: World, values: Mapping[str, object]) -> None:
    """Write into the rows of all senders what our own code would never write."""
    table = table_of(SubjectRow)
    mine = table.c.kind.in_(("endpoint", "webhook"))
    made.database.write_now(lambda c: c.execute(update(table).where(mine).values(values)))


def seen(made: World) -> tuple[object, ...]:
    """What is remembered and said of the senders, what lists filter on, what is diagnosed, and what was told of it."""
    rows = made.subjects()
    failing = {(row["kind"], row["id"], row["condition"]) for row in made.rows(FailingRow)}
    diagnosed = [(one["id"], one["status"], one["reason"], one["message"]) for one in made.diagnoses()]
    notices = [one["kind"] for one in made.notices() if one["kind"].startswith("diagnosis.")]
    return [(rows[key]["folded"], rows[key]["conditions"]) for key in SENDERS], failing, diagnosed, notices


async def settle(made: World) -> int:
    """Let a diagnoser do what is due, and ask how many faults it sees."""
    diagnoser = Diagnoser(made.database, made.ids, made.clock, made.limits)
    await diagnoser.settle()
    return diagnoser.health.faults


async def test_the_story_is_one_of_failures(lossy: World) -> None:
    """Of the endpoint and of the webhook whose event is missing a condition is true, of the other none."""
    said = [[(c.status, c.reason) for c in conditions_of(lossy.subjects()[key])] for key in SENDERS]
    assert [("true", "SignatureMismatch")] == said[0]
    assert [("true", "EventsMissing")] == said[1]
    assert "true" != said[2][0][0]


@pytest.mark.parametrize("wrong", WRONG)
async def test_senders_are_mended_before_streams_are_judged(lossy: World, wrong: str) -> None:
    """All comes out as it was, nobody is told anything, and what arrives meanwhile counts once."""
    before = seen(lossy)
    spoil(lossy, WRONG[wrong])
    assert (0, before) == (await settle(lossy), seen(lossy))
    spoil(lossy, WRONG[wrong])
    lossy.deliver(*told(town_hall(3).started(0), webhook_id=SECOND_WEBHOOK))
    await settle(lossy)
    assert '"accepted":2' in lossy.subjects()["webhook", SECOND_WEBHOOK]["folded"]
    assert 0 == lossy.rebuild().differing


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_was_refuted_meanwhile_is_resolved(lossy: World, wrong: str) -> None:
    """A delivery that is accepted ends the endpoint's failure, whatever its row held."""
    spoil(lossy, WRONG[wrong])
    lossy.deliver(*told(town_hall(3).started(0)))
    await settle(lossy)
    assert {"SignatureMismatch": "resolved", "EventsMissing": "open"} == {
        one["reason"]: one["status"] for one in lossy.diagnoses() if one["condition"] == "webhook_not_firing"
    }
    assert {FIRST_WEBHOOK} == {row["id"] for row in lossy.rows(FailingRow) if row["kind"] != "stream"}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_rebuild_mends_them_too(lossy: World, wrong: str) -> None:
    """`receiver replay` is a way out where the service does not run."""
    before = seen(lossy)
    spoil(lossy, WRONG[wrong])
    assert 0 == lossy.rebuild().differing
    assert before == seen(lossy)
