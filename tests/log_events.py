"""A service that goes through everything it can log."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import aiohttp
import pytest
from sqlalchemy import text

from receiver.app import Service
from receiver.clock import ManualClock, SystemClock
from receiver.commands.serve import serve
from receiver.diagnoser import WorkerProcess
from receiver.diagnoser.bounds import USUAL
from receiver.diagnoser.moment import Moment
from receiver.diagnoser.passing import Taken
from receiver.diagnoser.worker_process import WORTH_ASKING
from receiver.diagnosis.values import Limits
from receiver.evidence.reconciling.schedule import Reconciliation
from receiver.ids import IdBlock
from receiver.livepeer.signature import sign
from receiver.livepeer.studio.failures import Unavailable
from receiver.simulation.scenes import go_live
from receiver.simulation.sender import Attempt, Studio
from receiver.storage.engine import Database
from tests.evidence.reading import room, story
from tests.gates.deciding import GATE_SECRET, Deciding, call, deciding, reset, says, signed
from tests.running import KEYS, SECRET, Line, Log, Running, configured, logged, running, signals_kept, until
from tests.sender import T0_MS, Event
from tests.studio_client import asked
from tests.studio_faults import BROKEN, failing

MINUTE_MS = 60_000
DAY_MS = 1440 * MINUTE_MS
PUBLISHED = "7c1ea8c3-7aeb-4789-9460-a106bfc33508"


async def everything(day: Path, process: Path, folder: Path) -> list[Line]:
    """All lines of a day on which much goes wrong, and of a process that starts, loses its store, and stops; each with
    its own database, which is migrated and empty."""
    clock = ManualClock(T0_MS)
    with logged(clock) as log:
        async with (
            deciding(says(200, b'{"ret":0}')) as url,
            running(configured(f"sqlite:///{day}", folder, **_gate(url)), clock, attended=True) as service,
        ):
            await _gated(service, url)
            await _broadcast(service)
            await _refused(service)
            await _published(service)
            await _late(service)
            await _asked(service)
            await _broken(service)
            clock.advance(40 * DAY_MS)
            await service.service.retention.sweep()
    with logged() as more:
        await _process(process, folder, more)
        await _helper(f"sqlite:///{process}")
        await _studio_fails()
        await _reconciles(f"sqlite:///{day}")
    return [*log.lines, *more.lines]


def _gate(url: Deciding) -> Mapping[str, object]:
    """The settings of a gate."""
    return {"gates": json.dumps({"main": {"url": url.url, "secret": GATE_SECRET}}), "gate_keep_viewers": True}


async def _gated(service: Running, url: Deciding) -> None:
    """Calls of a gate that are allowed, denied, without a key, not decided, and not genuine, these too often."""
    now_ms = service.service.clock.now_ms()
    for answer, body in (
        (says(200), call(now_ms)),
        (says(200, b'{"ret":403}'), call(now_ms)),
        (says(403), call(now_ms, accessKey="")),
        (reset, b"signed, and no JSON"),
    ):
        url.fault = answer
        await _ask(service, body, GATE_SECRET)
    for _ in range(22):
        await _ask(service, call(now_ms), "another")
    await service.pass_time(MINUTE_MS)
    await _ask(service, call(now_ms), "another")


async def _ask(service: Running, body: bytes, secret: str) -> None:
    headers = signed(body, T0_MS, secret)
    async with service.http.post(f"{service.url}/gates/main", data=body, headers=headers) as response:
        await response.read()


def _studio(service: Running, name: str) -> Studio:
    """A sender whose story begins now."""
    return Studio(service.service.clock.now_ms(), Random(name))  # noqa: S311 -- ids of a fiction


async def _broadcast(service: Running) -> None:
    """A broadcast whose recording comes late, each of its events twice; a session's failure before its stream is known;
    bodies that nobody understands."""
    studio, other = _studio(service, "broadcast"), _studio(service, "orphan")
    other.recording_started(0)
    events = [*go_live(studio), studio.idle(MINUTE_MS)]
    await service.pass_time(MINUTE_MS)
    for _ in range(2):
        await service.deliver(*events)
        await service.post(Attempt(*Event().signed(service.service.clock.now_ms(), SECRET, webhookId=7)))
    await service.deliver(other.asset_changed("asset.failed", MINUTE_MS, "failed", errorMessage="no video"))
    await service.pass_time(10 * MINUTE_MS)
    await service.deliver(studio.recording_ready(11 * MINUTE_MS))
    await service.pass_time(1000)


async def _refused(service: Running) -> None:
    """Of every kind: unsigned noise, another secret, two times that differ, stale, a gate's, unread; and too many. What
    rests on silence is muted by it."""
    await service.report(kind="publish_intent", stream_id="never-started")
    await service.pass_time(3 * MINUTE_MS)
    now_ms = service.service.clock.now_ms()
    for _ in range(62):
        await _plain(service, b"noise", "application/json")
    for _ in range(22):
        await _plain(service, b"noise", "text/plain")
    await service.pass_time(MINUTE_MS)
    await _plain(service, b"noise", "application/json")
    await _plain(service, b"noise", "text/plain")
    await service.deliver(*go_live(_studio(service, "other secret")), secret="another")
    event, gate = Event(created_ms=now_ms), b'{"context":{},"accessKey":"k"}'
    body = event.body(now_ms)
    await service.post(Attempt(body, sign(SECRET, body, now_ms + 1)))
    await service.post(Attempt(*event.signed(now_ms - 600_000, SECRET)))
    await service.post(Attempt(gate, sign(SECRET, gate, now_ms)))
    await service.pass_time(1000)
    await _acknowledge(service, "SignatureMismatch")
    await service.deliver(_studio(service, "accepted again").started(0))
    await service.pass_time(1000)


async def _plain(service: Running, body: bytes, kind: str) -> None:
    """A POST without a signature."""
    headers = {"Content-Type": kind}
    async with service.http.post(f"{service.url}/webhooks/livepeer", data=body, headers=headers) as response:
        await response.read()


async def _published(service: Running) -> None:
    """An announced publish that does not start, until it does; somebody acknowledges in between; it comes back."""
    for number in range(2):
        await service.report(kind="publish_intent", stream_id=PUBLISHED)
        await service.pass_time(3 * MINUTE_MS)
        if number == 0:
            await _acknowledge(service, "PublishNotStarted")
            now_ms = service.service.clock.now_ms()
            started = Event("ev-published", created_ms=now_ms, stream_id=PUBLISHED)
            await service.post(Attempt(*started.signed(now_ms, SECRET)))
            await service.pass_time(MINUTE_MS)
            idle = Event("ev-idle", name="stream.idle", created_ms=now_ms + MINUTE_MS, stream_id=PUBLISHED)
            await service.post(Attempt(*idle.signed(now_ms + MINUTE_MS, SECRET)))
            await service.pass_time(3 * MINUTE_MS)


async def _acknowledge(service: Running, reason: str) -> None:
    """Somebody has seen the newest diagnosis of that reason."""
    found, *_ = (await service.get(f"/v1/diagnoses?reason={reason}"))["items"]
    await service.ask(f"/v1/diagnoses/{found['id']}/acknowledge", method="POST")


async def _late(service: Running) -> None:
    """A broadcast whose events come ten minutes late, through a webhook of its own; then they come in time again."""
    studio = _studio(service, "late")
    events = [*go_live(studio), studio.idle(MINUTE_MS)]
    await service.pass_time(12 * MINUTE_MS)
    await service.deliver(*events, webhook_id="wh-late")
    await service.pass_time(10 * MINUTE_MS)
    await _acknowledge(service, "DeliveriesDelayed")
    await service.deliver(*go_live(_studio(service, "in time")), webhook_id="wh-late")
    await service.pass_time(20 * MINUTE_MS)


async def _asked(service: Running) -> None:
    """A stream that only a player has told of. Over REST: what is there, what is not, by somebody, and by
    nobody too often."""
    await service.report(kind="playback_ok", stream_id="never-heard-of")
    await service.pass_time(1000)
    for path, token in (("/v1/streams", None), ("/v1/nothing", "x"), ("/v1/streams/none", None)):
        await service.ask(path, token=token)
    for _ in range(22):
        await service.ask("/v1/streams", token=None)
    await service.get("/v1/streams")
    await service.ask("/v1/nothing")


async def _broken(service: Running) -> None:
    """Rows that no rule can read: defects of ours."""
    studio, orphan = _studio(service, "broken"), _studio(service, "broken orphan")
    orphan.recording_started(0)
    ids = [studio.stream.id, orphan.session.id if orphan.session else ""]
    await _spoil(
        service.service.database, "UPDATE subjects SET folded = 'broken' WHERE kind IN ('endpoint', 'webhook')"
    )
    await service.deliver(studio.started(0), orphan.asset_changed("asset.created", 0, "waiting"))
    await service.service.settle()
    await _spoil(service.service.database, "UPDATE subjects SET folded = 'broken' WHERE id IN (:first, :second)", ids)
    spoilt = (
        "UPDATE bodies SET body = x'00' WHERE seq IN (SELECT seq FROM signals WHERE session_id IN (:first, :second))"
    )
    await _spoil(service.service.database, spoilt, ids)
    await service.deliver(studio.idle(1000), orphan.asset_changed("asset.updated", 1, "processing", progress=0.5))
    await service.service.settle()
    await _spoil(service.service.database, "UPDATE subjects SET conditions = '[{}]' WHERE id IN (:first, :second)", ids)
    await service.ask(f"/v1/streams/{studio.stream.id}")


async def _spoil(database: Database, query: str, ids: Sequence[str] = ("", "")) -> None:
    """Write what our own code would never write."""
    values = {"first": ids[0], "second": ids[1]} if ":first" in query else {}
    await database.write(lambda conn: conn.execute(text(query), values))


async def _process(file: Path, folder: Path, log: Log) -> None:
    """It starts, warns of what it allows, takes an unsigned delivery twice, loses its store and finds it again, meets a
    defect, and stops."""
    settings = configured(f"sqlite:///{file}", folder, host="0.0.0.0", port=0, allow_unsigned=True)
    service = Service.build(settings, KEYS, SystemClock())
    with signals_kept():
        serving = asyncio.create_task(serve(service))
        await _disturb(service, file, folder, log)
        await serving


async def _disturb(service: Service, file: Path, folder: Path, log: Log) -> None:
    await until(lambda: log.of("service.started"))
    aside = folder / "aside"
    for _ in range(2):
        await _unsigned(log)
    await asyncio.to_thread(file.rename, aside)
    await _unsigned(log)
    await until(lambda: {"inbox", "diagnoser"} <= {line["part"] for line in log.of("store.unavailable")})
    await asyncio.to_thread(aside.rename, file)
    await until(lambda: log.of("store.recovered"))
    await _spoil(service.database, "INSERT INTO coverage (seq, from_ms, until_ms) VALUES (1, 'no time', 0)")
    service.diagnoser.wake()
    await until(lambda: log.of("service.fault"))
    os.kill(os.getpid(), signal.SIGTERM)


async def _helper(url: str) -> None:
    """The process that concludes beside the service cannot be started, and is killed."""
    moment = Moment(IdBlock(0, 0), 0, Limits(), USUAL)
    taken = Taken((), [None] * WORTH_ASKING, {}, ())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", "/nowhere/python")
        missing = WorkerProcess(url)
        await missing.conclude(moment, taken)
        await missing.stop()
    helper = WorkerProcess(url)
    await helper.conclude(moment, taken)
    _kill(helper)
    while helper._child is not None:
        await helper.conclude(moment, taken)
    await helper.stop()


async def _studio_fails() -> None:
    """The Studio API has a fault of its own, then has fallen silent."""
    async with asked() as (studio, client, _):
        for fault in (failing(), BROKEN):
            studio.faults["/asset"] = fault
            with suppress(Unavailable):
                await client.asset("an-asset")


def _kill(helper: WorkerProcess) -> None:
    assert helper._child is not None
    helper._child._process.kill()


async def _unsigned(log: Log) -> None:
    """One delivery without a signature, of an event of no stream."""
    [started] = log.of("service.started")
    body = Event("ev-unsigned").body(SystemClock().now_ms())
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession() as http, http.post(started["webhook_url"], data=body, headers=headers) as answer:
        await answer.read()


async def _reconciles(url: str) -> None:
    """Events that never arrived are taken in from the sender's log; then that cannot be read."""
    database = Database.open(url)
    async with room(database) as here:
        await here.tell(*story())
        here.waits.clock.advance(2 * MINUTE_MS)
        reconciliation = Reconciliation(here.by, 900)
        await reconciliation.once()
        here.studio.keys.clear()
        await reconciliation.once()
    await database.close()
