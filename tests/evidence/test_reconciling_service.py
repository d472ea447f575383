"""Reconciliation as a part of the service: on a schedule, by one of several, and with what it sees of the webhooks."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import text

from receiver.clock import ManualClock
from receiver.diagnosis.looks import WebhookLook
from receiver.evidence.reconciling.schedule import LEASE, LEASE_MS, Reconciliation
from receiver.ids import Ids
from receiver.sightings import read_look
from receiver.storage import bases, leases
from receiver.storage.cases import next_deadline_ms
from receiver.storage.engine import Database
from tests.evidence.days import HOUR_MS, MINUTE_MS, WEBHOOK_ID, Told, World, settings_of, told, with_secret, world
from tests.evidence.reading import Room, room, story
from tests.running import SECRET, Running, logged, running, soon, until
from tests.sender import T0_MS
from tests.studio_faults import HANG
from tests.studio_faults import failing as broken
from tests.studio_rows import stream_row

WRONG = "whsec_that-is-not-the-webhook's"


@asynccontextmanager
async def refusing(url: str, folder: Path, names: list[str]) -> AsyncIterator[World]:
    """A service that has lost the first hour of these stories to a wrong secret, and has the right one now."""
    async with world(told(T0_MS + MINUTE_MS, 0, names)) as around:
        settings = settings_of(url, folder, around.studio)
        async with around.up(settings, with_secret(WRONG)):
            await around.until(T0_MS + HOUR_MS)
        async with around.up(settings):
            yield around


@asynccontextmanager
async def existing(
    url: str, folder: Path, events: Sequence[Told], failing: str = ""
) -> AsyncIterator[tuple[World, Running]]:
    """A service that is told these events; those of a name are answered 404 by something before it."""
    async with world(events) as around, around.up(settings_of(url, folder, around.studio)) as service:
        if failing:
            around.lost = frozenset({failing})
        yield around, service


async def test_what_was_reconciled_can_be_seen(sqlite_url: str, tmp_path: Path) -> None:
    """Over REST: each delivery says so. The webhook is known, and none of this was a call of it."""
    async with refusing(sqlite_url, tmp_path, ["no-recording"]) as around:
        assert around.service is not None
        report = await around.reconcile()
        deliveries = (await around.service.get("/v1/deliveries?verdict=accepted"))["items"]
        kinds = {one["kind"]: one for one in (await around.service.get("/v1/webhooks"))["items"]}
        [stream] = (await around.service.get("/v1/streams"))["items"]
        event = await around.service.get(f"/v1/events/{deliveries[0]['event_id']}")
    assert {("reconciled", "studio_api")} == {(one["code"], one["remote"]) for one in deliveries}
    assert report.taken_in == len(deliveries) > 0
    assert (0, None) == (kinds["webhook"]["accepted"], kinds["webhook"]["last_delivery_at"])
    assert (0, True) == (kinds["endpoint"]["accepted"], kinds["endpoint"]["refused"] > 0)
    assert "idle" == stream["state"]
    assert 1 == event["attempts"]


async def test_what_was_never_fired(sqlite_url: str, tmp_path: Path) -> None:
    """A recording is ready that was never queued: the log has no such event. Where the log has it, it is taken in."""
    events = told(T0_MS + MINUTE_MS, 0, ["healthy"])
    missing = next(one for one in events if one.event.name == "recording.waiting")
    async with existing(sqlite_url, tmp_path, [one for one in events if one is not missing]) as (around, service):
        await around.until(T0_MS + HOUR_MS)
        assert ("webhook_not_firing", "EventsMissing") in await service.diagnosed()
        first = await around.reconcile()
    [never] = first.never_fired
    assert (WEBHOOK_ID, "recording.waiting", 0) == (never.webhook_id, never.event, first.missing)
    assert never.session_id in missing.event.body(WEBHOOK_ID, 0).decode()


async def test_what_was_fired_before_is_found_for_a_gap(sqlite_url: str, tmp_path: Path) -> None:
    """A stream lacks an event that was refused before the time that is read: it is looked for, and taken in."""
    events = told(T0_MS + MINUTE_MS, 0, ["healthy"])
    async with existing(sqlite_url, tmp_path, events, failing="recording.waiting") as (around, service):
        await around.until(T0_MS + HOUR_MS)
        assert ("webhook_not_firing", "EventsMissing") in await service.diagnosed()
        database = service.service.database
        moved = partial(bases.move_bookmark, name=bases.RECONCILED, seq=around.clock.now_ms() - MINUTE_MS)
        await database.write(moved)
        report = await around.reconcile()
        assert ("webhook_not_firing", "EventsMissing") not in await service.diagnosed()
    assert ((), 1, 1) == (report.never_fired, report.missing, report.taken_in)


def looks(here: Room) -> list[Any]:
    """The snapshots of webhooks that are stored."""
    query = "SELECT b.body AS body FROM signals s JOIN bodies b ON b.seq = s.seq WHERE s.kind = 'snapshot.webhook'"
    rows = here.database.read_now(lambda c: c.execute(text(f"{query} ORDER BY s.seq")).all())
    looks = [read_look(bytes(row.body)) for row in rows]
    return [look for look in looks if isinstance(look, WebhookLook)]


async def test_a_snapshot_of_each_webhook_is_noted(database: Database) -> None:
    """As the API has it, without secrets; its private URL is not asked."""
    async with room(database) as here:
        here.webhook["url"] = here.webhook["url"].replace("http://", "http://user:planted-password@")
        here.studio.add(here.studio.streams, stream_row(isActive=True, lastSeen=T0_MS + 5))
        await here.tell(story()[0])
        here.waits.clock.advance(120_000)
        await Reconciliation(here.by, 900).once()
        [look] = looks(here)
        assert ["POST"] == here.sink.came
    assert ("found", False, None, "ours", T0_MS + 5) == (
        look.standing, look.url_public, look.redirects, look.secret, look.active_ms,
    )  # fmt: skip
    assert ("planted" in str(look), T0_MS + 1000, T0_MS + 1000, 401) == (
        False, look.triggered_ms, look.failed_ms, look.failed_status,
    )  # fmt: skip
    assert here.webhook["projectId"] == look.project
    assert sorted(here.webhook["events"]) == list(look.events)


async def test_of_a_suspended_account(sqlite_url: str, tmp_path: Path) -> None:
    """Every call says so: that is what is known of the webhooks."""
    async with existing(sqlite_url, tmp_path, told(T0_MS + MINUTE_MS, 0, ["no-recording"])) as (around, service):
        await around.until(T0_MS + HOUR_MS)
        for name, credential in around.studio.keys.items():
            around.studio.keys[name] = replace(credential, suspended=True)
        report = await around.reconcile()
        assert ("webhook_not_firing", "UserSuspended") in await service.diagnosed()
    assert "studio_user_suspended" == report.failure


async def test_one_of_several_does_it(database: Database) -> None:
    """The others leave it to that one, until it has ended."""
    async with room(database) as here:
        await here.tell(story()[0])
        here.waits.clock.advance(120_000)
        other = Reconciliation(replace(here.by, ids=Ids(here.waits.clock, node=4)), 900)
        now_ms = here.waits.clock.now_ms()
        database.write_now(lambda c: leases.take(c, LEASE, 3, now_ms, LEASE_MS))
        assert await other.once() is None
        assert await Reconciliation(here.by, 900).once() is not None
        assert await other.once() is not None
        assert 1 == len(here.stored())


async def test_it_begins_by_itself(database: Database) -> None:
    """A moment after the start; what was done, and what failed once, stands in the log."""
    async with room(database) as here:
        await here.tell(*story())
        here.waits.clock.advance(120_000)
        with logged(ManualClock(T0_MS)) as log:
            at_work = Reconciliation(here.by, 0.01, start_after_s=0.01)
            await at_work.start()
            await until(lambda: log.of("reconciliation.done"))
            here.studio.faults["/webhook"] = broken(500)
            here.waits.clock.advance(MINUTE_MS)
            await until(lambda: log.of("reconciliation.failed"))
            asked = len(here.studio.asked)
            await until(lambda: len(here.studio.asked) > asked + 8)
            await at_work.stop()
    [done], [failed] = log.of("reconciliation.done"), log.of("reconciliation.failed")
    assert (len(story()), len(story()), 0) == (done["missing"], done["taken_in"], done["unanswered"])
    assert "studio_unavailable" == failed["code"]


async def test_stopping_does_not_wait_for_the_api(database: Database) -> None:
    """What is at hand is given up."""
    async with room(database) as here:
        here.studio.faults["/webhook"] = HANG
        at_work = Reconciliation(here.by, 900, start_after_s=0)
        await at_work.start()
        await until(lambda: here.studio.asked)
        async with asyncio.timeout(0.25):
            await at_work.stop()


async def test_what_is_no_news_makes_nobody_due(sqlite_url: str, tmp_path: Path) -> None:
    """A time that was covered anyway is read every quarter of an hour; only of another is all that waits looked at."""
    events = told(T0_MS + MINUTE_MS, 0, ["recording-overdue"])
    async with existing(sqlite_url, tmp_path, events) as (around, service):
        await around.until(T0_MS + 10 * MINUTE_MS)
        await around.reconcile()
        await around.until(around.clock.now_ms() + MINUTE_MS)
        due_ms = await service.service.database.read(next_deadline_ms)
        assert service.service.reconciliation is not None
        await service.service.reconciliation.once()
        assert due_ms == await service.service.database.read(next_deadline_ms)
        assert due_ms is not None
        assert due_ms > around.clock.now_ms()


async def test_without_a_key_there_is_none(sqlite_url: str, tmp_path: Path) -> None:
    """Nothing that worked before needs it."""
    async with world() as around:
        settings = settings_of(sqlite_url, tmp_path, around.studio).model_copy(update={"studio_api_key": None})
        async with around.up(settings) as service:
            assert service.service.reconciliation is None


async def test_it_starts_and_stops_with_the_service(sqlite_url: str, tmp_path: Path) -> None:
    """Where there is a key."""
    async with world() as around:
        settings = settings_of(sqlite_url, tmp_path, around.studio)
        async with running(settings, around.clock) as service:
            reconciliation = service.service.reconciliation
            assert reconciliation is not None
            assert reconciliation.running
        assert not reconciliation.running


async def test_a_service_takes_in_what_it_missed(sqlite_url: str, tmp_path: Path) -> None:
    """Started for real, with its own schedule."""
    async with refusing(sqlite_url, tmp_path, ["no-recording"]) as around:
        assert around.service is not None
        service = around.service

        async def streams() -> list[Any]:
            return list((await service.get("/v1/streams"))["items"])

        assert service.service.reconciliation is not None
        quick = Reconciliation(service.service.reconciliation.by, 900, start_after_s=0)
        await service.service.diagnoser.start()
        await quick.start()
        assert 1 == len(await soon(streams))
        await quick.stop()


async def test_no_secret_comes_out(sqlite_url: str, tmp_path: Path) -> None:
    """Not the shared secret, the key, or what bodies hold: neither in the log nor in what is told of it."""
    with logged() as log:
        async with refusing(sqlite_url, tmp_path, ["no-recording"]) as around:
            for rows in around.studio.sender.logs.values():
                for row in rows:
                    row["request"]["body"] = row["request"]["body"].replace("town-hall", "planted-in-body")
            report = await around.reconcile()
            key = next(iter(around.studio.keys))
    told_of = repr(report) + log.getvalue()
    assert not [secret for secret in (SECRET, WRONG, key, "planted-in-body") if secret in told_of]
    assert report.taken_in
