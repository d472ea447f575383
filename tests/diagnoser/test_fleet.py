"""Several processes that diagnose at once conclude what one does."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings

from receiver.diagnoser.records import ENDPOINT, read
from receiver.diagnosis.senders import EndpointState
from receiver.diagnosis.values import ENDPOINT as ENDPOINT_SUBJECT
from receiver.storage.tables import DeliveryRow
from tests.conftest import MIGRATED, driven
from tests.diagnoser.fleet import Fleet, fleet
from tests.diagnoser.tales import Arrival, Tale
from tests.diagnoser.test_order import BEGIN_MS, Way, folded_of_streams, take, told
from tests.diagnoser.world import batches, world
from tests.postgres import Postgres

MEMBERS = 3


@pytest.fixture(scope="module")
def shared_url(postgres_server: Postgres) -> Iterator[str]:
    """The URL of a database for all stories, one after the other."""
    yield driven(postgres_server.create("fleet", MIGRATED))
    postgres_server.drop("fleet")


def arrive(made: Fleet, items: Sequence[Arrival]) -> None:
    """These arrive now, each at another process."""
    for index, member in enumerate(made.members):
        take(member, items[index :: len(made.members)])


def play(made: Fleet, way: Way, now_ms: int) -> None:
    """It arrives in this way, all of them look at it at once, and at last at `now_ms`."""
    pieces = list(batches(way.order, way.sizes))
    for index, items in enumerate(pieces):
        made.first.pass_time(now_ms if way.together else BEGIN_MS + (now_ms - BEGIN_MS) * (index + 1) // len(pieces))
        arrive(made, items)
        made.work(index % 3)
    made.first.pass_time(now_ms)
    made.settle()


@settings(max_examples=20)
@given(story=told())
def test_a_fleet_concludes_what_one_process_does(
    migrated_file: Path, shared_url: str, story: tuple[Tale, Way, int]
) -> None:
    """P4 for several: whoever takes in what, and whoever looks at what first, the same signals end in the same states,
    conditions and open diagnoses, and each transition is told once (P7)."""
    tale, way, now_ms = story
    with world(migrated_file, BEGIN_MS) as plain, fleet(shared_url, BEGIN_MS, MEMBERS) as made:
        plain.pass_time(now_ms)
        take(plain, tale.arrivals())
        plain.settle()
        play(made, way, now_ms)
        assert plain.snapshot() == made.first.snapshot()
        assert folded_of_streams(plain) == folded_of_streams(made.first)
        assert 0 == sum(member.faults for member in made.members)
        assert told_once(made)
        assert delivered(made) == counted(made)


def told_once(made: Fleet) -> bool:
    """Whether each transition of a diagnosis has one notice."""
    notices = [row for row in made.first.notices() if row["kind"].startswith("diagnosis.")]
    return len(notices) == len(made.first.transitions())


def counted(made: Fleet) -> tuple[int, int]:
    """How many deliveries our endpoint has counted as accepted, and as repeated."""
    row = made.first.subjects().get((ENDPOINT_SUBJECT.kind, ENDPOINT_SUBJECT.id))
    state = EndpointState() if row is None else read(ENDPOINT, row["folded"])
    return state.accepted, state.repeated


def delivered(made: Fleet) -> tuple[int, int]:
    """How many there were."""
    verdicts = [row["verdict"] for row in made.first.rows(DeliveryRow)]
    return verdicts.count("accepted"), verdicts.count("duplicate")
