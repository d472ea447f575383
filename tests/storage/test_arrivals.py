"""The log of events: each once per webhook, whatever comes again."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from operator import methodcaller
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from receiver.clock import ManualClock
from receiver.ids import Ids
from receiver.storage import arrivals
from receiver.storage.arrival import Arrival, Outcome, read_again
from receiver.storage.engine import Database
from receiver.storage.event_keys import event_key
from tests.sender import T0_MS, Event

NEW = Outcome("accepted", "stored", changed=True)
AGAIN = Outcome("duplicate", "repeated", changed=False)
EARLIER = Outcome("duplicate", "repeated", changed=True)
IDS = Ids(ManualClock(T0_MS), node=0)


def arrival(event: Event, after_ms: int = 0, attempted_after_ms: int | None = None, **more: object) -> Arrival:
    """A delivery received so long after T0, attempted at the same time unless said otherwise."""
    body = event.body(T0_MS + (after_ms if attempted_after_ms is None else attempted_after_ms), **more)
    return read_again(IDS.next(), T0_MS + after_ms, "203.0.113.7", "0123abcd", body)


def take(database: Database, *batches: Sequence[Arrival]) -> list[Outcome]:
    """Each batch in a transaction of its own."""
    return [outcome for batch in batches for outcome in database.write_now(partial(arrivals.append, arrivals=batch))]


def rows(database: Database, columns: str, table: str, order: str = "seq") -> list[Mapping[str, object]]:
    """What a table holds."""
    query = text(f"SELECT {columns} FROM {table} ORDER BY {order}")  # noqa: S608
    return [dict(row) for row in database.read_now(lambda c: c.execute(query).mappings().all())]


def test_a_new_event_is_stored_as_it_came(database: Database) -> None:
    """The row holds where the event belongs, when it came, and the body byte by byte."""
    come = arrival(Event(), 500, 100)
    assert take(database, [come]) == [NEW]
    stored = rows(database, "*", "signals")[0]
    assert {key: stored[key] for key in stored if key != "seq"} == {
        "key": event_key("ev-1", "wh-1"),
        "id": "ev-1",
        "webhook_id": "wh-1",
        "source": "webhook",
        "kind": "stream.started",
        "stream_id": "7c1ea8c3",
        "session_id": None,
        "playback_id": None,
        "position": come.route.position,
        "created_ms": T0_MS,
        "attempted_ms": T0_MS + 100,
        "first_received_ms": T0_MS + 500,
        "last_received_ms": T0_MS + 500,
        "attempts": 1,
        "flag": None,
    }
    assert rows(database, "*", "bodies") == [{"seq": stored["seq"], "body": come.body}]


def test_each_delivery_is_recorded(database: Database) -> None:
    """A delivery's row says what came of it, from where, and what it carried."""
    come = arrival(Event(), 500, 100)
    take(database, [come])
    assert rows(database, "*", "deliveries") == [
        {
            "seq": come.seq,
            "received_ms": T0_MS + 500,
            "verdict": "accepted",
            "code": "stored",
            "remote": "203.0.113.7",
            "bytes": len(come.body),
            "event_id": "ev-1",
            "webhook_id": "wh-1",
            "event": "stream.started",
            "created_ms": T0_MS,
            "timestamp_ms": T0_MS + 100,
            "secret_id": "0123abcd",
            "shaped": 1,
        }
    ]


def test_the_diagnoser_is_told_of_each_delivery(database: Database) -> None:
    """A new event and a mere repetition are told apart."""
    first, second = arrival(Event()), arrival(Event(), 5000)
    take(database, [first], [second])
    assert rows(database, "*", "pending") == [
        {"seq": first.seq, "signal_seq": first.seq, "changed": 1},
        {"seq": second.seq, "signal_seq": first.seq, "changed": 0},
    ]


@pytest.mark.parametrize("batches", [(2,), (1, 1)])
def test_an_event_is_stored_once(database: Database, batches: tuple[int, ...]) -> None:
    """Repetitions count as receipts, within a batch as well as across batches."""
    deliveries = [arrival(Event()), arrival(Event(), 5000)]
    assert take(database, *([deliveries] if batches == (2,) else [[one] for one in deliveries])) == [NEW, AGAIN]
    columns = "attempts, attempted_ms, first_received_ms, last_received_ms"
    assert rows(database, columns, "signals") == [
        {
            "attempts": 2,
            "attempted_ms": T0_MS,
            "first_received_ms": T0_MS,
            "last_received_ms": T0_MS + 5000,
        }
    ]


@pytest.mark.parametrize("batches", [(2,), (1, 1)])
def test_the_lowest_attempt_time_is_kept(database: Database, batches: tuple[int, ...]) -> None:
    """An earlier attempt that arrives later lowers the time, and the diagnoser is told."""
    deliveries = [arrival(Event(), 5000), arrival(Event(), 6000, 1000)]
    assert take(database, *([deliveries] if batches == (2,) else [[one] for one in deliveries])) == [NEW, EARLIER]
    assert rows(database, "attempted_ms", "signals") == [{"attempted_ms": T0_MS + 1000}]


def test_webhooks_are_told_apart(database: Database) -> None:
    """The same event from two webhooks is stored twice."""
    assert take(database, [arrival(Event()), arrival(Event(webhook_id="wh-2"))]) == [NEW, NEW]


def test_the_first_body_stays(database: Database) -> None:
    """A repetition that says something else is noted on its delivery and changes nothing."""
    first = arrival(Event())
    second = arrival(Event(name="stream.idle"), 5000)
    assert take(database, [first], [second]) == [NEW, Outcome("duplicate", "contradicting", changed=False)]
    assert rows(database, "kind, attempts", "signals") == [{"kind": "stream.started", "attempts": 2}]
    assert rows(database, "*", "bodies") == [{"seq": first.seq, "body": first.body}]


def test_a_contradiction_within_a_batch_is_noted_too(database: Database) -> None:
    """The order of the batch decides which body stays."""
    deliveries = [arrival(Event()), arrival(Event(created_ms=T0_MS - 1), 10)]
    assert take(database, deliveries) == [NEW, Outcome("duplicate", "contradicting", changed=False)]
    assert rows(database, "created_ms", "signals") == [{"created_ms": T0_MS}]
    assert rows(database, "body", "bodies") == [{"body": deliveries[0].body}]


def test_a_body_not_understood_is_flagged(database: Database) -> None:
    """It is stored raw, with no time of its own, and flagged."""
    come = arrival(Event())
    raw = Arrival(come.seq, come.received_ms, come.remote, None, "raw_1", "", come.route, b"\xff", "not_understood")
    assert take(database, [raw]) == [Outcome("accepted", "not_understood", changed=True)]
    assert rows(database, "created_ms, flag", "signals") == [{"created_ms": None, "flag": "not_understood"}]
    assert rows(database, "body", "bodies") == [{"body": b"\xff"}]
    assert rows(database, "code, created_ms, timestamp_ms, shaped", "deliveries") == [
        {"code": "not_understood", "created_ms": None, "timestamp_ms": None, "shaped": 0}
    ]


def test_nothing_of_a_batch_stays_when_a_row_is_refused(database: Database) -> None:
    """A batch is stored as a whole, or not at all."""
    first = arrival(Event())
    take(database, [first])
    clashing = Arrival(first.seq, 1, "", None, "ev-2", "wh-1", first.route, b"")
    with pytest.raises(IntegrityError):
        take(database, [arrival(Event("ev-3")), clashing])
    assert rows(database, "id", "signals") == [{"id": "ev-1"}]


def test_a_batch_may_be_larger_than_one_statement_asks_for(database: Database) -> None:
    """A thousand known events are all recognised."""
    events = [Event(f"ev-{number}") for number in range(1000)]
    take(database, [arrival(event) for event in events])
    assert take(database, [arrival(event, 1) for event in events]) == [AGAIN] * 1000


def test_an_empty_batch_is_nothing(database: Database) -> None:
    """No statement is run for it."""
    assert take(database, []) == []


@pytest.fixture(scope="module")
def reused_database(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One database for all examples of a property."""
    opened = Database.open(f"sqlite:///{shutil.copy(migrated_file, tmp_path_factory.mktemp('reused'))}")
    yield opened
    opened.close_now()


def clear(database: Database) -> None:
    """Empty what an example before has filled."""
    for table in ("signals", "bodies", "deliveries", "pending"):
        database.write_now(methodcaller("execute", text(f"DELETE FROM {table}")))  # noqa: S608


@given(
    deliveries=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("wx"), st.integers(0, 9), st.integers(0, 9)), max_size=12
    ),
    data=st.data(),
)
def test_any_split_into_batches_ends_the_same(
    reused_database: Database, deliveries: list[tuple[str, str, int, int]], data: st.DataObject
) -> None:
    """However deliveries fall into transactions, each event is there once, with the receipts of all."""
    clear(reused_database)
    come = [arrival(Event(key, webhook), received, attempted) for key, webhook, received, attempted in deliveries]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(come)), max_size=4)))
    bounds = [0, *cuts, len(come)]
    take(reused_database, *(come[a:b] for a, b in pairwise(bounds)))
    columns = "id, webhook_id, attempts, attempted_ms, first_received_ms, last_received_ms"
    expected = [receipts(key, come) for key in sorted({(one.id, one.webhook_id) for one in come})]
    assert rows(reused_database, columns, "signals", "id, webhook_id") == expected
    assert len(rows(reused_database, "seq", "deliveries")) == len(come)


def receipts(key: tuple[str, str], come: list[Arrival]) -> Mapping[str, object]:
    """What must be stored of one event."""
    mine = [one for one in come if (one.id, one.webhook_id) == key]
    return {
        "id": key[0],
        "webhook_id": key[1],
        "attempts": len(mine),
        "attempted_ms": min(one.route.attempted_ms for one in mine),
        "first_received_ms": min(one.received_ms for one in mine),
        "last_received_ms": max(one.received_ms for one in mine),
    }
