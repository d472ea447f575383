"""Deliveries that come one by one and all at once, and a store that fails them."""

import asyncio
import shutil
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from receiver.clock import ManualClock
from receiver.diagnoser.bounds import USUAL
from receiver.diagnoser.filing import file_apart
from receiver.diagnoser.recent import Recent
from receiver.errors import Overloaded, ReceiverError, StoreUnavailable
from receiver.group_commit import BOUNDS, Bounds
from receiver.ids import Ids
from receiver.inbox import Inbox
from receiver.livepeer.signature import Keyring
from receiver.livepeer.verification import Refused
from receiver.quarantine import Cap, Caps, Quarantine
from receiver.reception import Reception
from receiver.storage.arrival import Arrival
from receiver.storage.engine import Database
from tests.engines import sqlite_only
from tests.sender import SECRET, T0_MS, Event

REMOTE = "203.0.113.7"
RECEPTION = Reception(Keyring([SECRET]), tolerance_ms=300_000)


def made(
    database: Database,
    *,
    bounds: Bounds = BOUNDS,
    caps: Caps | None = None,
    reception: Reception = RECEPTION,
    on_stored: Callable[[Sequence[Arrival]], None] = lambda _: None,
) -> Inbox:
    """An inbox at T0 that is not started yet."""
    clock = ManualClock(T0_MS)
    quarantine = Quarantine(caps or Caps())
    return Inbox(database, Ids(clock, node=1), clock, reception, on_stored, quarantine, bounds)


@pytest.fixture
async def inbox(database: Database) -> AsyncIterator[Inbox]:
    """A started inbox, which is stopped at the end."""
    started = made(database)
    await started.start()
    yield started
    await started.stop()


async def deliver(inbox: Inbox, event: Event, secret: str = SECRET, **more: object) -> None:
    """One signed attempt."""
    await inbox.deliver(*event.signed(T0_MS, secret, **more), REMOTE)


async def answered(delivery: Awaitable[None]) -> str:
    """`taken`, or the code of the refusal."""
    try:
        await delivery
    except (Refused, ReceiverError) as error:
        return str(error.code)
    return "taken"


def file(database: Database) -> list[str]:
    """File what was taken in. Returns the verdicts."""
    filed = database.write_now(lambda c: file_apart(c, Recent(), USUAL))
    return [one.outcome.verdict for one in filed]


def rows(database: Database, query: str) -> list[Mapping[str, object]]:
    """What a query finds."""
    return [dict(row) for row in database.read_now(lambda c: c.execute(text(query)).mappings().all())]


def verdicts(database: Database) -> list[tuple[object, object]]:
    """Verdict and code of each delivery."""
    found = rows(database, "SELECT verdict, code FROM deliveries ORDER BY seq")
    return [(row["verdict"], row["code"]) for row in found]


async def test_a_delivery_is_stored_when_its_receipt_comes(inbox: Inbox, database: Database) -> None:
    """P1: what was acknowledged, another connection reads."""
    await deliver(inbox, Event())
    assert rows(database, "SELECT received_ms, remote, body FROM inbox JOIN bodies USING (seq)") == [
        {"received_ms": T0_MS, "remote": REMOTE, "body": Event().body()}
    ]


async def test_a_repetition_is_a_duplicate(inbox: Inbox, database: Database) -> None:
    """The second delivery of an event is acknowledged too; the event is there once."""
    await deliver(inbox, Event())
    await deliver(inbox, Event())
    assert file(database) == ["accepted", "duplicate"]
    assert rows(database, "SELECT id, attempts FROM signals") == [{"id": "ev-1", "attempts": 2}]


async def test_the_diagnoser_is_woken_after_the_commit(database: Database) -> None:
    """When it is called, the delivery is there to be read."""
    seen: list[object] = []
    inbox = made(
        database, on_stored=lambda _: seen.extend(rows(database, "SELECT body FROM inbox JOIN bodies USING (seq)"))
    )
    await inbox.start()
    await deliver(inbox, Event())
    await inbox.stop()
    assert seen == [{"body": Event().body()}]


@pytest.mark.parametrize(("lost", "answer"), [(False, "taken"), (True, "store_unavailable")])
async def test_a_delivery_has_precedence_until_it_is_answered(database: Database, *, lost: bool, answer: str) -> None:
    """Whether it can be stored or not."""
    inbox = made(database)
    await inbox.start()
    if lost:
        await database.close()
    delivery = asyncio.create_task(answered(deliver(inbox, Event())))
    await asyncio.sleep(0)
    assert database.precedence.taken
    assert await delivery == answer
    await inbox.stop()
    assert not database.precedence.taken


async def test_what_waits_is_committed_together(database: Database) -> None:
    """Deliveries that gather while a transaction runs share the next, within the bound."""
    commits: list[int] = []
    inbox = made(database, bounds=Bounds(at_once=40), on_stored=lambda _: commits.append(1))
    await inbox.start()
    await asyncio.gather(*(deliver(inbox, Event(f"ev-{number}")) for number in range(100)))
    await inbox.stop()
    assert len(commits) == 3
    assert rows(database, "SELECT count(*) AS n FROM inbox") == [{"n": 100}]


class Busy:
    """The one writer of a SQLite file, kept busy by as many transactions of others as are asked for, each until its
    event is set."""

    def __init__(self, database: Database, transactions: int) -> None:
        self.free = [threading.Event() for _ in range(transactions)]
        waits = [partial(self._wait, number) for number in range(transactions)]
        self.done = [asyncio.create_task(database.write(wait)) for wait in waits]

    def _wait(self, number: int, connection: Connection) -> None:
        """It has something to write as well."""
        connection.execute(text("INSERT INTO bookmarks (name, seq) VALUES (:name, 0)"), {"name": f"busy {number}"})
        self.free[number].wait(1)


async def begun(deliveries: Iterable[Awaitable[str]]) -> list[asyncio.Task[str]]:
    """These deliveries, as far as they come while the writer is busy."""
    tasks = [asyncio.ensure_future(delivery) for delivery in deliveries]
    await asyncio.sleep(0.01)
    assert not any(task.done() for task in tasks)
    return tasks


@sqlite_only
async def test_what_comes_while_others_write_is_carried_by_them(database: Database) -> None:
    """All of it is answered when that transaction is on disk: what is to be written next has not begun then."""
    commits: list[int] = []
    inbox = made(database, on_stored=lambda stored: commits.append(len(stored)))
    await inbox.start()
    busy = Busy(database, 2)
    deliveries = await begun(answered(deliver(inbox, Event(f"ev-{number}"))) for number in range(5))
    busy.free[0].set()
    assert await asyncio.gather(*deliveries) == ["taken"] * 5
    await busy.done[0]
    assert not busy.done[1].done()
    busy.free[1].set()
    await asyncio.gather(*busy.done)
    await inbox.stop()
    assert commits == [5]
    assert rows(database, "SELECT count(*) AS n FROM inbox") == [{"n": 5}]


@sqlite_only
async def test_who_carries_what_cannot_be_stored_is_not_harmed(inbox: Inbox, database: Database) -> None:
    """What others write is written, and of the deliveries only the one that the database refuses is."""
    database.write_now(refuse_poison)
    busy = Busy(database, 1)
    deliveries = await begun(answered(deliver(inbox, Event(name))) for name in ("a", "poison", "b"))
    busy.free[0].set()
    assert await asyncio.gather(*deliveries) == ["taken", "store_unavailable", "taken"]
    await asyncio.gather(*busy.done)
    assert rows(database, "SELECT seq FROM bookmarks WHERE name = 'busy 0'") == [{"seq": 0}]
    assert rows(database, "SELECT count(*) AS n FROM inbox") == [{"n": 2}]


@sqlite_only
async def test_what_was_carried_by_a_transaction_that_failed_goes_by_itself(inbox: Inbox, database: Database) -> None:
    """It is answered when it is on disk, and nothing of the failed one is."""
    free = threading.Event()

    def fail_at_the_end(connection: Connection) -> None:
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        connection.execute(text("CREATE TABLE missing (id INTEGER PRIMARY KEY)"))
        connection.execute(text("CREATE TABLE child (id INTEGER REFERENCES missing DEFERRABLE INITIALLY DEFERRED)"))
        connection.execute(text("INSERT INTO child VALUES (1)"))
        free.wait(1)

    failing = asyncio.create_task(database.write(fail_at_the_end))
    deliveries = await begun(answered(deliver(inbox, Event(f"ev-{number}"))) for number in range(3))
    free.set()
    assert await asyncio.gather(*deliveries) == ["taken"] * 3
    with pytest.raises(IntegrityError):
        await failing
    assert rows(database, "SELECT count(*) AS n FROM inbox") == [{"n": 3}]
    assert rows(database, "SELECT name FROM sqlite_master WHERE name = 'child'") == []


@sqlite_only
async def test_nothing_is_carried_to_a_file_that_was_moved(
    inbox: Inbox, database: Database, database_url: str, tmp_path: Path
) -> None:
    """P1: it was still there when the transaction began, and what is committed to it now would be lost."""
    file = Path(database_url.removeprefix("sqlite:///"))
    busy = Busy(database, 1)
    deliveries = await begun([answered(deliver(inbox, Event()))])
    shutil.move(file, tmp_path / "aside")
    busy.free[0].set()
    assert await asyncio.gather(*deliveries) == ["store_unavailable"]
    with pytest.raises(StoreUnavailable):
        await busy.done[0]
    shutil.move(tmp_path / "aside", file)
    assert rows(database, "SELECT seq FROM inbox") == []
    await deliver(inbox, Event())


@sqlite_only
@pytest.mark.parametrize("fails", [False, True])
async def test_stopping_waits_for_what_others_carry(database: Database, *, fails: bool) -> None:
    """Well or not, all of it is answered before the inbox has stopped."""
    inbox = made(database)
    await inbox.start()
    if fails:
        database.write_now(refuse_poison)
    busy = Busy(database, 1)
    deliveries = await begun(answered(deliver(inbox, Event(name))) for name in ("a", "poison" if fails else "b"))
    stopping = asyncio.create_task(inbox.stop())
    await asyncio.sleep(0)
    busy.free[0].set()
    await stopping
    assert await asyncio.gather(*deliveries) == ["taken", "store_unavailable" if fails else "taken"]
    await asyncio.gather(*busy.done)


async def test_an_unbroken_stream_of_deliveries_is_committed(database: Database) -> None:
    """Though each turn of the event loop brings one more, a transaction begins once it is full."""
    commits: list[int] = []
    bounds = Bounds(waiting=100_000, at_once=5)
    inbox = made(database, bounds=bounds, on_stored=lambda _: commits.append(1))
    await inbox.start()
    coming: list[asyncio.Task[None]] = []
    while not commits and len(coming) < 5000:
        coming.append(asyncio.create_task(deliver(inbox, Event(f"ev-{len(coming)}"))))
        await asyncio.sleep(0)
    committed = bool(commits)
    await inbox.stop()
    await asyncio.gather(*coming, return_exceptions=True)
    assert committed


async def test_a_signed_body_that_is_not_understood_is_stored(inbox: Inbox, database: Database) -> None:
    """P3: it is acknowledged, kept as it came, and flagged; coming again it is a duplicate."""
    body, signature = Event().signed(webhookId=7)
    await inbox.deliver(body, signature, REMOTE)
    await inbox.deliver(body, signature, REMOTE)
    assert file(database) == ["accepted", "duplicate"]
    query = "SELECT kind, webhook_id, stream_id, created_ms, flag, body FROM signals JOIN bodies USING (seq)"
    assert rows(database, query) == [
        {
            "kind": "unreadable",
            "webhook_id": "",
            "stream_id": None,
            "created_ms": None,
            "flag": "not_understood",
            "body": body,
        }
    ]


async def test_an_unsigned_delivery_is_taken_where_that_is_allowed(database: Database) -> None:
    """P9: only the setting makes it so."""
    reception = Reception(Keyring([]), 300_000, allow_unsigned=True)
    inbox = made(database, reception=reception)
    await inbox.start()
    await inbox.deliver(Event().body(), None, REMOTE)
    await inbox.stop()
    assert rows(database, "SELECT secret_id FROM inbox") == [{"secret_id": None}]


async def test_a_wrong_signature_is_quarantined(inbox: Inbox, database: Database) -> None:
    """P3: the refusal is raised once the raw body is kept, with the header as it came."""
    body, signature = Event().signed(secret="another")
    assert await answered(inbox.deliver(body, signature, REMOTE)) == "signature_mismatch"
    assert verdicts(database) == [("quarantined", "signature_mismatch")]
    assert rows(database, "SELECT signature, body, event_id, shaped FROM quarantine") == [
        {"signature": signature, "body": body, "event_id": "ev-1", "shaped": 1}
    ]


async def test_a_stranger_creates_nothing(inbox: Inbox, database: Database) -> None:
    """P14: the diagnoser is told that our endpoint refused something, and of no subject."""
    await answered(deliver(inbox, Event(), secret="another"))
    assert rows(database, "SELECT signal_seq, changed FROM pending") == [{"signal_seq": None, "changed": 0}]
    assert rows(database, "SELECT id FROM signals") == []


async def test_noise_is_kept_and_the_diagnoser_not_told(inbox: Inbox, database: Database) -> None:
    """A body without Livepeer's shape says nothing about our endpoint."""
    assert await answered(inbox.deliver(b"<xml>", None, REMOTE)) == "signature_missing"
    assert verdicts(database) == [("quarantined", "signature_missing")]
    assert rows(database, "SELECT * FROM pending") == []


async def test_a_signature_of_any_bytes_is_kept(inbox: Inbox, database: Database) -> None:
    """What a header may hold never hinders storing it."""
    signature = b"t=1,v1=\xff\xfe".decode("utf-8", "surrogateescape")
    assert await answered(inbox.deliver(Event().body(), signature, REMOTE)) == "signature_malformed"
    assert rows(database, "SELECT signature FROM quarantine") == [{"signature": "t=1,v1=??"}]


async def test_a_stale_delivery_is_refused_and_recorded(inbox: Inbox, database: Database) -> None:
    """The row tells the signed times, from which the clocks' offset is read; the body comes again by itself."""
    body, signature = Event().signed(T0_MS - 300_001)
    assert await answered(inbox.deliver(body, signature, REMOTE)) == "timestamp_out_of_tolerance"
    assert rows(database, "SELECT verdict, code, created_ms, timestamp_ms, event_id FROM deliveries") == [
        {
            "verdict": "refused",
            "code": "timestamp_out_of_tolerance",
            "created_ms": T0_MS,
            "timestamp_ms": T0_MS - 300_001,
            "event_id": "ev-1",
        }
    ]
    assert rows(database, "SELECT signal_seq FROM pending") == [{"signal_seq": None}]
    assert rows(database, "SELECT seq FROM quarantine") == []


async def test_a_gate_request_is_refused_and_not_kept(inbox: Inbox, database: Database) -> None:
    """P12: it is validly signed, and no event."""
    assert await answered(deliver(inbox, Event(), context={})) == "gate_request"
    assert verdicts(database) == [("refused", "gate_request")]
    assert rows(database, "SELECT seq FROM quarantine") == []


async def test_a_body_that_a_proxy_rewrote_is_told_apart(inbox: Inbox, database: Database) -> None:
    """The sender is told of the signature; the record tells the cause."""
    body, signature = Event().signed()
    assert await answered(inbox.deliver(body.replace(b",", b", "), signature, REMOTE)) == "signature_mismatch"
    assert verdicts(database) == [("quarantined", "body_altered")]


async def test_what_cannot_be_kept_is_asked_for_again(database: Database) -> None:
    """P3: past the caps a body of Livepeer's shape is answered 503, so that the sender comes back."""
    inbox = made(database, caps=Caps(shaped=Cap(1, 10_000)))
    await inbox.start()
    answers = [await answered(deliver(inbox, Event(f"ev-{number}"), secret="another")) for number in range(3)]
    await inbox.stop()
    assert answers == ["signature_mismatch", "overloaded", "overloaded"]
    assert [verdict for verdict, _ in verdicts(database)] == ["quarantined", "refused", "refused"]


async def test_a_flood_of_noise_is_only_counted(inbox: Inbox, database: Database) -> None:
    """Past the rate nothing is stored, and the answer stays the same."""
    answers = Counter([await answered(inbox.deliver(b"noise", None, REMOTE)) for _ in range(100)])
    assert answers == {"signature_missing": 100}
    assert len(verdicts(database)) == 60


async def test_too_many_waiting_is_overload(database: Database) -> None:
    """Beyond the bound a delivery is refused at once; those before it are stored."""
    inbox = made(database, bounds=Bounds(waiting=3))
    await inbox.start()
    answers = await asyncio.gather(*(answered(deliver(inbox, Event(f"ev-{number}"))) for number in range(5)))
    await inbox.stop()
    assert answers == ["taken"] * 3 + ["overloaded"] * 2
    assert rows(database, "SELECT count(*) AS n FROM inbox") == [{"n": 3}]


async def test_too_many_bytes_waiting_is_overload(database: Database) -> None:
    """The bytes that wait are bounded too."""
    inbox = made(database, bounds=Bounds(waiting_bytes=2 * len(Event().body())))
    await inbox.start()
    answers = await asyncio.gather(*(answered(deliver(inbox, Event(f"ev-{number}"))) for number in range(3)))
    await inbox.stop()
    assert answers == ["taken", "taken", "overloaded"]


async def test_room_is_given_back(database: Database) -> None:
    """What was committed waits no longer."""
    inbox = made(database, bounds=Bounds(waiting=1, waiting_bytes=2 * len(Event().body())))
    await inbox.start()
    for number in range(5):
        await deliver(inbox, Event(f"ev-{number}"))
    assert inbox.waiting == 0
    await inbox.stop()


async def test_stopping_stores_all_that_waits(database: Database) -> None:
    """What was taken in before `stop` is acknowledged, what comes after it is not."""
    inbox = made(database, bounds=Bounds(at_once=2))
    await inbox.start()
    waiting = [asyncio.create_task(answered(deliver(inbox, Event(f"ev-{number}")))) for number in range(7)]
    await asyncio.sleep(0)
    await inbox.stop()
    assert await asyncio.gather(*waiting) == ["taken"] * 7
    assert await answered(deliver(inbox, Event("late"))) == "store_unavailable"
    assert rows(database, "SELECT count(*) AS n FROM inbox") == [{"n": 7}]


async def test_before_its_start_nothing_is_taken(database: Database) -> None:
    """A delivery that nobody would commit is refused at once."""
    assert await answered(deliver(made(database), Event())) == "store_unavailable"


async def test_a_closed_store_acknowledges_nothing(inbox: Inbox, database: Database) -> None:
    """P2: a fault of the store is 503 for all that wait."""
    await database.close()
    answers = await asyncio.gather(*(answered(deliver(inbox, Event(f"ev-{number}"))) for number in range(3)))
    assert answers == ["store_unavailable"] * 3


@sqlite_only
async def test_a_store_that_is_gone_is_tried_again(inbox: Inbox, database: Database, database_url: str) -> None:
    """P2: while a folder stands where the file was all is refused; once the file is back, all is well."""
    path = Path(database_url.removeprefix("sqlite:///"))
    await deliver(inbox, Event("before"))
    put_a_folder_in_its_place(path)
    assert await answered(deliver(inbox, Event("during"))) == "store_unavailable"
    put_it_back(path)
    await deliver(inbox, Event("after"))
    assert rows(database, "SELECT body FROM inbox JOIN bodies USING (seq) ORDER BY seq") == [
        {"body": Event("before").body()},
        {"body": Event("after").body()},
    ]


def put_a_folder_in_its_place(path: Path) -> None:
    """The file is still there, under another name."""
    path.rename(path.with_name("aside.db"))
    path.mkdir()


def put_it_back(path: Path) -> None:
    """As if nothing had happened."""
    path.rmdir()
    path.with_name("aside.db").rename(path)


@sqlite_only
async def test_a_full_disk_acknowledges_nothing(inbox: Inbox, database: Database) -> None:
    """P2: a database that may not grow refuses what needs more pages, whole or not at all."""
    await database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 1"))
    event = Event()
    big = "x" * 500_000
    assert await answered(inbox.deliver(*event.signed(payload={"big": big}), REMOTE)) == "store_unavailable"
    await database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 4294967294"))
    assert rows(database, "SELECT seq FROM inbox") == []
    assert await answered(inbox.deliver(*event.signed(payload={"big": big}), REMOTE)) == "taken"


@sqlite_only
async def test_a_lost_store_is_rehearsed_until_it_is_back(inbox: Inbox, database: Database, database_url: str) -> None:
    """A rehearsal fails while deliveries do; then it says that they would not, and leaves nothing behind."""
    path, calls = Path(database_url.removeprefix("sqlite:///")), list[str]()
    inbox.call_when_lost(lambda: calls.append("lost"))
    put_a_folder_in_its_place(path)
    assert await answered(deliver(inbox, Event())) == "store_unavailable"
    with pytest.raises(StoreUnavailable):
        await inbox.rehearse()
    assert (inbox.store_fault is None, calls) == (False, ["lost"])
    put_it_back(path)
    with capture_logs() as lines:
        await inbox.rehearse()
        await inbox.rehearse()
    assert [(line["event"], line["part"]) for line in lines] == [("store.recovered", "inbox")]
    assert (inbox.store_fault, rows(database, "SELECT seq FROM bodies")) == (None, [])


@sqlite_only
async def test_a_delivery_that_is_stored_ends_the_loss(inbox: Inbox, database_url: str) -> None:
    """Nothing is left to be rehearsed."""
    path = Path(database_url.removeprefix("sqlite:///"))
    put_a_folder_in_its_place(path)
    assert await answered(deliver(inbox, Event())) == "store_unavailable"
    put_it_back(path)
    await deliver(inbox, Event())
    assert inbox.store_fault is None


async def test_a_wrong_signature_needs_the_store_too(inbox: Inbox, database: Database) -> None:
    """P3: 401 would be the end of the event, so while its body cannot be kept the answer is 503; noise gets its 401."""
    await database.close()
    assert await answered(deliver(inbox, Event(), secret="another")) == "store_unavailable"
    assert await answered(inbox.deliver(b"noise", None, REMOTE)) == "signature_missing"


async def test_one_that_cannot_be_stored_fails_alone(inbox: Inbox, database: Database) -> None:
    """A row that the database refuses does not take its group with it."""
    database.write_now(refuse_poison)
    names = ["a", "b", "poison", "c"]
    answers = await asyncio.gather(*(answered(deliver(inbox, Event(name))) for name in names))
    assert answers == ["taken", "taken", "store_unavailable", "taken"]
    assert rows(database, "SELECT count(*) AS n FROM inbox") == [{"n": 3}]


def refuse_poison(connection: Connection) -> None:
    """Make the database refuse one event."""
    if connection.dialect.name == "postgresql":
        refuse = "ALTER TABLE bodies ADD CHECK (position('poison'::bytea in body) = 0)"
    else:
        refuse = (
            "CREATE TRIGGER refuse BEFORE INSERT ON bodies WHEN instr(NEW.body, 'poison') "
            "BEGIN SELECT RAISE(ABORT, 'no poison'); END"
        )
    connection.execute(text(refuse))


async def test_a_caller_that_gave_up_harms_nobody(inbox: Inbox, database: Database) -> None:
    """Its delivery is stored all the same, and the others are answered."""
    impatient = asyncio.create_task(deliver(inbox, Event("impatient")))
    patient = asyncio.create_task(deliver(inbox, Event("patient")))
    await asyncio.sleep(0)
    impatient.cancel()
    await patient
    assert len(rows(database, "SELECT seq FROM inbox")) == 2


async def test_refused_deliveries_are_logged(database: Database) -> None:
    """The line says what is wrong and shows what the body claims as a claim; what was only counted is told later."""
    inbox = made(database)
    await inbox.start()
    with capture_logs() as lines:
        for _ in range(62):
            await answered(inbox.deliver(b"noise", None, REMOTE))
        await answered(deliver(inbox, Event(), secret="another"))
        await answered(inbox.deliver(*Event().signed(T0_MS + 400_000), REMOTE))
        await inbox.stop()
    events = Counter(line["event"] for line in lines)
    assert events == {"webhook.quarantined": 61, "webhook.rejected": 1}
    quarantined, rejected = lines[-2:]
    assert (quarantined["code"], quarantined["event_id"], quarantined["verified"], quarantined["unrecorded"]) == (
        "signature_mismatch",
        "ev-1",
        False,
        2,
    )
    assert "RECEIVER_WEBHOOK_SECRETS" in quarantined["detail"]
    assert (rejected["offset_ms"], rejected["unrecorded"], rejected["log_level"]) == (400_000, None, "warning")


async def test_a_fault_of_the_store_is_logged_once(inbox: Inbox, database: Database) -> None:
    """One line for the whole group, with the cause."""
    await database.close()
    with capture_logs() as lines:
        await asyncio.gather(*(answered(deliver(inbox, Event(f"ev-{number}"))) for number in range(3)))
    assert [(line["event"], line["deliveries"]) for line in lines] == [("store.unavailable", 3)]
    assert "is closed" in lines[0]["error"]


@pytest.fixture(scope="module")
def reused_file(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file for all examples of a property."""
    return Path(shutil.copy(migrated_file, tmp_path_factory.mktemp("reused")))


@given(
    deliveries=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("wx"), st.booleans()), max_size=30),
    at_once=st.integers(1, 8),
)
async def test_any_crowd_of_deliveries_is_counted_right(
    reused_file: Path, deliveries: list[tuple[str, str, bool]], at_once: int
) -> None:
    """However they come at once, there are as many signals as distinct events per webhook, and every receipt counts."""
    database = Database.open(f"sqlite:///{reused_file}")
    await database.write(empty)
    inbox = made(database, bounds=Bounds(at_once=at_once))
    await inbox.start()
    genuine = Counter((name, webhook) for name, webhook, signed in deliveries if signed)
    send = partial(deliver, inbox)
    answers = Counter(
        await asyncio.gather(
            *(answered(send(Event(name, webhook), SECRET if signed else "x")) for name, webhook, signed in deliveries)
        )
    )
    await inbox.stop()
    verdicts = Counter(file(database))
    stored = rows(database, "SELECT id, webhook_id, attempts FROM signals")
    await database.close()
    assert answers["taken"] == genuine.total()
    assert {(row["id"], row["webhook_id"]): row["attempts"] for row in stored} == genuine
    assert (verdicts["accepted"], verdicts["duplicate"]) == (len(genuine), genuine.total() - len(genuine))


def empty(connection: Connection) -> None:
    """Remove what an example before has stored."""
    for table in ("signals", "bodies", "deliveries", "pending", "quarantine"):
        connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608


async def test_overload_says_when_to_come_back(database: Database) -> None:
    """P2: 503 carries Retry-After."""
    inbox = made(database, bounds=Bounds(waiting=0))
    await inbox.start()
    with pytest.raises(Overloaded) as caught:
        await deliver(inbox, Event())
    await inbox.stop()
    assert caught.value.headers() == {"Retry-After": "5"}


async def test_a_store_fault_says_when_to_come_back(inbox: Inbox, database: Database) -> None:
    """P2: 503 carries Retry-After here as well."""
    await database.close()
    with pytest.raises(StoreUnavailable) as caught:
        await deliver(inbox, Event())
    assert caught.value.headers() == {"Retry-After": "5"}
