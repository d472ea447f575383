"""The whole service, as its callers meet it: real deliveries over a real socket into a real store."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import aiohttp
import pytest
from sqlalchemy import text

from receiver.clock import ManualClock, SystemClock
from receiver.livepeer.signature import sign
from receiver.simulation.scenes import go_live
from receiver.simulation.sender import Attempt, Event, Studio, attempt
from receiver.simulation.stories import build
from receiver.storage import coverage
from receiver.storage.engine import Database
from tests.engines import sqlite_only
from tests.running import RAW_TOKEN, SECRET, Log, Running, configured, logged, running, soon, until
from tests.sender import T0_MS

MINUTE_MS = 60_000
NOT_QUEUED = ("recording_not_available", "RecordingNotQueued")
PUBLISHED = "7c1ea8c3-7aeb-4789-9460-a106bfc33508"
AT_ONCE = {"publish_start_within_s": 0.05, "delivery_grace_s": 0.05}
"""Limits that pass within a test."""


@pytest.fixture
def log() -> Iterator[Log]:
    """The log, with the machine's time."""
    with logged() as lines:
        yield lines


def studio_at(start_ms: int) -> Studio:
    """A sender with one stream that records."""
    return Studio(start_ms, Random("test_app"))  # noqa: S311 -- ids of a fiction


def ended(studio: Studio) -> list[Event]:
    """A broadcast whose recording is never heard of."""
    return [*go_live(studio), studio.idle(5 * MINUTE_MS)]


async def test_from_a_signed_delivery_to_a_diagnosis(database_url: str, tmp_path: Path, log: Log) -> None:
    """Deliveries in; over REST: the stream, its session, the diagnosis with cause, fix and evidence; one line in the
    log for each step."""
    clock = ManualClock(T0_MS)
    studio = studio_at(T0_MS)
    async with running(configured(database_url, tmp_path), clock, attended=True) as service:
        await service.pass_time(5 * MINUTE_MS)
        assert [204, 204, 204, 204] == await service.deliver(*ended(studio))
        await service.pass_time(1000)
        assert [] == await service.diagnosed()
        await service.pass_time(9 * MINUTE_MS)
        assert [NOT_QUEUED] == await service.diagnosed()
        stream = await service.get(f"/v1/streams/{studio.stream.id}")
        [session] = stream["sessions"]
        [diagnosis] = stream["diagnoses"]
    assert ("idle", "missing", "open") == (stream["state"], session["state"], diagnosis["status"])
    assert "stream.idle" in diagnosis["fix"]
    assert diagnosis["evidence"]
    assert session["id"] == diagnosis["session_id"]
    [opened] = log.of("diagnosis.opened")
    assert (diagnosis["id"], studio.stream.id) == (opened["diagnosis_id"], opened["stream_id"])
    assert {"webhook.accepted": 4, "stream.state_changed": 1, "recording.state_changed": 2} == {
        name: count
        for name, count in Counter(log.events()).items()
        if name in {"webhook.accepted", "stream.state_changed", "recording.state_changed"}
    }


async def test_it_diagnoses_by_itself(database_url: str, tmp_path: Path, log: Log) -> None:
    """In real time nobody needs to ask: a deadline passes, the diagnosis opens, and the log says so."""
    async with running(configured(database_url, tmp_path, **AT_ONCE), SystemClock()) as service:
        await service.report(kind="publish_intent", stream_id=PUBLISHED)
        assert [("rtmp_push_rejected", "PublishNotStarted")] == await soon(service.diagnosed)
        await until(lambda: log.of("diagnosis.opened"))
        started = studio_at(service.service.clock.now_ms()).started(0)
        refuting = {**(started.stream or {}), "id": PUBLISHED}
        event = Event(started.id, started.name, started.created_ms, 0, refuting)
        assert [204] == await service.deliver(event)
        assert await soon(lambda: service.diagnosed("resolved"))
        await until(lambda: log.of("diagnosis.resolved"))


async def test_an_attended_service_does_nothing_by_itself(database_url: str, tmp_path: Path) -> None:
    """Whoever moves the clock says when to look."""
    clock = ManualClock(T0_MS)
    async with running(configured(database_url, tmp_path), clock, attended=True) as service:
        await service.report(kind="publish_intent", stream_id=PUBLISHED)
        clock.advance(5 * MINUTE_MS)
        await asyncio.sleep(0.05)
        assert [] == await service.diagnosed()
        assert not service.service.diagnoser.health.running


async def test_it_is_ready_when_it_runs(database_url: str, tmp_path: Path) -> None:
    """`/readyz` says that the store can be used and that the diagnoser runs and is not behind."""
    async with running(configured(database_url, tmp_path), SystemClock()) as service:
        await soon(lambda: ready(service))
        status, readiness, _ = await service.ask("/readyz", token=None)
    assert 200 == status
    assert {"running": True, "pending": 0, "lag_ms": None, "faults": 0} == readiness["diagnoser"]


async def ready(service: Running) -> bool:
    """Whether it says so."""
    return (await service.ask("/readyz", token=None))[0] == 200


async def test_coverage_reaches_from_start_to_stop(database_url: str, tmp_path: Path) -> None:
    """What passes between two runs is a gap; within a run, silence means something (P6)."""
    clock, settings = ManualClock(T0_MS), configured(database_url, tmp_path)
    async with running(settings, clock, attended=True):
        clock.advance(5_000)
    clock.advance(60_000)
    async with running(settings, clock, attended=True):
        clock.advance(7_000)
    database = Database.open(database_url)
    assert ((T0_MS, T0_MS + 5_000), (T0_MS + 65_000, T0_MS + 72_000)) == database.read_now(coverage.load)
    database.close_now()


async def test_a_stop_loses_nothing_that_was_acknowledged(database_url: str, tmp_path: Path) -> None:
    """P1: told to stop in the middle of a burst, it answers what it has taken in, and that is there afterwards."""
    story = build("healthy", SystemClock().now_ms(), 1)
    events = [step.event for step in story.steps if hasattr(step, "event")]
    async with running(configured(database_url, tmp_path), SystemClock()) as service:
        burst = [asyncio.create_task(answered(service, event)) for event in events]
        await until(lambda: any(task.done() for task in burst))
        stopping = asyncio.create_task(service.runner.cleanup())
        acknowledged = {event_id for event_id, status in await asyncio.gather(*burst) if status == 204}
        await stopping
    database = Database.open(database_url)
    stored = set(
        database.read_now(lambda connection: connection.execute(text("SELECT id FROM signals")).scalars().all())
    )
    database.close_now()
    assert acknowledged
    assert acknowledged <= stored


async def answered(service: Running, event: Event) -> tuple[str, int | None]:
    """The event's id, and the status of the answer, None where there was none."""
    try:
        return event.id, (await service.deliver(event))[0]
    except aiohttp.ClientError:
        return event.id, None


async def test_what_was_left_untold_is_told_after_a_restart(database_url: str, tmp_path: Path, log: Log) -> None:
    """P7: a diagnosis that a killed process could not log any more is logged by the next, once."""
    clock, settings = ManualClock(T0_MS), configured(database_url, tmp_path)
    async with running(settings, clock, attended=True) as service:
        await service.report(kind="publish_intent", stream_id=PUBLISHED)
        for _ in range(5):
            clock.advance(25_000)
            await service.service.beat()
        await service.service.diagnoser.settle()
        assert [] == log.of("diagnosis.opened")
    assert 1 == len(log.of("diagnosis.opened"))
    async with running(settings, clock):
        await asyncio.sleep(0.05)
    assert 1 == len(log.of("diagnosis.opened"))


async def test_what_a_stopped_service_left_is_diagnosed_by_the_next(database_url: str, tmp_path: Path) -> None:
    """P6: a deadline that passed while nobody was there is looked at on the next start, once deliveries had their
    chance."""
    clock, settings = ManualClock(T0_MS), configured(database_url, tmp_path)
    async with running(settings, clock, attended=True) as service:
        await service.pass_time(5 * MINUTE_MS)
        await service.deliver(*ended(studio_at(T0_MS)))
    async with running(settings, clock) as service:
        await until(lambda: service.service.diagnoser.health.running)
        assert "idle" == (await soon(lambda: states(service)))[0]
        for _ in range(20):
            clock.advance(25_000)
            await service.service.beat()
        service.service.diagnoser.wake()
        assert [NOT_QUEUED] == await soon(service.diagnosed)


async def states(service: Running) -> list[str]:
    """The states of all streams."""
    return [stream["state"] for stream in (await service.get("/v1/streams"))["items"]]


@sqlite_only
async def test_a_lost_store_is_told_and_found_again(database_url: str, tmp_path: Path, log: Log) -> None:
    """P2: while the file is another, deliveries are answered 503 so that their sender comes again, `/readyz` says so,
    and the process lives; once the file is back all goes on by itself, and the log says both."""
    file, aside = sqlite_path_of(database_url), tmp_path / "aside"
    first, second = ended(studio_at(SystemClock().now_ms()))[:2]
    async with running(configured(database_url, tmp_path), SystemClock()) as service:
        assert [204] == await service.deliver(first)
        file.rename(aside)
        status, headers = await service.post(attempt(second, "wh-1", SECRET, service.service.clock.now_ms()))
        assert (503, True) == (status, int(headers["Retry-After"]) > 0)
        assert [503, 503] == [(await service.ask(path))[0] for path in ("/readyz", "/v1/streams")]
        assert 200 == (await service.ask("/healthz"))[0]
        await until(lambda: parts(log, "store.unavailable") >= {"inbox", "diagnoser"})
        shutil.move(aside, file)
        await until(lambda: "diagnoser" in parts(log, "store.recovered"))
        assert [204] == await service.deliver(second)
        assert await soon(lambda: ready(service))
        assert ["live"] == await soon(lambda: states(service))
    assert {"error"} == {line["level"] for line in log.of("store.unavailable")}


def sqlite_path_of(database_url: str) -> Path:
    """The file of a SQLite URL."""
    return Path(database_url.removeprefix("sqlite:///"))


def parts(log: Log, event: str) -> set[str]:
    """Who has logged that event."""
    return {line["part"] for line in log.of(event)}


@sqlite_only
async def test_a_replaced_store_is_not_written_to(database_url: str, tmp_path: Path) -> None:
    """P1: what would be committed to a file that nobody finds again is not acknowledged; the file now in its place is
    the store from then on."""
    file, copy = sqlite_path_of(database_url), tmp_path / "copy"
    shutil.copy(file, copy)
    [event] = ended(studio_at(SystemClock().now_ms()))[:1]
    async with running(configured(database_url, tmp_path), SystemClock(), attended=True) as service:
        assert [] == await states(service)
        file.unlink()
        copy.rename(file)
        assert [503, 204] == [*await service.deliver(event), *await service.deliver(event)]
        assert 503 == (await service.ask(f"/v1/events/{event.id}"))[0]
        await service.service.settle()
        assert 200 == (await service.ask(f"/v1/events/{event.id}"))[0]


async def test_a_delivery_to_another_path_is_told(database_url: str, tmp_path: Path, log: Log) -> None:
    """A webhook registered with the wrong URL would lose its events without a trace: the log names the right path."""
    clock = ManualClock(T0_MS)
    async with running(configured(database_url, tmp_path), clock, attended=True) as service:
        for headers in ({"Livepeer-Signature": sign(SECRET, b"{}", T0_MS)}, {}):
            async with service.http.post(f"{service.url}/", data=b"{}", headers=headers) as response:
                assert 404 == response.status
    [line] = log.of("webhook.rejected")
    assert ("not_found", "127.0.0.1") == (line["code"], line["remote"])
    assert "/webhooks/livepeer" in line["detail"]


async def test_what_is_refused_unread_is_logged_within_a_rate(database_url: str, tmp_path: Path, log: Log) -> None:
    """A body too large, of the wrong kind or compressed has a line with its code; thousands have some, and the next
    says how many it left out."""
    clock = ManualClock(T0_MS)
    async with running(configured(database_url, tmp_path, max_body_bytes=4096), clock, attended=True) as service:
        for kind in ["text/plain"] * 25:
            await refused(service, kind)
        clock.advance(10_000)
        await refused(service, "application/json", b" " * 5000)
    lines = log.of("webhook.rejected")
    assert {"unsupported_media_type": 20, "body_too_large": 1} == Counter(line["code"] for line in lines)
    assert ([None] * 20) + [5] == [line.get("unrecorded") for line in lines]


async def refused(service: Running, kind: str, body: bytes = b"{}") -> None:
    """A POST that is refused before it is verified."""
    headers = {"Content-Type": kind}
    async with service.http.post(f"{service.url}/webhooks/livepeer", data=body, headers=headers) as response:
        assert response.status in {413, 415}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"id":"value-1","webhookId":["value-2"],"event":"value-3"}', "`webhookId`"),
        (b'{"id":"value-1","event":"value-2', "not JSON"),
        (b'["value-1"]', "not an object"),
    ],
)
async def test_what_is_not_understood_is_told(
    database_url: str, tmp_path: Path, log: Log, body: bytes, expected: str
) -> None:
    """P3: stored raw and answered 204, each time; the line says which key is wrong, and nothing that the body holds."""
    async with running(configured(database_url, tmp_path), ManualClock(T0_MS), attended=True) as service:
        assert [204, 204] == [(await service.post(Attempt(body, sign(SECRET, body, T0_MS))))[0] for _ in range(2)]
    lines = log.of("webhook.accepted", "webhook.duplicate")
    assert [("webhook.accepted", "warning"), ("webhook.duplicate", "warning")] == [
        (line["event"], line["level"]) for line in lines
    ]
    assert all(expected in line["detail"] for line in lines)
    assert "value-" not in log.getvalue()


async def test_a_gates_request_is_turned_away(database_url: str, tmp_path: Path, log: Log) -> None:
    """P12: validly signed, and no event: 403, a line that says so, and nothing of its key."""
    body = b'{"accessKey":"key-of-a-viewer","context":{},"timestamp":%d}' % T0_MS
    async with running(configured(database_url, tmp_path), ManualClock(T0_MS), attended=True) as service:
        status, _ = await service.post(Attempt(body, sign(SECRET, body, T0_MS)))
    assert 403 == status
    [line] = log.of("webhook.rejected")
    assert ("gate_request", True) == (line["code"], "secret_id" in line)
    assert "key-of-a-viewer" not in log.getvalue()


async def test_acknowledging_and_resolving_are_told(database_url: str, tmp_path: Path, log: Log) -> None:
    """What people say of a diagnosis is logged as it happens, not with the next delivery."""
    async with running(configured(database_url, tmp_path, **AT_ONCE), SystemClock()) as service:
        await service.report(kind="publish_intent", stream_id=PUBLISHED)
        await soon(service.diagnosed)
        [diagnosis] = (await service.get("/v1/diagnoses"))["items"]
        for act, event in (("acknowledge", "diagnosis.changed"), ("resolve", "diagnosis.resolved")):
            status, _, _ = await service.ask(f"/v1/diagnoses/{diagnosis['id']}/{act}", method="POST")
            assert 200 == status
            await until(lambda event=event: log.of(event))  # type: ignore[misc]
    assert "acknowledged" == log.of("diagnosis.changed")[0]["status"]
    assert "manual" == log.of("diagnosis.resolved")[0]["resolution"]


async def found(service: Running, event: Event) -> bool:
    """Whether the event is in the log."""
    return (await service.ask(f"/v1/events/{event.id}"))[0] == 200


async def test_a_second_token_may_read_raw_bodies(database_url: str, tmp_path: Path) -> None:
    """The scopes of the configured tokens hold over the whole service."""
    [event] = ended(studio_at(SystemClock().now_ms()))[:1]
    async with running(configured(database_url, tmp_path), SystemClock()) as service:
        await service.deliver(event)
        path = f"/v1/events/{event.id}?raw=true"
        await soon(lambda: found(service, event))
        assert [403, 200, 401] == [
            (await service.ask(path))[0],
            (await service.ask(path, token=RAW_TOKEN))[0],
            (await service.ask(path, token=None))[0],
        ]
