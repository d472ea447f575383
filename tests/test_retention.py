"""What is removed when it has been kept long enough, and what stays."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select

from receiver.clock import ManualClock
from receiver.diagnoser.rebuilding import rebuild
from receiver.diagnosis.values import Limits
from receiver.ids import first_of
from receiver.keeping import DAY_MS, Keeping
from receiver.retention import BELIEVED_AFTER_MS, LEAP_MS, Retention
from receiver.simulation.scenes import MINUTE, go_live, make_recording
from receiver.simulation.sender import Studio
from receiver.storage.engine import Database
from receiver.storage.tables import (
    BaseStateRow,
    BodyRow,
    FailingRow,
    IdempotencyRow,
    OutboxDueRow,
    OutboxRow,
    PackedBodyRow,
    QuarantineRow,
    SignalRow,
    TransitionRow,
    table_of,
)
from tests.commands.stores import ANOTHER, others
from tests.routes.rows import SESSION_ID, add_delivery, add_diagnosis
from tests.running import TOKEN, Running, configured, logged, running, until
from tests.sender import T0_MS

EVENTS = 19
"""Of a broadcast."""


@pytest.fixture
async def service(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    """A service whose clock the test moves; a round of removal has been taken."""
    async with running(configured(database_url, tmp_path), ManualClock(T0_MS), attended=True) as started:
        await started.service.retention.sweep()
        yield started


def studio_of(service: Running, name: str) -> Studio:
    """A sender whose story begins now."""
    return Studio(service.service.clock.now_ms(), Random(name))  # noqa: S311 -- ids of a fiction


async def after(service: Running, days: int) -> Mapping[str, int]:
    """So many days later, what a round removes, without what it does not."""
    clock = service.service.clock
    assert isinstance(clock, ManualClock)
    clock.advance(days * DAY_MS)
    await service.service.beat()
    await service.service.settle()
    if days * DAY_MS > LEAP_MS:
        await service.service.retention.sweep()
        clock.advance(BELIEVED_AFTER_MS)
    removed = await service.service.retention.sweep()
    return {name: count for name, count in removed.items() if count}


async def count(service: Running, declaration: type[Any]) -> int:
    """How many rows a table has."""
    asked = select(func.count()).select_from(table_of(declaration))
    return await service.service.database.read(lambda c: c.execute(asked).scalar_one())


async def broadcast(service: Running, name: str = "broadcast") -> Studio:
    """A whole broadcast, looked at."""
    studio = studio_of(service, name)
    events = [*go_live(studio), studio.idle(MINUTE), *make_recording(studio, MINUTE)]
    await service.pass_time(10 * MINUTE)
    assert {204} == set(await service.deliver(*events))
    await service.service.settle()
    return studio


async def test_nothing_young_is_removed(service: Running) -> None:
    """A day later everything is there, and no line says otherwise."""
    await broadcast(service)
    with logged(service.service.clock) as log:
        assert {} == await after(service, 1)
    assert [] == log.of("retention.removed")
    assert EVENTS == len((await service.get("/v1/deliveries"))["items"])


async def test_deliveries_go_and_the_events_stay(service: Running) -> None:
    """Those that came later stay, too; what is said of the webhook and of the stream is as it was; a list goes on from
    where it was left, though what it showed is gone."""
    studio = await broadcast(service)
    before = await service.get(f"/v1/streams/{studio.stream.id}/events")
    page = await service.get("/v1/deliveries?limit=5")
    assert ["notices_removed", "bodies_compressed"] == list(await after(service, 29))
    await broadcast(service, "later")
    assert {"deliveries_removed": EVENTS} == await after(service, 2)
    assert EVENTS == len((await service.get("/v1/deliveries"))["items"])
    assert [] == (await service.get(f"/v1/deliveries?limit=5&cursor={page['next']}"))["items"]
    assert before == await service.get(f"/v1/streams/{studio.stream.id}/events")
    callers = (await service.get("/v1/webhooks"))["items"]
    assert [("endpoint", 2 * EVENTS), ("webhook", 2 * EVENTS)] == [
        (caller["kind"], caller["accepted"]) for caller in callers
    ]


async def test_notices_that_wait_to_be_told_stay(service: Running) -> None:
    """However old."""
    notice = {"seq": first_of(T0_MS), "at_ms": T0_MS, "kind": "diagnosis.opened", "payload": "{}"}
    database = service.service.database
    await database.write(lambda c: c.execute(insert(OutboxRow).values(notice)))
    await database.write(lambda c: c.execute(insert(OutboxDueRow).values(outlet="another", seq=notice["seq"])))
    assert {} == await after(service, 400)
    await database.write(lambda c: c.execute(delete(OutboxDueRow)))
    assert {"notices_removed": 1} == await after(service, 0)


async def test_a_resolved_diagnosis_goes_after_a_year(service: Running) -> None:
    """With all that it went through."""
    await service.report(kind="publish_intent", stream_id="never-started")
    await service.pass_time(3 * MINUTE)
    [found] = (await service.get("/v1/diagnoses"))["items"]
    await after(service, 1)
    assert "diagnoses_removed" not in await after(service, 364)
    assert 2 == len((await service.get(f"/v1/diagnoses/{found['id']}"))["transitions"])
    assert 1 == (await after(service, 2))["diagnoses_removed"]
    assert 404 == (await service.ask(f"/v1/diagnoses/{found['id']}"))[0]
    assert 0 == await count(service, TransitionRow)


async def test_the_quarantine_stays_while_our_endpoint_refuses(service: Running) -> None:
    """What is held is what the right secret will bring back; when that is over, what is a month old goes."""
    await service.deliver(*others(2), secret=ANOTHER)
    await after(service, 29)
    await service.deliver(*others(6)[3:], secret=ANOTHER)
    await service.service.settle()
    assert [("webhook_not_firing", "SignatureMismatch")] == await service.diagnosed()
    clock = service.service.clock
    assert isinstance(clock, ManualClock)
    clock.advance(DAY_MS - 1)
    removed = await after(service, 0)
    clock.advance(DAY_MS)
    assert (None, 5) == (removed.get("quarantined_removed"), await count(service, QuarantineRow))
    assert (2, 3) == ((await after(service, 0))["quarantined_removed"], await count(service, QuarantineRow))


async def test_a_key_stands_for_its_observation_as_long_as_events_are_kept(service: Running) -> None:
    """Then it means nothing any more."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": "once"}
    body = {"kind": "playback_ok", "stream_id": "watched"}
    async with service.http.post(f"{service.url}/v1/observations", json=body, headers=headers) as answer:
        assert 201 == answer.status
    await after(service, 89)
    assert 1 == await count(service, IdempotencyRow)
    assert 1 == (await after(service, 2))["idempotency_keys_removed"]


async def test_a_round_is_one_line(service: Running) -> None:
    """However many batches it took."""
    for number in range(15):
        await broadcast(service, f"broadcast {number}")
    with logged(service.service.clock) as log:
        removed = await after(service, 31)
    [line] = log.of("retention.removed")
    assert (15 * EVENTS, removed) == (line["deliveries_removed"], {k: v for k, v in line.items() if k in removed})


async def test_it_works_by_itself(database: Database) -> None:
    """Batch after batch, while others write; then it waits for the next round."""
    old = [{"seq": number, "at_ms": 0, "kind": "diagnosis.opened", "payload": "{}"} for number in range(1, 1001)]
    await database.write(lambda c: c.execute(insert(OutboxRow), old))
    retention = Retention(database, ManualClock(T0_MS), Keeping(), Limits())
    with logged() as log:
        await retention.start()
        await until(lambda: log.of("retention.removed"))
        await retention.stop()
    assert (1000, []) == (log.of("retention.removed")[0]["notices_removed"], log.of("service.fault"))


async def test_what_fails_does_not_keep_the_others(database: Database) -> None:
    """A base that no longer reads is a fault, told of; notices go all the same."""
    spoiled = {"kind": "endpoint", "id": "endpoint", "position": "", "folded_count": 0, "folded": "no state"}
    await database.write(lambda c: c.execute(insert(BaseStateRow).values(spoiled)))
    await database.write(lambda c: add_delivery(c, 1))
    await database.write(lambda c: c.execute(insert(OutboxRow).values(seq=1, at_ms=0, kind="x", payload="{}")))
    retention = Retention(database, ManualClock(T0_MS), Keeping(), Limits())
    with logged() as log:
        await retention.start()
        await until(lambda: log.of("retention.removed"))
        await retention.stop()
    assert ["retention"] == [line["part"] for line in log.of("service.fault")]
    assert (0, 1) == tuple(log.of("retention.removed")[0][f"{name}_removed"] for name in ("deliveries", "notices"))


async def test_what_was_passed_over_is_looked_at_again(database: Database) -> None:
    """Not in each round, for it may be much; a day later."""
    clock = ManualClock(T0_MS)
    await database.write(lambda c: add_diagnosis(c, 1, status="resolved", resolution="manual", resolved_ms=0))
    subject = {"kind": "session", "id": SESSION_ID, "condition": "recording_not_available"}
    await database.write(lambda c: c.execute(insert(FailingRow).values(subject)))
    retention = Retention(database, clock, Keeping(), Limits())
    await retention.sweep()
    await database.write(lambda c: c.execute(delete(FailingRow)))
    assert 0 == (await retention.sweep())["diagnoses_removed"]
    clock.advance(DAY_MS)
    assert 1 == (await retention.sweep())["diagnoses_removed"]


async def test_events_go_and_what_is_said_of_their_stream_stays(service: Running) -> None:
    """They are found no more, and lists go on from where they were left; what was concluded from them is as it was,
    also when it is concluded anew, and the stream's next broadcast goes on from there."""
    studio = await broadcast(service)
    events = f"/v1/streams/{studio.stream.id}/events"
    page = await service.get(f"{events}?limit=5")
    event_id = page["items"][0]["id"]
    assert "events_removed" not in await after(service, 89)
    before = await service.get(f"/v1/streams/{studio.stream.id}")
    assert 200 == (await service.ask(f"/v1/events/{event_id}"))[0]
    assert EVENTS == (await after(service, 2))["events_removed"]
    assert 404 == (await service.ask(f"/v1/events/{event_id}"))[0]
    assert [[], []] == [(await service.get(path))["items"] for path in (events, f"{events}?cursor={page['next']}")]
    assert before == await service.get(f"/v1/streams/{studio.stream.id}")
    assert 0 == rebuilt(service)
    now_ms = service.service.clock.now_ms() - studio.start_ms
    assert {204} == set(await service.deliver(*go_live(studio, now_ms)))
    await service.service.settle()
    assert "live" == (await service.get(f"/v1/streams/{studio.stream.id}"))["state"]
    assert (3, 0) == (len((await service.get(events))["items"]), rebuilt(service))


def rebuilt(service: Running) -> int:
    """How many subjects come out differently when all is concluded anew."""
    made = service.service
    return rebuild(made.database, made.membership.ids, made.clock, made.settings.limits()).differing


async def test_deliveries_are_taken_in_while_old_ones_are_removed(service: Running) -> None:
    """Each is on disk when it is answered, and none of them goes with the old."""
    for number in range(10):
        await broadcast(service, f"old {number}")
    await after(service, 88)
    clock = service.service.clock
    assert isinstance(clock, ManualClock)
    clock.advance(3 * DAY_MS)
    studios = [studio_of(service, f"new {number}") for number in range(10)]
    sweep = asyncio.create_task(service.service.retention.sweep())
    answers = [await service.deliver(*go_live(studio)) for studio in studios]
    removed = await sweep
    await service.service.settle()
    assert ({204}, 10 * EVENTS) == ({status for one in answers for status in one}, removed["events_removed"])
    assert (30, 0) == (await count(service, SignalRow), rebuilt(service))


REMOVER = """
import sys
from receiver.clock import ManualClock
from receiver.diagnoser.rebuilding import rebuild
from receiver.diagnosis.values import Limits
from receiver.keeping import Keeping
from receiver.retention import chores
from receiver.storage.engine import Database
database, after = Database.open(sys.argv[1]), 0
[events, *_] = chores(Keeping(), Limits())
while True:
    step = database.write_now(lambda c: events.work(c, after, int(sys.argv[2])))
    print(step.removed, flush=True)
    after = step.reached or 0
"""


async def test_removal_that_is_killed_leaves_a_whole_store(database_url: str, tmp_path: Path) -> None:
    """After any batch: what is left, and what stands for the rest, give what was concluded; the next round goes on."""
    clock, settings = ManualClock(T0_MS), configured(database_url, tmp_path)
    async with running(settings, clock, attended=True) as service:
        for number in range(20):
            await broadcast(service, f"broadcast {number}")
    later_ms = clock.now_ms() + 91 * DAY_MS
    remover = await asyncio.create_subprocess_exec(
        sys.executable, "-c", REMOVER, database_url, str(later_ms), stdout=asyncio.subprocess.PIPE
    )
    assert remover.stdout is not None
    assert b"64\n" == await remover.stdout.readline()
    remover.kill()
    await remover.wait()
    clock.set(later_ms)
    async with running(settings, clock, attended=True) as service:
        left = await count(service, SignalRow)
        assert (0, left) == (rebuilt(service), (await service.service.retention.sweep())["events_removed"])
        assert (0, True) == (rebuilt(service), left < 20 * EVENTS)


async def test_old_bodies_are_compressed_and_shown_as_they_came(service: Running) -> None:
    """After two days; a repeated observation under its key, too, is answered with what was stored."""
    studio = await broadcast(service)
    headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": "once"}
    report = {"kind": "playback_error", "stream_id": studio.stream.id, "message": "stream is offline " * 20}

    async def reported() -> object:
        async with service.http.post(f"{service.url}/v1/observations", json=report, headers=headers) as answer:
            return await answer.json()

    said = await reported()
    assert EVENTS + 1 == (await after(service, 3))["bodies_compressed"]
    assert (said, 0, EVENTS + 1) == (
        await reported(),
        await count(service, BodyRow),
        await count(service, PackedBodyRow),
    )
    for event in (await service.get(f"/v1/streams/{studio.stream.id}/events"))["items"]:
        assert (await service.get(f"/v1/events/{event['id']}"))["body"] is not None
    assert (0, {}) == (rebuilt(service), await after(service, 0))


async def test_two_processes_may_remove_at_once(database_url: str, tmp_path: Path) -> None:
    """On a server, where there may be several: what one has removed the other does not miss, and each row is counted
    once."""
    clock, settings = ManualClock(T0_MS), configured(database_url, tmp_path)
    async with running(settings, clock, attended=True) as service:
        for number in range(20):
            await broadcast(service, f"broadcast {number}")
        clock.advance(91 * DAY_MS)
        await service.service.settle()
        databases = [Database.open(database_url) for _ in range(2)]
        others = [Retention(database, clock, Keeping(), Limits()) for database in databases]
        at_once = await asyncio.gather(*(other.sweep() for other in others))
        for database in databases:
            await database.close()
        rest = await service.service.retention.sweep()
        for kind in ("events_removed", "deliveries_removed"):
            assert 20 * EVENTS == sum(removed[kind] for removed in (*at_once, rest))
        assert (0, 0) == (await count(service, SignalRow), rebuilt(service))


async def test_a_clock_that_leaps_is_not_believed_at_once(database: Database) -> None:
    """It may be wrong, and what is removed does not come back: it must have been right for an hour, or go back."""
    clock = ManualClock(T0_MS)
    retention = Retention(database, clock, Keeping(), Limits())
    await retention.sweep()
    await database.write(lambda c: add_delivery(c, first_of(T0_MS)))
    removed = []
    for ms in (LEAP_MS * 10, BELIEVED_AFTER_MS - 1, 1 - LEAP_MS * 10, LEAP_MS * 10, 1, BELIEVED_AFTER_MS):
        clock.set(clock.now_ms() + ms)
        removed.append((await retention.sweep())["deliveries_removed"])
    assert [0, 0, 0, 0, 0, 1] == removed


async def test_a_clock_that_goes_on_is_believed(database: Database) -> None:
    """Round after round."""
    clock = ManualClock(T0_MS)
    retention = Retention(database, clock, Keeping(), Limits())
    await database.write(lambda c: add_delivery(c, first_of(T0_MS)))
    removed = []
    for _ in range(5):
        removed.append((await retention.sweep())["deliveries_removed"])
        clock.advance(LEAP_MS)
    assert [0, 0, 0, 0, 0] == removed
    assert 1 == (await retention.sweep())["deliveries_removed"]
