"""P1 and P7: `kill -9` and SIGTERM in the middle of a burst of deliveries, with real processes on a real file."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import aiohttp

from receiver.clock import SystemClock
from receiver.ids import public_id
from receiver.simulation.scenes import SECOND, finish_recording, go_live, progress, queue_recording
from receiver.simulation.sender import Event, Studio, attempt
from tests.served import Served, served, wait

SECRET = "whsec_of-who-is-killed"
TOKEN = "rcv_of-who-is-killed"
WEBHOOK_ID = "3f0e7c56-6f4a-4a0e-8f3c-0d6a1a51b7f6"
BEGAN_MS = 26 * SECOND
"""How long ago the stories began: what is reported now comes behind all that it needs."""
KILLS = 20
STREAMS = 60
AT_ONCE = 16

Finding: TypeAlias = tuple[str, ...]
"""A diagnosis: kind and id of its subject, condition, reason, status."""


@dataclass(frozen=True)
class Errand:
    """What is to be sent: an event, or an observation under its key."""

    id: str
    event: Event | None = None
    report: dict[str, object] = field(default_factory=dict)

    async def run(self, http: aiohttp.ClientSession, url: str) -> int:
        """The status of the answer to one attempt, signed now; 0 where none came."""
        if self.event is not None:
            made = attempt(self.event, WEBHOOK_ID, SECRET, SystemClock().now_ms())
            return await post(http, f"{url}/webhooks/livepeer", made.body, {"Livepeer-Signature": made.signature})
        headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": self.id}
        return await post(http, f"{url}/v1/observations", json.dumps(self.report).encode(), headers)


async def post(http: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status of the answer to some JSON; 0 where none came."""
    try:
        async with http.post(url, data=body, headers={"Content-Type": "application/json", **headers}) as response:
            await response.read()
            return response.status
    except (aiohttp.ClientError, ConnectionError):
        return 0


def failing(studio: Studio) -> list[Errand]:
    """The recording fails."""
    failed = {"errorMessage": "no video track found"}
    events = [*go_live(studio), studio.idle(20 * SECOND), *queue_recording(studio, 22 * SECOND, 20 * SECOND)]
    events += progress(studio, 24 * SECOND, 0.5)
    events.append(studio.task_changed("task.failed", 25 * SECOND, "failed", **failed))
    events.append(studio.asset_changed("asset.failed", 25 * SECOND + 44, "failed", **failed))
    return [Errand(event.id, event) for event in events]


def deleted(studio: Studio) -> list[Errand]:
    """The recording is made, and deleted."""
    events = [*go_live(studio), studio.idle(20 * SECOND), *queue_recording(studio, 21 * SECOND, 20 * SECOND)]
    events += finish_recording(studio, 22 * SECOND)
    events.append(studio.asset_changed("asset.deleted", 25 * SECOND, "ready"))
    return [Errand(event.id, event) for event in events]


def dropped(studio: Studio) -> list[Errand]:
    """The encoder is gone within seconds, three times."""
    pairs = ((studio.started(at_ms), studio.idle(at_ms + 4 * SECOND)) for at_ms in (0, 8 * SECOND, 16 * SECOND))
    return [Errand(event.id, event) for pair in pairs for event in pair]


def forbidden(studio: Studio) -> list[Errand]:
    """Two players are refused."""
    live = [Errand(event.id, event) for event in go_live(studio)]
    report = {"kind": "playback_error", "stream_id": studio.stream.id, "http_status": 403}
    return [*live, *(Errand(f"{studio.stream.id}-{number}", report={**report}) for number in range(2))]


def rejected(studio: Studio) -> list[Errand]:
    """The encoder used another stream's key."""
    report = {"kind": "publish_rejected", "stream_id": studio.stream.id, "stream_key": "zzzz-yyyy-xxxx-wwww"}
    return [Errand(f"{studio.stream.id}-key", report={**report})]


def studio(start_ms: int, random: Random) -> Studio:
    """A sender with a stream of its own."""
    return Studio(start_ms, Random(random.random()))  # noqa: S311 -- ids of a fiction


STORIES = (failing, deleted, dropped, forbidden, rejected)
"""None is diagnosed from anything's absence, so what is diagnosed does not depend on when."""


def errands(random: Random, streams: int = STREAMS) -> list[Errand]:
    """Whole stories of many streams: those of each stream in order, all others in between."""
    start_ms = SystemClock().now_ms() - BEGAN_MS
    told = [STORIES[index % len(STORIES)](studio(start_ms, random)) for index in range(streams)]
    order = [index for index, items in enumerate(told) for _ in items]
    random.shuffle(order)
    queues = [iter(items) for items in told]
    return [next(queues[index]) for index in order]


@dataclass
class Sender:
    """Sends as Livepeer does: what got no 2xx, again later."""

    waiting: list[Errand]
    acknowledged: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    enough: int | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when `enough` are acknowledged."""

    async def send(self, url: str, most: int) -> None:
        """Try the next `most` errands once, many at a time."""
        batch, self.waiting = self.waiting[:most], self.waiting[most:]
        gate = asyncio.Semaphore(AT_ONCE)
        async with aiohttp.ClientSession() as http:
            await asyncio.gather(*(self._send(http, url, errand, gate) for errand in batch))

    async def _send(self, http: aiohttp.ClientSession, url: str, errand: Errand, gate: asyncio.Semaphore) -> None:
        async with gate:
            status = await errand.run(http, url)
        self.answers[status] += 1
        if 200 <= status < 300:
            self.acknowledged.add(errand.id)
            if len(self.acknowledged) == self.enough:
                self.reached.set()
        else:
            assert status == 0 or status >= 500, (status, errand.id)
            self.waiting.insert(0, errand)

    async def send_until(self, url: str, most: int, enough: int, stop: Callable[[], object]) -> None:
        """Try the next ones, and stop the server after some of the answers, at no special moment."""
        self.enough = len(self.acknowledged) + enough
        self.reached.clear()
        sending = asyncio.create_task(self.send(url, most))
        waiting = asyncio.create_task(self.reached.wait())
        await asyncio.wait({sending, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await asyncio.to_thread(stop)
        await sending


def ask(data: Path, query: str) -> list[Any]:
    """What a query finds in the service's database; single values where it asks for one column."""
    with closing(sqlite3.connect(f"file:{data / 'receiver.sqlite3'}?mode=ro", uri=True)) as database:
        rows = database.execute(query).fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]


def is_settled(data: Path) -> bool:
    """Whether all was filed and looked at, and all told."""
    return all(ask(data, f"SELECT count(*) FROM {table}") == [0] for table in ("inbox", "pending", "outbox_due"))  # noqa: S608


def findings(data: Path) -> list[Finding]:
    """All diagnoses."""
    return sorted(ask(data, "SELECT subject_kind, subject_id, condition, reason, status FROM diagnoses"))


def kept(data: Path) -> tuple[Counter[str], int]:
    """How often each event is in the log of signals, and how many observations are."""
    observations = ask(data, "SELECT count(*) FROM signals WHERE source = 'observation'")
    return Counter(ask(data, "SELECT id FROM signals WHERE source = 'webhook'")), observations[0]


def once(work: Iterable[Errand]) -> tuple[Counter[str], int]:
    """What is kept of these where each is kept once."""
    items = list(work)
    events = Counter(errand.id for errand in items if errand.event is not None)
    return events, len(items) - events.total()


def settings(data: Path) -> dict[str, str]:
    """Those of every process that serves this data directory."""
    return {"RECEIVER_DATA_DIR": str(data), "RECEIVER_WEBHOOK_SECRETS": SECRET, "RECEIVER_API_TOKENS": TOKEN}


def folder(path: Path) -> Path:
    """An empty folder."""
    path.mkdir()
    return path


def told(folders: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """The log lines of all processes that tell of a transition, by the id of the notice. A notice that is told again
    says the same; a kill may have cut a line off."""
    written = [line for path in folders for line in (path / "out").read_text().splitlines(keepends=True)]
    lines: dict[str, dict[str, Any]] = {}
    for line in (json.loads(line) for line in written if line.endswith("\n") and '"notice_id"' in line):
        line["timestamp"] = None
        assert lines.setdefault(line["notice_id"], line) == line
    return lines


async def send_all(sender: Sender, server: Served, data: Path) -> None:
    """Until everything is acknowledged and looked at, and the service stopped in order."""
    while sender.waiting:
        await sender.send(server.url, len(sender.waiting))
    await asyncio.to_thread(wait, lambda: is_settled(data))
    assert 0 == await asyncio.to_thread(server.stop)


async def killed(path: Path, work: Sequence[Errand], random: Random) -> tuple[Path, list[Path]]:
    """The data directory after many kills, and the folders of all the processes that served it."""
    sender, data, rooms = Sender(list(work)), folder(path / "data"), []
    most = len(work) // KILLS + AT_ONCE
    for number in range(KILLS):
        rooms.append(folder(path / f"process-{number}"))
        with served(rooms[-1], settings(data)) as server:
            await sender.send_until(server.url, most, random.randrange(1, most), server.process.kill)
            assert -signal.SIGKILL == server.process.wait()
    assert sender.answers[0] >= KILLS
    rooms.append(folder(path / "last-process"))
    with served(rooms[-1], settings(data)) as server:
        await send_all(sender, server, data)
    return data, rooms


async def undisturbed(path: Path, work: Sequence[Errand]) -> Path:
    """The data directory where nothing was killed."""
    data = folder(path / "data")
    with served(path, settings(data)) as server:
        await send_all(Sender(list(work)), server, data)
    return data


async def test_kill_nine_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """P1, P7: killed twenty times in a burst, all that was acknowledged is there and nothing twice, the diagnoses are
    those of a run without kills, and each transition was told under one id, however often it was told."""
    random = Random(20)  # noqa: S311 -- ids of a fiction, and moments
    work = errands(random)
    data, rooms = await killed(folder(tmp_path / "killed"), work, random)
    assert once(work) == kept(data)
    assert findings(await undisturbed(folder(tmp_path / "undisturbed"), work)) == findings(data)
    assert {public_id("nt", seq) for seq in ask(data, "SELECT seq FROM outbox")} == set(told(rooms))
    assert ask(data, "SELECT count(*) FROM transitions") == ask(
        data, "SELECT count(*) FROM outbox WHERE kind LIKE 'diagnosis.%'"
    )


async def test_what_was_accepted_before_sigterm_is_answered(tmp_path: Path) -> None:
    """Told to stop in a burst, the process answers all that it took in, stores nothing that it did not answer, and ends
    with exit code 0."""
    work = errands(Random(21))  # noqa: S311 -- ids of a fiction
    sender, data = Sender(list(work)), folder(tmp_path / "data")
    with served(tmp_path, settings(data)) as server:
        await sender.send_until(server.url, len(work), len(work) // 3, server.stop)
        assert 0 == server.process.wait()
    assert once(errand for errand in work if errand.id in sender.acknowledged) == kept(data)
    assert len(work) // 3 <= len(sender.acknowledged) < len(work)
    assert {0, 201, 204, 503} >= set(sender.answers)


def test_a_file_is_served_by_one_process(tmp_path: Path) -> None:
    """A second process on the same SQLite file says so in one sentence, and the first goes on."""
    data = folder(tmp_path / "data")
    with served(tmp_path, settings(data)) as server:
        second = subprocess.run(
            [sys.executable, "-m", "receiver", "serve"],
            env={"PATH": os.environ["PATH"], "RECEIVER_PORT": "0", **settings(data)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert server.process.poll() is None
    assert (2, "") == (second.returncode, second.stdout)
    assert second.stderr.startswith("receiver: Another receiver is already serving this SQLite database.")
    assert "PostgreSQL" in second.stderr
