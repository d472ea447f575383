"""P4 and P5: order, repetition and delay do not matter; the same log gives the same answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from receiver.diagnoser.bounds import Bounds
from receiver.diagnoser.records import STREAM, conditions_of, read
from receiver.simulation.scenes import MINUTE, SECOND
from receiver.storage.tables import CallerRow, FailingRow, SubjectRow
from tests.diagnoser.stories import tales
from tests.diagnoser.tales import DAY, HOUR, START_MS, Arrival, Attempt, Report, Sight, Tale
from tests.diagnoser.world import World, batches, world

BEGIN_MS = START_MS - HOUR
DOING: Mapping[str, Callable[[World], object]] = {
    "pass": World.once,
    "settle": World.settle,
    "restart": World.restart,
    "rebuild": World.rebuild,
    "nothing": lambda _: None,
}
LATER_MS = (2 * MINUTE, 1, 30 * SECOND, 9 * MINUTE, 18 * MINUTE, 2 * HOUR, 26 * HOUR, 8 * DAY)
"""How long after the last event the folded moment is."""


@dataclass(frozen=True)
class Way:
    """A way in which a tale arrives: in which order, in which pieces, and what happens after each."""

    order: Sequence[Arrival]
    sizes: Sequence[int]
    after: Sequence[str]
    together: bool
    """Whether all arrives at the end, or over the whole time."""


@st.composite
def ways(draw: st.DrawFn, tale: Tale) -> Way:
    """Any permutation, with any repetitions, in any pieces."""
    arrivals = tale.arrivals()
    attempts = [arrival for arrival in arrivals if isinstance(arrival, Attempt)]
    again = draw(st.lists(st.sampled_from(attempts), max_size=4)) if attempts else []
    order = draw(st.permutations([*arrivals, *again]))
    sizes = draw(st.lists(st.integers(1, 12), max_size=6))
    after = draw(st.lists(st.sampled_from(sorted(DOING)), min_size=1, max_size=4))
    return Way(order, sizes, after, draw(st.booleans()))


@st.composite
def told(draw: st.DrawFn) -> tuple[Tale, Way, int]:
    """A tale, a way in which it arrives, and the moment at which it is looked at."""
    tale = draw(tales())
    return tale, draw(ways(tale)), tale.ends_ms + draw(st.sampled_from(LATER_MS))


def take(made: World, items: Sequence[Arrival]) -> None:
    """These arrive now."""
    made.deliver(*(item.body() for item in items if isinstance(item, Attempt)))
    for item in items:
        if isinstance(item, Report):
            made.observe(item)
        elif isinstance(item, Sight):
            made.see(item)


def play(made: World, way: Way, now_ms: int) -> None:
    """It arrives in this way, and is looked at last at `now_ms`."""
    pieces = list(batches(way.order, way.sizes))
    if way.together:
        made.pass_time(now_ms)
    for index, items in enumerate(pieces):
        made.pass_time(BEGIN_MS + (now_ms - BEGIN_MS) * (index + 1) // len(pieces))
        take(made, items)
        DOING[way.after[index % len(way.after)]](made)
    made.pass_time(now_ms)
    made.settle()


@given(
    story=told(),
    bounds=st.sampled_from([Bounds(), Bounds(pending=3, due=2, checkpoint_every=4)]),
    apart=st.booleans(),
    beside=st.booleans(),
)
def test_order_repetition_and_delay_do_not_matter(
    migrated_file: Path, story: tuple[Tale, Way, int], bounds: Bounds, *, apart: bool, beside: bool
) -> None:
    """P4: the same signals, folded to the same moment, end in the same states, conditions and open diagnoses; whether
    the diagnoser remembers them or reads them, whether its passes are one transaction or three, and whether another
    process concludes."""
    tale, way, now_ms = story
    with (
        world(migrated_file, BEGIN_MS, remember=False) as plain,
        world(migrated_file, BEGIN_MS, bounds=bounds, apart=apart, beside=beside) as shaken,
    ):
        plain.pass_time(now_ms)
        take(plain, tale.arrivals())
        plain.settle()
        play(shaken, way, now_ms)
        assert plain.snapshot() == shaken.snapshot()
        assert folded_of_streams(plain) == folded_of_streams(shaken)
        assert (0, 0) == (plain.faults, shaken.faults)
        for made in (plain, shaken):
            assert what_lists_need(made) == listed(made)


Listed = tuple[set[tuple[Any, ...]], set[tuple[str, str]]]


def what_lists_need(made: World) -> Listed:
    """Of which streams a condition is true, with where they stand in lists, and which webhook has told of which."""
    rows = [row for row in made.rows(SubjectRow) if row["kind"] == "stream"]
    failing = {
        (row["id"], condition.type, row["state"], row["last_event_ms"])
        for row in rows
        for condition in conditions_of(row)
        if condition.status == "true"
    }
    return failing, {(one.webhook_id, row["id"]) for row in rows for one in read(STREAM, row["folded"]).callers}


def listed(made: World) -> Listed:
    """The same, as lists find it."""
    failing = {
        (row["id"], row["condition"], row["state"], row["last_event_ms"])
        for row in made.rows(FailingRow)
        if row["kind"] == "stream"
    }
    return failing, {(row["webhook_id"], row["stream_id"]) for row in made.rows(CallerRow)}


def folded_of_streams(made: World) -> dict[tuple[str, str], Any]:
    """What was folded of the streams and the orphaned sessions, to the byte."""
    return {key: folded for key, (folded, _) in made.folded().items() if key[0] in {"stream", "session"}}
