"""When the diagnoser looks, how it says that it is behind, and what people do to its diagnoses."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from receiver.clock import Clock, ManualClock, SystemClock
from receiver.diagnoser import Diagnoser
from receiver.diagnosis.values import Limits
from receiver.errors import StoreUnavailable
from receiver.ids import Ids
from receiver.livepeer.signature import Keyring
from receiver.observations import NewObservation, report
from receiver.reception import Delivery, Reception
from receiver.storage import coverage, inbox
from receiver.storage.arrival import Arrival
from receiver.storage.arrivals import append
from receiver.storage.engine import Database
from tests.engines import sqlite_only
from tests.running import Log, logged, until
from tests.sender import SECRET, T0_MS, Event

LIMITS = Limits(publish_start_within_ms=50, delivery_grace_ms=50)
STREAM_ID = "7c1ea8c3"


@dataclass
class Case:
    """A diagnoser on a store, and how often it asked for something to be told."""

    database: Database
    clock: Clock
    limits: Limits
    told: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ids = Ids(self.clock, 0)
        self.diagnoser = Diagnoser(
            self.database, self.ids, self.clock, self.limits, tell=lambda: self.told.append(1), look_s=0.01
        )
        self.database.write_now(lambda conn: coverage.begin(conn, self.ids, self.clock.now_ms()))

    def arrival(self, event: Event) -> Arrival:
        """It was delivered now."""
        now_ms = self.clock.now_ms()
        body, signature = event.signed(now_ms)
        return Reception(Keyring([SECRET]), None).receive(Delivery(body, signature, "", now_ms), self.ids.next())

    def deliver(self, event: Event) -> None:
        """It is stored, and nobody is told."""
        arrivals = [self.arrival(event)]
        self.database.write_now(lambda conn: append(conn, arrivals))

    async def intend(self) -> None:
        """A publish is announced that will never start."""
        observed = NewObservation.model_validate({"kind": "publish_intent", "stream_id": STREAM_ID})
        now_ms = self.clock.now_ms()
        await report(observed, key=None, database=self.database, ids=self.ids, now_ms=now_ms, digest_key=b"k")

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What a query finds."""
        return [tuple(row) for row in self.database.read_now(lambda conn: conn.execute(text(query)).all())]

    @property
    def diagnoses(self) -> list[tuple[object, ...]]:
        """Id, status and resolution of each."""
        return self.rows("SELECT id, status, resolution FROM diagnoses")


@pytest.fixture
async def case(database: Database) -> AsyncIterator[Case]:
    """At T0, its clock moved by the test."""
    made = Case(database, ManualClock(T0_MS), Limits())
    yield made
    await made.diagnoser.stop()


@pytest.fixture
async def live(database: Database) -> AsyncIterator[Case]:
    """In real time, with short limits."""
    made = Case(database, SystemClock(), LIMITS)
    yield made
    await made.diagnoser.stop()


@pytest.fixture
def log() -> Iterator[Log]:
    """The log."""
    with logged() as lines:
        yield lines


async def test_a_delivery_is_looked_at_when_it_is_woken(case: Case) -> None:
    """Nothing waits for the next round."""
    await case.diagnoser.start()
    await until(lambda: case.diagnoser.health.running)
    case.deliver(Event())
    case.diagnoser.wake()
    await until(lambda: case.rows("SELECT state FROM subjects WHERE kind = 'stream'") == [("live",)])
    await until(lambda: case.told)


async def test_another_processs_work_is_found_without_waking(case: Case) -> None:
    """What `receiver quarantine release` takes in beside us is seen by itself."""
    await case.diagnoser.start()
    await asyncio.sleep(0.02)
    case.deliver(Event())
    await until(lambda: case.rows("SELECT state FROM subjects WHERE kind = 'stream'") == [("live",)])


async def test_a_deadline_wakes_it(live: Case) -> None:
    """What is due later is judged when it is due, once (P6)."""
    await live.intend()
    await live.diagnoser.start()
    await until(lambda: live.diagnoses)
    await asyncio.sleep(0.05)
    assert [("open", None)] == [row[1:] for row in live.diagnoses]
    assert [("opened",)] == live.rows("SELECT substr(kind, 11) FROM outbox WHERE kind LIKE 'diagnosis.%'")


async def test_settling_does_all_that_is_due(case: Case) -> None:
    """However many passes that takes; the moment is the clock's."""
    for number in range(300):
        case.deliver(Event(f"ev-{number}", stream_id=f"stream-{number}"))
    await case.diagnoser.settle()
    assert [(300,)] == case.rows("SELECT count(*) FROM subjects WHERE kind = 'stream'")
    assert [(0,)] == case.rows("SELECT count(*) FROM pending")


def moved(case: Case) -> ManualClock:
    """The clock of a case that stands still."""
    assert isinstance(case.clock, ManualClock)
    return case.clock


async def test_it_says_how_long_something_has_been_waiting(case: Case) -> None:
    """From the first waking to the pass that did it; nothing waits before and after."""
    clock, lags = moved(case), [case.diagnoser.health.lag_ms]
    case.diagnoser.wake()
    clock.advance(700)
    case.diagnoser.wake()
    clock.advance(800)
    lags.append(case.diagnoser.health.lag_ms)
    await case.diagnoser.settle()
    lags.append(case.diagnoser.health.lag_ms)
    assert [None, 1500, None] == lags


async def test_what_a_failed_pass_left_goes_on_waiting(case: Case) -> None:
    """An outage of the store shows as a lag that grows."""
    clock = moved(case)
    case.diagnoser.wake()
    await case.database.close()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await case.diagnoser.settle()
        clock.advance(1000)
    assert 2000 == case.diagnoser.health.lag_ms


@sqlite_only
async def test_a_pass_that_fails_is_a_fault_and_not_the_end(case: Case, log: Log) -> None:
    """A defect that no single stream can be blamed for is logged and shown, and tried again later."""
    case.database.write_now(
        lambda conn: conn.execute(text("INSERT INTO coverage (seq, from_ms, until_ms) VALUES (1, 'no time', 0)"))
    )
    case.deliver(Event())
    await case.diagnoser.start()
    await until(lambda: log.of("service.fault"))
    assert (True, 1) == (case.diagnoser.health.running, case.diagnoser.health.faults)
    assert [(1,)] == case.rows("SELECT count(*) FROM pending")


async def one_pass(case: Case) -> None:
    """It begins, and is stopped at once."""
    await case.diagnoser.start()
    await asyncio.sleep(0)
    await case.diagnoser.stop()


async def test_stopping_finishes_the_pass_at_hand(case: Case) -> None:
    """What was begun is stored, and what came of it is handed on to be told."""
    for number in range(20):
        case.deliver(Event(f"ev-{number}", stream_id=f"stream-{number}"))
    await one_pass(case)
    assert [(20,)] == case.rows("SELECT count(*) FROM subjects WHERE kind = 'stream'")
    assert case.told
    assert not case.diagnoser.health.running


@pytest.mark.parametrize(("waiting", "done"), [(1024, 64), (1025, 1025)])
async def test_where_much_waits_much_is_done_at_a_time(case: Case, waiting: int, done: int) -> None:
    """Else little, so that deliveries which come meanwhile do not wait for long."""
    arrivals = [case.arrival(Event(f"ev-{number}", stream_id=f"stream-{number}")) for number in range(waiting)]
    case.database.write_now(lambda conn: inbox.put(conn, arrivals))
    case.diagnoser.stored(arrivals)
    await one_pass(case)
    assert [(done,)] == case.rows("SELECT count(*) FROM subjects WHERE kind = 'stream'")


async def test_a_backlog_that_was_found_is_no_little(case: Case) -> None:
    """After a restart nothing is remembered of it: the first pass tells."""
    arrivals = [case.arrival(Event(f"ev-{number}", stream_id=f"stream-{number}")) for number in range(1224)]
    case.database.write_now(lambda conn: inbox.put(conn, arrivals))
    for done in (64, 1224):
        await case.diagnoser._pass(case.diagnoser._bounds)
        assert [(done,)] == case.rows("SELECT count(*) FROM subjects WHERE kind = 'stream'")


@pytest.mark.parametrize(
    ("act", "expected"), [("acknowledge", ("acknowledged", None)), ("resolve", ("resolved", "manual"))]
)
async def test_people_acknowledge_and_resolve(live: Case, act: str, expected: tuple[str, str | None]) -> None:
    """The diagnosis changes, its history says who did it, and somebody is told; again changes nothing."""
    await live.intend()
    await live.diagnoser.start()
    await until(lambda: live.diagnoses)
    diagnosis_id, told = str(live.diagnoses[0][0]), len(live.told)
    for _ in range(2):
        assert await getattr(live.diagnoser, act)(diagnosis_id, "token-1234")
    assert [(diagnosis_id, *expected)] == live.diagnoses
    causes = live.rows("SELECT cause FROM transitions ORDER BY seq")
    assert [(f"{expected[0].capitalize()} by token-1234.",)] == causes[1:]
    assert len(live.told) > told


async def test_what_does_not_exist_cannot_be_acknowledged(case: Case) -> None:
    """The caller is told that there is no such diagnosis."""
    assert not await case.diagnoser.acknowledge("dg_none", "token-1234")
    assert not await case.diagnoser.resolve("dg_none", "token-1234")
