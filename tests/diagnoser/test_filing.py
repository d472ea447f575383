"""What was taken in goes to its place in the log, whatever happens on the way."""

from collections import Counter

import pytest
from sqlalchemy import Connection, delete, text
from structlog.testing import capture_logs

from receiver.delivery_log import log_filed
from receiver.diagnoser import Diagnoser
from receiver.livepeer.signature import Keyring
from receiver.simulation.scenes import MINUTE
from receiver.storage.tables import BodyRow, DeliveryRow, InboxRow, PendingRow, SignalRow, SubjectRow
from tests.diagnoser.telling import arrive, told, town_hall
from tests.diagnoser.world import SECRET, World
from tests.sender import T0_MS, Event


def refuse_poison(connection: Connection) -> None:
    """Make the database refuse one event."""
    trigger = "CREATE TRIGGER refuse BEFORE INSERT ON signals WHEN NEW.id = 'poison'"
    connection.execute(text(f"{trigger} BEGIN SELECT RAISE(ABORT, 'no poison'); END"))


def diagnoser(made: World) -> Diagnoser:
    """One that logs what it files."""
    return Diagnoser(made.database, made.ids, made.clock, made.limits, on_filed=log_filed)


def test_a_pass_files_what_was_taken_in(made: World) -> None:
    """P3: each event once, each delivery with its verdict; the inbox is empty, and nothing waits."""
    studio = town_hall()
    started, idle = told(studio.started(0), studio.idle(MINUTE))
    arrive(made, [started, idle, started], [started])
    assert Counter({"stream.started": 3, "stream.idle": 1}) == Counter(
        {row["kind"]: row["attempts"] for row in made.signals()}
    )
    assert ["accepted", "accepted", "duplicate", "duplicate"] == [
        row["verdict"] for row in made.rows(DeliveryRow, "seq")
    ]
    assert [[], []] == [made.rows(InboxRow), made.rows(PendingRow)]


def test_what_has_lost_its_body_is_filed_all_the_same(made: World) -> None:
    """It holds up nothing that came with it, wherever it stands among that."""
    made.remember = False
    events = told(*(town_hall(seed).started(0) for seed in range(3)))
    lost = [arrival.seq for arrival in made.deliver(*events)][1]
    made.database.write_now(lambda c: c.execute(delete(BodyRow).where(BodyRow.seq == lost)))
    made.settle()
    assert [None, "not_understood", None] == [row["flag"] for row in made.rows(SignalRow, "seq")]
    assert [] == made.rows(InboxRow)


def test_a_rebuild_leaves_the_inbox_to_who_serves(made: World) -> None:
    """A replay beside a service takes no delivery from it, whose log is to tell of it."""
    made.deliver(*told(town_hall().started(0)))
    made.rebuild()
    assert 1 == len(made.rows(InboxRow))
    assert [] == made.signals()


async def test_a_pass_that_fails_files_all_the_same(made: World) -> None:
    """A defect in what is judged keeps no event from the log; once it is gone, the event is judged."""
    studio = town_hall()
    arrive(made, told(studio.started(0)))
    coverage = text("UPDATE coverage SET until_ms = 'soon'")
    made.database.write_now(lambda c: c.execute(coverage))
    made.deliver(*told(studio.idle(MINUTE)))
    with pytest.raises(TypeError):
        await diagnoser(made).settle()
    assert ["stream.started", "stream.idle"] == [row["kind"] for row in made.signals()]
    made.database.write_now(lambda c: c.execute(text(f"UPDATE coverage SET until_ms = {made.now_ms}")))  # noqa: S608 -- ours
    made.settle()
    assert {"idle"} == {row["state"] for row in made.rows(SubjectRow) if row["kind"] == "stream"}


async def test_what_the_log_refuses_is_kept_as_it_came(made: World) -> None:
    """P1: it was acknowledged. Those that came with it are not held up, and the line says what is the matter."""
    made.database.write_now(refuse_poison)
    bodies = [Event(name).body() for name in ("a", "poison", "b")]
    made.deliver(*bodies)
    with capture_logs() as lines, pytest.raises(Exception, match="no poison"):
        await diagnoser(made).settle()
    kept = {row["seq"]: row["body"] for row in made.rows(BodyRow)}
    assert [("a", None, bodies[0]), ("b", None, bodies[2]), ("raw", "not_understood", bodies[1])] == sorted(
        (row["id"].partition("_")[0], row["flag"], kept[row["seq"]]) for row in made.signals()
    )
    assert ["webhook.accepted"] * 3 == [line["event"] for line in lines]
    assert "the database does not take what it says" in lines[1]["detail"]
    assert [] == made.rows(InboxRow)


async def test_what_was_taken_in_last_is_filed_on_a_stop(made: World) -> None:
    """And judged after the next start."""
    made.deliver(*told(town_hall().started(0)))
    await diagnoser(made).stop()
    assert ["stream.started"] == [row["kind"] for row in made.signals()]
    made.restart()
    made.settle()
    assert {"live"} == {row["state"] for row in made.rows(SubjectRow) if row["kind"] == "stream"}


async def test_filed_deliveries_are_logged(made: World) -> None:
    """One line for each, behind the commit, with what leads back to it."""
    made.clock.set(T0_MS)
    body, signature = Event().signed(secret=SECRET)
    made.deliver(body, body)
    with capture_logs() as lines:
        await diagnoser(made).settle()
    line = {
        "log_level": "info",
        "detail": None,
        "event_id": "ev-1",
        "event_name": "stream.started",
        "webhook_id": "wh-1",
        "stream_id": "7c1ea8c3",
        "session_id": None,
        "created_at": "2024-09-12T15:00:00.000Z",
        "sent_at": "2024-09-12T15:00:00.000Z",
        "received_at": "2024-09-12T15:00:00.000Z",
        "remote": "test",
        "bytes": len(body),
        "secret_id": Keyring([SECRET]).match(body, [signature.partition("v1=")[2]]),
    }
    assert [
        {"event": "webhook.accepted", "code": "stored", **line},
        {"event": "webhook.duplicate", "code": "repeated", **line},
    ] == lines


async def test_what_others_conclude_is_filed_together(made: World) -> None:
    """A hundred at once cost little more than one: no short passes, which only those who wait for conclusions need."""
    filed: list[int] = []
    only_files = Diagnoser(made.database, made.ids, made.clock, None, on_filed=lambda some: filed.append(len(some)))
    only_files.stored(made.deliver(*(told(town_hall(seed).started(0))[0] for seed in range(100))))
    await only_files.settle()
    assert [100] == filed
