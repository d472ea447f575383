"""A pass in three transactions: what happens between them is neither lost nor overwritten."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Connection, update

from receiver.diagnoser import Diagnoser, loop
from receiver.diagnoser.apart import PassApart, TakenApart
from receiver.diagnoser.passing import Conclusions, Passed
from receiver.diagnosis.values import Limits
from receiver.simulation.scenes import MINUTE
from receiver.simulation.sender import Studio
from receiver.storage import inbox
from receiver.storage.engine import Database
from receiver.storage.precedence import Precedence
from receiver.storage.tables import DiagnosisRow, InboxRow, PendingRow
from tests.diagnoser.tales import HOUR, START_MS, Report
from tests.diagnoser.telling import told
from tests.diagnoser.world import RECEPTION, SECRET, World, world
from tests.running import logged


@pytest.fixture
def apart(migrated_file: Path) -> Iterator[World]:
    """A world whose passes are three transactions."""
    with world(migrated_file, START_MS - HOUR, apart=True) as opened:
        yield opened


def rejected(made: World, studio: Studio) -> None:
    """A publish was announced and nothing came of it: a diagnosis is open."""
    stored = {"kind": "publish_intent", "stream_id": studio.stream.id, "at_ms": START_MS}
    made.clock.set(START_MS)
    made.observe(Report("obs_0", START_MS, stored))
    made.live(START_MS + 10 * MINUTE)
    assert ["open"] == [row["status"] for row in made.diagnoses()]


def between(made: World, happens: Callable[[], object]) -> Passed | None:
    """A pass, before whose last part something happens."""
    parts = made.parts()
    taken = made.database.write_now(parts.take, bears=False)
    conclusions = made.database.read_now(partial(parts.conclude, apart=taken))
    happens()
    return made.database.write_now(partial(parts.write, apart=taken, conclusions=conclusions), bears=False)


def acknowledge(connection: Connection) -> None:
    """Somebody has seen every diagnosis."""
    connection.execute(update(DiagnosisRow).values(status="acknowledged"))


def in_this_process(made: World) -> None:
    """It is done through the service."""
    made.database.write_now(acknowledge)


def in_another_process(made: World) -> None:
    """It is done through a connection of somebody else's."""
    other = Database.open(made.url)
    other.write_now(acknowledge)
    other.close_now()


@pytest.mark.parametrize("acknowledged", [in_this_process, in_another_process])
def test_what_bears_on_conclusions_is_not_overwritten(
    apart: World, studio: Studio, acknowledged: Callable[[World], None]
) -> None:
    """A diagnosis that is acknowledged while its resolution is concluded: what was concluded is dropped, and concluded
    again of what is there then."""
    rejected(apart, studio)
    apart.deliver(*told(studio.started(10 * MINUTE)))
    assert between(apart, lambda: acknowledged(apart)) is None
    assert ["acknowledged"] == [row["status"] for row in apart.diagnoses()]
    apart.settle()
    assert ["resolved"] == [row["status"] for row in apart.diagnoses()]
    assert 0 == apart.rebuild().differing


def test_deliveries_do_not_disturb(apart: World, studio: Studio) -> None:
    """Those that come while a pass concludes are committed, and looked at in the next one."""
    first, second = told(studio.started(0), studio.idle(MINUTE))

    def comes() -> None:
        arrival = RECEPTION.receive(apart._delivery(second, SECRET), apart.ids.next())
        apart.database.write_now(lambda c: inbox.put(c, [arrival]), bears=False)

    apart.deliver(first)
    passed = between(apart, comes)
    assert passed is not None
    assert (1, True) == (passed.left, passed.more)
    assert "live" == apart.subjects()["stream", studio.stream.id]["state"]
    apart.settle()
    assert "idle" == apart.subjects()["stream", studio.stream.id]["state"]


def test_what_was_taken_is_pending_until_it_was_looked_at(apart: World, studio: Studio) -> None:
    """Killed behind the first part: the events are in the log, and the next start looks at them."""
    apart.deliver(*told(studio.started(0), studio.idle(MINUTE)))
    apart.database.write_now(apart.parts().take, bears=False)
    assert ([], 2, {}) == (apart.rows(InboxRow), len(apart.rows(PendingRow)), apart.subjects())
    apart.restart()
    apart.settle()
    assert [] == apart.rows(PendingRow)
    assert ("idle", 2) == tuple(
        apart.subjects()["stream", studio.stream.id][name] for name in ("state", "folded_count")
    )


async def test_a_service_on_sqlite_looks_at_little_so(apart: World, studio: Studio) -> None:
    """What was filed is told at once, and what is spoiled of the endpoint is mended as in other passes."""
    filed: list[int] = []
    diagnoser = Diagnoser(
        apart.database, apart.ids, apart.clock, Limits(), on_filed=lambda some: filed.append(len(some))
    )
    diagnoser.stored(apart.deliver(*told(studio.started(0))))
    await diagnoser.settle()
    apart.database.write_now(lambda c: c.exec_driver_sql("UPDATE subjects SET folded = '?' WHERE kind = 'endpoint'"))
    diagnoser.stored(apart.deliver(*told(studio.idle(MINUTE))))
    with logged() as log:
        await diagnoser.settle()
    assert ([1, 1], 1) == (filed, len(log.of("diagnoser.fault")))
    assert "idle" == apart.subjects()["stream", studio.stream.id]["state"]
    assert 0 == apart.rebuild().differing


@pytest.mark.parametrize("disturbances", [0, 1, 2])
async def test_a_disturbed_pass_is_done_apart_once_more(
    apart: World, studio: Studio, monkeypatch: pytest.MonkeyPatch, disturbances: int
) -> None:
    """And at once where it is disturbed again: what came is looked at however often something is written."""
    seen: list[Conclusions] = []

    class Disturbed(PassApart):
        def conclude(self, connection: Connection, apart: TakenApart) -> Conclusions:
            seen.append(super().conclude(connection, apart))
            if len(seen) <= disturbances:
                self.database.write_now(acknowledge)
            return seen[-1]

    monkeypatch.setattr(loop, "PassApart", Disturbed)
    diagnoser = Diagnoser(apart.database, apart.ids, apart.clock, Limits())
    diagnoser.stored(apart.deliver(*told(studio.started(0))))
    await diagnoser.start()
    await asyncio.sleep(0)
    await diagnoser.stop()
    assert min(disturbances + 1, 2) == len(seen)
    assert [] == apart.rows(PendingRow)
    assert "live" == apart.subjects()["stream", studio.stream.id]["state"]


class Counting(Precedence):
    """Counts how often way was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given = 0

    def give(self) -> None:
        """Way is given."""
        self.given += 1
        super().give()


def test_way_is_given_between_any_two_streams(apart: World) -> None:
    """However many there are in a pass, a delivery waits for one to be judged."""
    studios = [Studio(START_MS, Random(number)) for number in range(20)]  # noqa: S311 -- ids of a fiction
    apart.deliver(*(told(studio.started(0))[0] for studio in studios))
    apart.database.precedence = precedence = Counting()
    parts = apart.parts()
    taken = apart.database.write_now(parts.take, bears=False)
    apart.database.read_now(partial(parts.conclude, apart=taken))
    assert precedence.given >= 2 * len(studios), "before each is folded, and before each is judged"
