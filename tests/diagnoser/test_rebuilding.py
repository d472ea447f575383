"""A rebuild, in its steps."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Update, func, update

from receiver.diagnoser.bounds import Bounds
from receiver.diagnoser.moment import Moment
from receiver.diagnoser.rebuilding import Progress, Rebuilt, rebuild
from receiver.diagnoser.rechecking import check_cases
from receiver.diagnoser.recounting import SETTLED_AFTER_MS, Recount
from receiver.diagnosis.values import Subject
from receiver.simulation.scenes import MINUTE
from receiver.storage.cases import judged_streams
from receiver.storage.tables import CheckpointRow, DiagnosisRow, OutboxRow, SubjectRow, table_of
from tests.diagnoser.tales import HOUR, START_MS
from tests.diagnoser.telling import FIRST_WEBHOOK, arrive, told, town_hall
from tests.diagnoser.world import World

STREAMS = 40
"""More than one step writes."""


@pytest.fixture
def many(made: World) -> World:
    """Many streams, of which the half are live; a diagnosis is open for a quarter of the others' sessions."""
    for number in range(STREAMS):
        studio = town_hall(100 + number)
        made.deliver(*told(studio.started(0), studio.recording_started(1000)))
        if number % 2:
            made.deliver(*told(studio.idle(MINUTE)))
    made.live(START_MS + HOUR)
    return made


def stored(made: World) -> list[Any]:
    """All that a rebuild could change."""
    return [made.rows(table) for table in (SubjectRow, CheckpointRow, DiagnosisRow, OutboxRow)]


def forget(made: World, *values: str) -> None:
    """Write into all streams what they were not found to be."""
    table = table_of(SubjectRow)
    spoilt = update(table).where(table.c.kind == "stream").values(dict.fromkeys(values, "[]"))
    made.database.write_now(lambda c: c.execute(spoilt))


def _run(statement: Update, connection: Connection) -> None:
    connection.execute(statement)


def rebuilt(made: World, show: Callable[[Progress], None]) -> Rebuilt:
    """Conclude everything anew, and look on."""
    return rebuild(made.database, made.ids, made.clock, made.limits, made.bounds, show)


def test_where_nothing_differs_nothing_is_written(many: World) -> None:
    """Not even what was true a minute ago."""
    before = stored(many)
    assert 0 == many.rebuild().differing
    assert before == stored(many)


def test_what_does_not_differ_is_not_looked_at_twice(many: World) -> None:
    """Not even streams of which diagnoses are open: to look twice takes the writer."""
    moment = Moment(many.ids, many.clock.now_ms(), many.limits, many.bounds)
    streams = [Subject("stream", i) for i in many.database.read_now(lambda c: judged_streams(c, "", STREAMS))]
    assert STREAMS == len(streams)
    assert () == many.database.read_now(lambda c: check_cases(c, moment, streams)).unlike
    assert "open" in {diagnosis["status"] for diagnosis in many.diagnoses()}


def test_all_streams_that_differ_are_written_and_counted(many: World) -> None:
    """Whatever was folded of them, or said; nobody is told of it again."""
    before = many.folded(), many.diagnoses(), many.notices()
    forget(many, "folded")
    assert STREAMS == many.rebuild().differing
    forget(many, "conditions")
    many.rebuild()
    assert before == (many.folded(), many.diagnoses(), many.notices())


def test_what_reads_well_but_is_not_so_is_written_anew(many: World) -> None:
    """A name that no event has given."""
    before, table = many.folded(), table_of(SubjectRow)
    named = func.replace(table.c.folded, '"name":"', '"name":"not ')
    many.database.write_now(partial(_run, update(table).where(table.c.kind == "stream").values(folded=named)))
    assert STREAMS == many.rebuild().differing
    assert before == many.folded()


def test_it_may_end_at_any_moment(many: World) -> None:
    """What was written before stays, and what comes out differently the next time is the rest."""
    before, steps = many.folded(), 0
    forget(many, "folded")

    def stop(progress: Progress) -> None:
        nonlocal steps
        steps += 1
        if progress.what == "events":
            raise KeyboardInterrupt

    many.bounds = Bounds()
    with pytest.raises(KeyboardInterrupt):
        rebuilt(many, stop)
    many.restart()
    assert steps > 0
    assert 0 == many.rebuild().differing
    assert before == many.folded()


def test_deliveries_are_taken_in_and_diagnosed_between_its_steps(many: World) -> None:
    """They make nothing differ, of the senders nor of a stream."""
    arriving = iter([told(town_hall(number).started(HOUR + number)) for number in range(900, 999)])

    def serve(_: Progress) -> None:
        many.deliver(*next(arriving))
        many.pass_time(many.now_ms + SETTLED_AFTER_MS)
        many.once()

    assert 0 == rebuilt(many, serve).differing
    assert 0 == many.rebuild().differing


def test_a_repetition_that_nobody_has_looked_at_yet_makes_nothing_differ(many: World) -> None:
    """An earlier attempt at an event moves it, once it is looked at."""
    studio = town_hall(100)
    many.release(*told(studio.started(0)))
    assert 0 == many.rebuild().differing


def test_how_far_it_is_is_told(many: World) -> None:
    """Deliveries and events, the events up to the last."""
    seen: list[Progress] = []
    many.pass_time(many.now_ms + HOUR)
    rebuilt(many, seen.append)
    events = STREAMS * 2 + STREAMS // 2
    assert Progress("deliveries", events, None) == seen[0]
    assert Progress("events", events, events) == seen[-1]


def test_what_the_senders_were_not_told_is_counted_anew(many: World) -> None:
    """The endpoint and the webhook are as all deliveries give them."""
    before = many.folded()
    table = table_of(SubjectRow)
    for kind, text in (("endpoint", "{}"), ("webhook", f'{{"webhook_id":"{FIRST_WEBHOOK}"}}')):
        spoilt = update(table).where(table.c.kind == kind).values(folded=text)
        many.database.write_now(partial(_run, spoilt))
    assert 2 == many.rebuild().differing
    assert before == many.folded()


def test_a_state_kept_on_the_way_is_written_anew(made: World) -> None:
    """A late signal will be folded from it."""
    made.bounds = Bounds(checkpoint_every=2, checkpoints_kept=2)
    studio = town_hall()
    arrive(made, told(*(studio.started(index * 10 * MINUTE) for index in range(8))))
    before = made.rows(CheckpointRow)
    made.database.write_now(lambda c: c.execute(update(table_of(CheckpointRow)).values(folded="{}")))
    assert 0 == made.rebuild().differing
    assert before == made.rows(CheckpointRow)


def test_only_what_can_have_no_forerunner_is_counted_in_steps(made: World) -> None:
    """A delivery that came just now, or was not looked at, may yet be followed by one with a lower number."""
    arrive(made, told(town_hall(1).started(0)))
    recount = Recount()

    def read_on() -> int:
        return made.database.read_now(lambda c: recount.read_on(c, made.now_ms))

    assert 0 == read_on()
    made.pass_time(made.now_ms + SETTLED_AFTER_MS + 1)
    made.release(*told(town_hall(2).started(0)))
    made.pass_time(made.now_ms + SETTLED_AFTER_MS + 1)
    assert [1, 0] == [read_on(), read_on()]
    endpoint, webhooks = made.database.read_now(recount.complete)
    assert (1, 1) == (endpoint.accepted, webhooks[FIRST_WEBHOOK].accepted)
    made.settle()
    assert [1, 0] == [read_on(), read_on()]
    assert 2 == made.database.read_now(recount.complete)[0].accepted
