"""P5 for the endpoint and the webhooks: what is built anew of them does not change when deliveries were removed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from receiver.diagnoser.bases import remove_deliveries
from receiver.diagnoser.recounting import Recount
from receiver.ids import public_id
from receiver.simulation.scenes import MINUTE
from receiver.simulation.sender import Studio
from receiver.storage.retention import DONE, Span, Step
from receiver.storage.tables import BaseStateRow, DeliveryRow
from tests.diagnoser.tales import HOUR, START_MS
from tests.diagnoser.telling import FIRST_WEBHOOK, SECOND_WEBHOOK, told, town_hall
from tests.diagnoser.world import World, world

FOREVER = 1 << 62
HAPPENINGS = ("accepted", "late", "again", "another", "refused", "refused", "refused")


@st.composite
def days(draw: st.DrawFn) -> Sequence[tuple[str, int]]:
    """What comes, each so many milliseconds after the one before."""
    pauses = st.sampled_from((1, MINUTE, HOUR, 25 * HOUR))
    return draw(st.lists(st.tuples(st.sampled_from(HAPPENINGS), pauses), min_size=1, max_size=30))


def happen(made: World, studio: Studio, what: str, number: int) -> None:
    """One delivery."""
    at_ms = made.now_ms - START_MS
    webhook_id = SECOND_WEBHOOK if what == "another" else FIRST_WEBHOOK
    if what == "refused":
        made.refuse(*told(town_hall(100 + number).started(at_ms)))
    elif what == "late":
        made.deliver(studio.started(at_ms - 10 * MINUTE).body(webhook_id, made.now_ms))
    else:
        event = studio.started(at_ms)
        made.deliver(*[event.body(webhook_id, made.now_ms)] * (2 if what == "again" else 1))
    made.settle()


def remove(made: World, after: int, most: int) -> Step:
    """A batch of deliveries goes, however young."""
    return made.database.write_now(lambda c: remove_deliveries(c, Span(after, FOREVER, most)))


def remove_some(made: World, batches: Sequence[int]) -> None:
    """The oldest go, in batches of so many."""
    after = 0
    for most in batches:
        after = remove(made, after, most).reached or after


def senders(made: World) -> dict[tuple[str, str], Any]:
    """What is remembered of the endpoint and the webhooks, and said of them, to the byte."""
    return {key: row for key, row in made.folded().items() if key[0] in {"endpoint", "webhook"}}


@given(what=days(), cut=st.integers(0, 30), batches=st.lists(st.integers(1, 5), max_size=5))
def test_removal_changes_nothing(
    migrated_file: Path, what: Sequence[tuple[str, int]], cut: int, batches: Sequence[int]
) -> None:
    """Wherever in a life deliveries are removed, however many at a time: at its end, what is remembered and said is
    what it is without, and is so again when it is built anew."""
    with world(migrated_file, START_MS) as plain, world(migrated_file, START_MS) as short:
        for made in (plain, short):
            studio = town_hall()
            for number, (happening, pause_ms) in enumerate(what):
                made.pass_time(made.now_ms + pause_ms)
                if made is short and number == cut:
                    remove_some(short, batches)
                happen(made, studio, happening, number)
        remove_some(short, batches)
        assert senders(plain) == senders(short)
        assert 0 == short.rebuild().differing
        assert senders(plain) == senders(short)


def test_all_that_were_removed_are_stood_for(made: World) -> None:
    """With no delivery left, the endpoint and both webhooks are as they were."""
    studio = town_hall()
    for number, what in enumerate(("accepted", "again", "another", "late", "refused")):
        made.pass_time(made.now_ms + MINUTE)
        happen(made, studio, what, number)
    before = made.database.read_now(Recount().complete)
    remove_some(made, [3, 3, 3])
    assert ([], before) == (made.rows(DeliveryRow), made.database.read_now(Recount().complete))
    kinds = [row["kind"] for row in made.rows(BaseStateRow, "kind", "id")]
    assert ["endpoint", "webhook", "webhook"] == kinds


def test_what_an_open_diagnosis_shows_stays(made: World) -> None:
    """The refused deliveries that it names; once it is over they go, and are not counted twice."""
    studio = town_hall()
    for number in range(5):
        happen(made, studio, "refused", number)
    [open_] = [row for row in made.diagnoses() if row["status"] == "open"]
    assert (2, 3) == (remove(made, 0, 100).removed, len(made.rows(DeliveryRow)))
    assert all(f'"id":"{name}"' in open_["evidence"] for name in shown(made))
    made.pass_time(made.now_ms + MINUTE)
    happen(made, studio, "accepted", 9)
    assert 4 == remove(made, 0, 100).removed
    assert (DONE, 0) == (remove(made, 0, 100), made.rebuild().differing)


def shown(made: World) -> Sequence[str]:
    """The public ids of what is left."""
    return [public_id("dl", row["seq"]) for row in made.rows(DeliveryRow)]
