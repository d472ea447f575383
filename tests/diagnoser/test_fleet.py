"""Several processes that diagnose at once conclude what one does."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings

from receiver.diagnoser.records import ENDPOINT, read
from receiver.diagnosis.senders import EndpointState
from receiver.diagnosis.values import ENDPOINT as ENDPOINT_SUBJECT
from receiver.simulation.scenes import MINUTE, SECOND
from receiver.simulation.sender import Event, Studio
from receiver.storage.tables import DeliveryRow
from tests.conftest import MIGRATED, driven
from tests.diagnoser.fleet import Fleet, fleet
from tests.diagnoser.tales import START_MS, Arrival, Report, Tale
from tests.diagnoser.telling import told as told_of
from tests.diagnoser.telling import town_hall
from tests.diagnoser.test_order import BEGIN_MS, Way, folded_of_streams, take, told
from tests.diagnoser.world import World, batches, world
from tests.postgres import Postgres

MEMBERS = 3
MOMENT_MS = START_MS + MINUTE


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


@pytest.fixture
def pair(shared_url: str) -> Iterator[Fleet]:
    """Two of them, up since an hour before the stories begin, whose endpoint and webhook are known already."""
    with fleet(shared_url, BEGIN_MS, 2) as made:
        made.first.pass_time(MOMENT_MS)
        made.first.deliver(said(town_hall(0).started(0)))
        made.settle()
        yield made


@pytest.mark.parametrize("orphan_first", [True, False])
def test_what_is_nobodys_is_not_missed(pair: Fleet, orphan_first: bool) -> None:  # noqa: FBT001 -- a case
    """A session's asset comes while another process finds out whose the session is: neither sees yet what the other
    writes, and the stream has it all the same."""
    studio = town_hall()
    started = studio.recording_started(0)
    bodies = [said(failure(studio)), said(started)]
    pair.first.deliver(bodies[not orphan_first])
    pair.meanwhile(lambda second: second.deliver(bodies[orphan_first]))
    pair.settle()
    [diagnosis] = [row for row in pair.first.diagnoses() if row["status"] != "resolved"]
    assert ("ProcessingFailed", studio.stream.id) == (diagnosis["reason"], diagnosis["stream_id"])


@pytest.mark.parametrize("orphan_first", [True, False])
def test_what_was_seen_under_a_playback_id_is_not_missed(pair: Fleet, orphan_first: bool) -> None:  # noqa: FBT001
    """Likewise an observation that names only what the player was given."""
    studio = town_hall()
    started = said(studio.started(0))
    stored = {"kind": "playback_error", "playback_id": studio.stream.playback_id, "at_ms": MOMENT_MS}
    report = Report("obs_1", MOMENT_MS, {**stored, "error": "forbidden"})
    if orphan_first:
        pair.first.observe(report)
        pair.meanwhile(lambda second: second.deliver(started))
    else:
        pair.first.deliver(started)
        pair.meanwhile(lambda second: second.observe(report))
    pair.settle()
    assert ["playback_forbidden"] == [row["condition"] for row in pair.first.diagnoses()]


def test_both_count_what_came(pair: Fleet) -> None:
    """Our endpoint and a webhook, which both processes hear of at once."""
    pair.first.deliver(said(town_hall(1).started(0)))
    pair.meanwhile(lambda second: second.deliver(said(town_hall(2).started(0))))
    pair.settle()
    assert (3, 0) == counted(pair) == delivered(pair)


def test_one_event_that_comes_to_both_at_once_is_one(pair: Fleet) -> None:
    """Whoever is later has received a repetition."""
    studio = town_hall()
    event = studio.started(0)
    pair.first.deliver(said(event))
    pair.meanwhile(lambda second: second.deliver(said(event, after_ms=5_000)))
    pair.settle()
    assert (2, 1) == counted(pair) == delivered(pair)
    assert [1, 2] == sorted(row["attempts"] for row in pair.first.signals())


def test_a_stream_that_another_looks_at_is_left_to_it(pair: Fleet) -> None:
    """Its event waits, and is folded when the other is done; the delivery is counted at once."""
    studio = town_hall()
    pair.first.deliver(said(studio.started(0)))
    pair.settle()
    started = studio.recording_started(SECOND)
    pair.first.deliver(said(started))
    assert 1 == pair.meanwhile(lambda second: second.deliver(said(studio.idle(MINUTE)))).left
    pair.settle()
    assert ("idle", 4) == (pair.first.subjects()["stream", studio.stream.id]["state"], counted(pair)[0])


def test_what_bears_on_a_stream_that_another_looks_at_is_not_forgotten(pair: Fleet) -> None:
    """A process finds that our endpoint refuses deliveries while another judges a stream without knowing: what that
    one says from silence is muted all the same."""
    studio = town_hall()
    for event in (studio.started(0), studio.recording_started(SECOND), studio.idle(MINUTE)):
        pair.first.deliver(said(event))
    pair.settle()
    pair.first.pass_time(START_MS + 20 * MINUTE)

    def refusals(second: World) -> None:
        for number in range(3):
            second.refuse(said(town_hall(number).started(0)))

    pair.meanwhile(refusals)
    pair.settle()
    [missing] = [row for row in pair.first.diagnoses() if row["condition"] == "recording_not_available"]
    assert "webhook_not_firing" == missing["muted_by"]


def said(event: Event, after_ms: int = 300) -> bytes:
    """An attempt at it."""
    [body] = told_of(event, after_ms=after_ms)
    return body


def failure(studio: Studio) -> Event:
    """Processing the recording of the newest session failed."""
    return studio.asset_changed("asset.failed", 5 * MINUTE, "failed", errorMessage="no video track")
