"""P4 and P5 below and above the retention horizon: what is concluded does not change when old signals are removed."""

from dataclasses import replace
from pathlib import Path

from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import delete, update

from receiver.diagnoser.bounds import Bounds
from receiver.diagnoser.forgetting import FOLDED_AT_ONCE, remove_events
from receiver.ids import first_of
from receiver.intake import route
from receiver.livepeer.envelope import read_envelope
from receiver.simulation.scenes import MINUTE, SECOND, go_live, make_recording
from receiver.simulation.sender import Studio
from receiver.storage import bodies
from receiver.storage.pending import LAST_SEQ
from receiver.storage.retention import Span
from receiver.storage.tables import (
    BaseStateRow,
    BodyRow,
    CheckpointRow,
    PackedBodyRow,
    PlaceRow,
    SignalRow,
    SubjectRow,
    table_of,
)
from tests.diagnoser.stories import tales
from tests.diagnoser.tales import DAY, HOUR, START_MS, Arrival, Attempt, Report, Tale
from tests.diagnoser.telling import arrive, told, town_hall
from tests.diagnoser.test_order import BEGIN_MS, LATER_MS, Way, folded_of_streams, play, take
from tests.diagnoser.world import World, world

STREAM = ("stream", town_hall().stream.id)


@st.composite
def stories(draw: st.DrawFn) -> tuple[Tale, int, Way, int]:
    """A tale, a moment in it before which all is removed, the way in which the rest arrives, some of the removed once
    more among it, and when it is looked at."""
    tale = draw(tales())
    arrivals = tale.arrivals()
    cut_ms = draw(st.sampled_from([arrival.at_ms for arrival in arrivals] or [START_MS])) + 1
    again = draw(st.lists(st.sampled_from(arrivals), max_size=4)) if arrivals else []
    again = [arrival for arrival in again if isinstance(arrival, Attempt)]
    young = [arrival for arrival in arrivals if standing_ms(arrival) >= cut_ms]
    order = draw(st.permutations([*young, *again]))
    sizes = draw(st.lists(st.integers(1, 12), max_size=6))
    after = draw(st.lists(st.sampled_from(["nothing", "pass", "settle", "rebuild"]), min_size=1, max_size=4))
    way = Way(order, sizes, after, draw(st.booleans()))
    return tale, cut_ms, way, max(tale.ends_ms, cut_ms) + draw(st.sampled_from(LATER_MS))


def standing_ms(arrival: Arrival) -> int:
    """When it stands, among the signals of its stream."""
    return route(read_envelope(arrival.body())).at_ms if isinstance(arrival, Attempt) else arrival.at_ms


def forget(made: World, before_ms: int, most: int = 100) -> int:
    """Remove what came before a moment and stands before it, in batches; how much that was."""
    removed, after = 0, 0
    while True:
        span = Span(after, first_of(before_ms), most)
        step = made.database.write_now(lambda c: remove_events(c, span, made.limits))  # noqa: B023 -- called at once
        removed += step.removed
        if step.reached is None:
            return removed
        after = step.reached


def pack(made: World, most: int) -> None:
    """Compress the bodies of some of the oldest signals."""
    made.database.write_now(lambda c: bodies.pack_some(c, Span(0, LAST_SEQ, most)))


@given(
    story=stories(),
    most=st.integers(1, 40),
    bounds=st.sampled_from([Bounds(), Bounds(pending=3, due=2, checkpoint_every=4)]),
    apart=st.booleans(),
    beside=st.booleans(),
)
def test_removal_changes_no_answer(
    migrated_file: Path, story: tuple[Tale, int, Way, int], most: int, bounds: Bounds, *, apart: bool, beside: bool
) -> None:
    """Whatever comes after, in whatever order, some of what was removed among it: states, conditions and open diagnoses
    are those that nothing was removed of, and a rebuild gives them again, to the byte."""
    tale, cut_ms, way, now_ms = story
    old = [arrival for arrival in tale.arrivals() if standing_ms(arrival) < cut_ms]
    with (
        world(migrated_file, BEGIN_MS) as plain,
        world(migrated_file, BEGIN_MS, bounds=bounds, apart=apart, beside=beside) as short,
    ):
        for made in (plain, short):
            made.pass_time(cut_ms - 1)
            take(made, old)
            made.settle()
        assume(all(row["stream_id"] is not None for row in short.rows(PlaceRow)))
        pack(short, most)
        forget(short, cut_ms, most)
        play(plain, replace(way, after=["settle"]), now_ms)
        play(short, way, now_ms)
        assert plain.snapshot() == short.snapshot()
        assert folded_of_streams(plain) == folded_of_streams(short)
        assert (0, 0) == (short.rebuild().differing, short.faults)
        assert folded_of_streams(plain) == folded_of_streams(short)


def recorded(made: World) -> Studio:
    """A broadcast that ended well, looked at two days later; its studio."""
    studio = town_hall()
    arrive(made, told(*go_live(studio), studio.idle(MINUTE), *make_recording(studio, MINUTE)))
    made.live(START_MS + 2 * DAY)
    return studio


def test_what_is_compressed_reads_as_it_came(made: World) -> None:
    """To fold a late signal in its place, and to conclude all anew."""
    studio = town_hall()
    late, *begun = go_live(studio)
    events = [*begun, studio.idle(MINUTE), *make_recording(studio, MINUTE)]
    arrive(made, told(*events))
    made.live(START_MS + HOUR)
    pack(made, 100)
    assert (0, len(events)) == (len(made.rows(BodyRow)), len(made.rows(PackedBodyRow)))
    arrive(made, told(late))
    assert (0, 19) == (made.rebuild().differing, made.subjects()[STREAM]["folded_count"])
    made.live(START_MS + 2 * DAY)
    assert (19, []) == (forget(made, made.now_ms), made.rows(PackedBodyRow))


def left(made: World) -> tuple[int, ...]:
    """How many signals are left, with their places and bodies."""
    return tuple(len(made.rows(table)) for table in (SignalRow, PlaceRow, BodyRow))


def test_what_comes_again_is_flagged_and_counts_once(made: World) -> None:
    """An event whose signal was removed stands before what stands for it: it is stored, and changes nothing."""
    studio = recorded(made)
    before = made.folded()
    assert 19 == forget(made, made.now_ms)
    assert ((0, 0, 0), before) == (left(made), made.folded())
    arrive(made, [studio.started(0).body("wh-1", made.now_ms)])
    [again] = made.signals()
    assert ("beyond_horizon", before[STREAM]) == (again["flag"], made.folded()[STREAM])
    assert (0, before[STREAM]) == (made.rebuild().differing, made.folded()[STREAM])
    assert (1, (0, 0, 0)) == (forget(made, made.now_ms + 1), left(made))


def test_a_stream_goes_on_from_its_base(made: World) -> None:
    """Its next broadcast is told as if nothing had been removed, and refolded from there when a signal comes late."""
    studio = recorded(made)
    forget(made, made.now_ms)
    at_ms = made.now_ms - START_MS
    events = [*go_live(studio, at_ms), studio.idle(at_ms + MINUTE)]
    made.pass_time(made.now_ms + 2 * MINUTE)
    for event in reversed(events):
        arrive(made, told(event))
    row = made.subjects()[STREAM]
    assert ("idle", 19 + len(events)) == (row["state"], row["folded_count"])
    assert 0 == made.rebuild().differing
    assert [None] * len(events) == [signal["flag"] for signal in made.signals()]


def test_a_broken_stream_is_built_anew_from_its_base(made: World) -> None:
    """Though nothing else is left of it."""
    recorded(made)
    before = made.folded()
    forget(made, made.now_ms)
    spoilt = update(table_of(SubjectRow)).where(SubjectRow.kind == "stream").values(folded="no state", deadline_ms=1)
    made.database.write_now(lambda c: c.execute(spoilt))
    made.settle()
    made.live(made.now_ms + HOUR)
    assert before[STREAM] == made.folded()[STREAM]


def test_a_stream_that_goes_on_is_cut_at_the_horizon(made: World) -> None:
    """What stands for the removed part is folded from it, a part at a time, whatever is kept on the way."""
    studio, bounds = town_hall(), Bounds(checkpoint_every=4, checkpoints_kept=3)
    made.bounds = bounds
    for number in range(40):
        made.pass_time(START_MS + number * HOUR)
        arrive(made, told(studio.started(number * HOUR), studio.idle(number * HOUR + MINUTE)))
    before = made.folded()
    assert 20 == forget(made, START_MS + 10 * HOUR, most=7)
    [base] = made.rows(BaseStateRow)
    assert (20, "stream") == (base["folded_count"], base["kind"])
    assert (0, before) == (made.rebuild().differing, made.folded())
    assert 40 == forget(made, START_MS + 30 * HOUR, most=7)
    assert (0, before) == (made.rebuild().differing, made.folded())
    [base] = made.rows(BaseStateRow)
    assert all(row["position"] > base["position"] for row in made.rows(CheckpointRow))


def test_more_than_is_folded_at_once_takes_several_batches(made: World) -> None:
    """A stream that was never cut before has no state kept near the horizon."""
    studio = town_hall()
    events = [studio.started(number * SECOND) for number in range(2 * FOLDED_AT_ONCE)]
    arrive(made, told(*events), told(studio.idle(DAY)))
    made.database.write_now(lambda c: c.execute(delete(table_of(CheckpointRow))))
    before = made.folded()
    assert len(events) == forget(made, START_MS + HOUR + 1)
    assert (0, before) == (made.rebuild().differing, made.folded())


def test_what_an_open_diagnosis_rests_on_stays(made: World) -> None:
    """All of the stream; once it is over it goes."""
    studio = town_hall()
    arrive(made, told(*go_live(studio), studio.idle(MINUTE)))
    made.live(START_MS + HOUR)
    assert ["RecordingNotQueued"] == [row["reason"] for row in made.diagnoses() if row["status"] == "open"]
    made.pass_time(START_MS + 2 * DAY)
    assert (0, (4, 4, 4)) == (forget(made, made.now_ms), left(made))
    arrive(made, told(*make_recording(studio, MINUTE)))
    assert [] == [row for row in made.diagnoses() if row["stream_id"] == studio.stream.id and row["status"] == "open"]
    assert (4, (15, 15, 15)) == (forget(made, made.now_ms), left(made))


def test_what_a_webhooks_diagnosis_shows_stays(made: World) -> None:
    """The event that was late, though its stream has no diagnosis of its own."""
    made.pass_time(START_MS + 10 * MINUTE)
    studio, other = town_hall(), town_hall(2)
    late = studio.started(0).body("wh-1", made.now_ms)
    arrive(made, [late, *told(other.started(10 * MINUTE - 300), webhook_id="wh-2")])
    assert ["DeliveriesDelayed"] == [row["reason"] for row in made.diagnoses()]
    made.pass_time(made.now_ms + 1)
    assert 1 == forget(made, made.now_ms)
    assert [studio.started(0).name] == [row["kind"] for row in made.signals()]
    assert studio.stream.id == made.signals()[0]["stream_id"]


def test_what_was_not_looked_at_stays(made: World) -> None:
    """However old: it is nobody's yet."""
    made.release(*told(town_hall().started(0)))
    made.pass_time(START_MS + DAY)
    assert (0, 1) == (forget(made, made.now_ms), len(made.signals()))


def test_what_stands_behind_the_horizon_stays(made: World) -> None:
    """An event whose time is given wrongly, years ahead, must not push all that follows behind the horizon."""
    studio = town_hall()
    arrive(made, told(studio.started(400 * DAY), after_ms=-400 * DAY), told(studio.started(0)))
    made.pass_time(START_MS + DAY)
    assert (1, 1) == (forget(made, made.now_ms), len(made.signals()))
    arrive(made, told(studio.idle(DAY)))
    assert [None, None] == [row["flag"] for row in made.signals()]


def test_what_was_not_understood_goes(made: World) -> None:
    """It belongs nowhere."""
    body = b'{"id":"ev-odd","webhookId":7,"createdAt":1,"timestamp":%d,"event":"stream.idle"}' % made.now_ms
    made.deliver(body)
    made.settle()
    assert "not_understood" == made.signals()[0]["flag"]
    made.pass_time(made.now_ms + 1)
    assert (1, (0, 0, 0)) == (forget(made, made.now_ms), left(made))


def test_orphans_go_and_what_is_said_of_them_stays(made: World) -> None:
    """A session whose stream was never named, an upload that is no recording, what was observed under a playback id."""
    studio = town_hall()
    begun = studio.recording_started(0)
    failed = told(studio.asset_changed("asset.failed", MINUTE, "failed", errorMessage="no video"))
    arrive(made, failed)
    made.observe(Report("obs_1", START_MS, {"kind": "playback_ok", "playback_id": "nobodys"}))
    made.settle()
    made.live(START_MS + 8 * DAY)
    before = made.folded()
    assert 2 == forget(made, made.now_ms)
    assert (0, before) == (made.rebuild().differing, made.folded())
    arrive(made, failed)
    assert ["beyond_horizon"] == [row["flag"] for row in made.signals()]
    arrive(made, told(begun))
    assert ([], 0) == (made.rows(BaseStateRow), made.rebuild().differing)


def test_a_stream_that_cannot_be_read_is_left_alone(made: World) -> None:
    """What is stored of it is not taken for what stands for its signals; the others go."""
    studio, other = town_hall(), town_hall(2)
    arrive(made, told(studio.started(0), studio.idle(MINUTE)), told(other.started(0), other.idle(MINUTE)))
    spoilt = update(table_of(SubjectRow)).where(SubjectRow.id == studio.stream.id).values(folded='{"stream_id":"x"}')
    made.database.write_now(lambda c: c.execute(spoilt))
    made.pass_time(START_MS + DAY)
    assert (2, {studio.stream.id}) == (forget(made, made.now_ms), {row["stream_id"] for row in made.signals()})
    assert [other.stream.id] == [row["id"] for row in made.rows(BaseStateRow)]
