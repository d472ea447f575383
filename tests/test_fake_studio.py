"""The fake Studio does what FACTS says of the true one: else tests against it prove nothing."""

import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from receiver.clock import ManualClock
from receiver.livepeer.signature import Keyring, parse_header
from receiver.simulation.scenes import go_live
from receiver.simulation.schedule import RETRY_WAITS_MS
from receiver.simulation.sender import Event, Studio
from tests.sender import T0_MS
from tests.studio import KEY, PROJECT, SECRET, FakeStudio, fake_studio
from tests.studio_rows import fixture, stream_row

STREAM_ID = stream_row()["id"]


class Endpoint:
    """A receiver that answers as it is told, the last answer for ever; what it was sent is in `came`."""

    def __init__(self, answers: Sequence[int]) -> None:
        self.url = ""
        self.came: list[tuple[str, bytes, str | None]] = []
        self._answers = list(answers)

    async def answer(self, request: web.Request) -> web.Response:
        """The handler."""
        self.came.append((request.method, await request.read(), request.headers.get("Livepeer-Signature")))
        status = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return web.Response(status=status, text="said", headers={"Location": "/elsewhere"} if status < 400 else {})


@asynccontextmanager
async def endpoint(*answers: int) -> AsyncIterator[Endpoint]:
    """An endpoint, while it is there."""
    made = Endpoint(answers)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield made
    await runner.cleanup()


@pytest.fixture
async def studio() -> AsyncIterator[FakeStudio]:
    """A fake Studio at the beginning of the fixtures' story."""
    async with fake_studio(ManualClock(T0_MS)) as made:
        yield made


def events(count: int = 1) -> list[Event]:
    """The first events of a broadcast."""
    return list(go_live(Studio(T0_MS, Random(1))))[:count]  # noqa: S311 -- ids of a fiction


async def api(studio: FakeStudio, method: str, path: str, body: object = None) -> tuple[int, Any, dict[str, str]]:
    """Status, JSON and headers of an answer."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, f"{studio.url}{path}", json=body, headers=headers) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if text else None, dict(answer.headers)


async def test_an_event_is_delivered_and_logged(studio: FakeStudio) -> None:
    """Signed over the raw body, to who is subscribed; the entry has the form of the fixture."""
    async with endpoint(200) as receiver:
        webhook = studio.add_webhook(receiver.url)
        studio.add_webhook(receiver.url, events=["asset.ready"])
        studio.add_webhook(receiver.url, deleted=True)
        [entry] = await studio.sender.deliver(*events())
    [(method, body, signature)] = receiver.came
    assert signature is not None
    assert ("POST", True) == (method, Keyring([SECRET]).match(body, parse_header(signature).v1) is not None)
    expected = fixture("probe/webhook-log.success.json")
    assert list(expected) == list(entry)
    assert [list(expected[part]) for part in ("request", "response")] == [
        list(entry["request"]),
        list(entry["response"]),
    ]
    assert (body.decode(), "said") == (entry["request"]["body"], base64.b64decode(entry["response"]["body"]).decode())
    assert (True, 200, [entry]) == (entry["success"], entry["response"]["status"], studio.sender.logs[webhook["id"]])
    assert {"lastTriggeredAt": T0_MS} == webhook["status"]


@pytest.mark.parametrize("status", [400, 401, 404, 408, 429])
async def test_a_4xx_is_never_retried(studio: FakeStudio, status: int) -> None:
    """The event is lost for good (FACTS 1.3)."""
    async with endpoint(status) as receiver:
        webhook = studio.add_webhook(receiver.url)
        [entry] = await studio.sender.deliver(*events())
    assert (False, None) == (entry["success"], studio.sender.next_retry_ms())
    assert (status, T0_MS) == (webhook["status"]["lastFailure"]["statusCode"], webhook["status"]["lastTriggeredAt"])


async def test_a_5xx_is_retried_as_a_frozen_copy(studio: FakeStudio) -> None:
    """5 s later, then 10 s; with the URL and the secret of then, and a time and a signature of its own (FACTS 12)."""
    async with endpoint(503, 500, 204) as receiver:
        webhook = studio.add_webhook(receiver.url)
        await studio.sender.deliver(*events())
        webhook |= {"url": "http://127.0.0.1:9/", "sharedSecret": "another", "deleted": True}
        for wait_ms in (5_000, 10_000):
            studio.clock.advance(wait_ms - 1)
            assert [] == await studio.sender.retry_due()
            studio.clock.advance(1)
            assert 1 == len(await studio.sender.retry_due())
    assert studio.sender.next_retry_ms() is None
    assert [T0_MS, T0_MS + 5_000, T0_MS + 15_000] == [json.loads(body)["timestamp"] for _, body, _ in receiver.came]
    assert [False, False, True] == [entry["success"] for entry in studio.sender.logs[webhook["id"]]]
    for _, body, signature in receiver.came:
        assert signature is not None
        assert Keyring([SECRET]).match(body, parse_header(signature).v1)


async def test_nobody_there(studio: FakeStudio) -> None:
    """It is retried 33 times, over a day; no entry has a status."""
    webhook = studio.add_webhook("http://127.0.0.1:9/")
    await studio.sender.deliver(*events())
    while (due_ms := studio.sender.next_retry_ms()) is not None:
        studio.clock.set(due_ms)
        await studio.sender.retry_due()
    log = studio.sender.logs[webhook["id"]]
    assert (34, sum(RETRY_WAITS_MS)) == (len(log), log[-1]["createdAt"] - T0_MS)
    assert {"body": ""} == log[0]["response"]
    assert "error" in webhook["status"]["lastFailure"]


async def test_a_url_on_this_machine_is_dropped_in_silence(studio: FakeStudio) -> None:
    """Where it is told to: no request, no entry, no status (FACTS 1.3)."""
    studio.sender.drops_local = True
    async with endpoint(200) as receiver:
        webhook = studio.add_webhook(receiver.url)
        assert [] == await studio.sender.deliver(*events())
    assert ([], {}, False) == (receiver.came, studio.sender.logs, "status" in webhook)


async def test_a_redirect_swallows_the_body(studio: FakeStudio) -> None:
    """What arrives is a GET without one, whose 200 counts (FACTS 1.3)."""
    async with endpoint(302, 200) as receiver:
        studio.add_webhook(receiver.url)
        [entry] = await studio.sender.deliver(*events())
    assert [("POST", True), ("GET", False)] == [(method, bool(body)) for method, body, _ in receiver.came]
    assert entry["success"]


async def test_a_resend_is_one_attempt_with_an_entry_of_its_own(studio: FakeStudio) -> None:
    """The same event, with the secret of then; 200, whatever came of it (FACTS 1.4)."""
    async with endpoint(401, 503, 204) as receiver:
        webhook = studio.add_webhook(receiver.url)
        [first] = await studio.sender.deliver(*events())
        webhook["sharedSecret"] = "another"
        path = f"/webhook/{webhook['id']}/log/{first['id']}/resend"
        studio.clock.advance(1000)
        answers = [await api(studio, "POST", path) for _ in range(2)]
    assert [(200, False), (200, True)] == [(status, entry["success"]) for status, entry, _ in answers]
    assert (3, None) == (len(studio.sender.logs[webhook["id"]]), studio.sender.next_retry_ms())
    before, *_, after = [json.loads(body) for _, body, _ in receiver.came]
    assert {**before, "timestamp": T0_MS + 1000} == after
    assert list(before) == list(after)
    assert 404 == (await api(studio, "POST", f"/webhook/{webhook['id']}/log/none/resend"))[0]


async def test_a_put_wipes_what_it_is_not_given(studio: FakeStudio) -> None:
    """The secret and the status are gone; without an id in the body there is no such webhook (FACTS 9)."""
    webhook = studio.add_webhook("http://127.0.0.1:9/", status={"lastTriggeredAt": 5})
    body = {"name": "ops", "url": "https://a.example/", "events": ["stream.idle"]}
    assert 404 == (await api(studio, "PUT", f"/webhook/{webhook['id']}", body))[0]
    assert (200, {"id": webhook["id"]}) == (await api(studio, "PUT", "/webhook/any", {**body, "id": webhook["id"]}))[:2]
    assert {"status", "sharedSecret"}.isdisjoint(webhook)
    assert PROJECT == webhook["projectId"]


async def test_a_deleted_webhook_is_gone(studio: FakeStudio) -> None:
    """With its log."""
    webhook = studio.add_webhook("http://127.0.0.1:9/")
    assert 204 == (await api(studio, "DELETE", f"/webhook/{webhook['id']}"))[0]
    for path in ("", "/log", "/log/l"):
        assert 404 == (await api(studio, "GET", f"/webhook/{webhook['id']}{path}"))[0]


async def test_lists_are_cut_as_the_true_ones(studio: FakeStudio) -> None:
    """20 at a time unless told; the list of webhooks links on to `undefined`, that of streams does not."""
    for number in range(21):
        studio.add(studio.streams, stream_row(id=f"s{number}"))
        studio.add_webhook("http://127.0.0.1:9/")
    status, rows, headers = await api(studio, "GET", "/stream?count=1")
    assert (200, 20, "21") == (status, len(rows), headers["X-Total-Count"])
    assert "cursor=skip20" in headers["Link"]
    _, rows, headers = await api(studio, "GET", "/stream?cursor=skip20")
    assert (1, False) == (len(rows), "Link" in headers)
    _, rows, headers = await api(studio, "GET", "/webhook?cursor=skip20")
    assert (1, True) == (len(rows), "cursor=undefined" in headers["Link"])


async def test_a_session_that_took_nothing_in_is_hidden_in_one_list(studio: FakeStudio) -> None:
    """Not in the other, which shows the stream's key (FACTS 9)."""
    studio.add(studio.streams, stream_row())
    studio.add(studio.sessions, {**fixture("probe/session.waiting.json"), "id": "empty", "lastSeen": 0})
    assert [] == (await api(studio, "GET", f"/stream/{STREAM_ID}/sessions"))[1]
    [row] = (await api(studio, "GET", f"/session?parentId={STREAM_ID}"))[1]
    assert stream_row()["streamKey"] == row["parentStream"]["streamKey"]
    assert 404 == (await api(studio, "GET", "/stream/none/sessions"))[0]


async def test_who_asks_must_have_a_key(studio: FakeStudio) -> None:
    """An unknown one is repeated; with one, no project may be named (FACTS 9)."""
    async with aiohttp.ClientSession() as http:
        for headers, said in (
            ({}, "request is not authenticated"),
            ({"Authorization": "Bearer x"}, "no token x found"),
        ):
            async with http.get(f"{studio.url}/stream", headers=headers) as answer:
                assert (401, {"errors": [said]}) == (answer.status, await answer.json())
    assert 400 == (await api(studio, "GET", f"/stream?projectId={PROJECT}"))[0]


async def test_what_events_tell_of_can_be_asked_for(studio: FakeStudio) -> None:
    """Streams, sessions, assets and tasks, as they were when the event was made."""
    story = Studio(T0_MS, Random(1))  # noqa: S311 -- ids of a fiction
    studio.learn(story.started(0), story.recording_started(5), story.asset_created(90_000), story.task_spawned(90_001))
    assert story.session is not None
    for path in (
        f"/stream/{story.stream.id}",
        f"/session/{story.session.id}",
        f"/asset/{story.session.id}",
        f"/task/{story.session.task_id}",
        f"/playback/{story.stream.playback_id}",
    ):
        assert 200 == (await api(studio, "GET", path))[0], path
    assert 1 == (await api(studio, "GET", f"/playback/{story.stream.playback_id}"))[1]["meta"]["live"]


async def test_what_is_said_of_a_recording_is_worked_out_when_asked(studio: FakeStudio) -> None:
    """`recording.waiting` says `ready`, and nothing is: the API knows better (FACTS 5)."""
    story = Studio(T0_MS, Random(1))  # noqa: S311 -- ids of a fiction
    studio.learn(story.started(0), story.recording_started(5), story.idle(60_000))
    assert story.session is not None
    path = f"/session/{story.session.id}"
    told: list[tuple[str, bool]] = []

    async def ask() -> None:
        row = (await api(studio, "GET", path))[1]
        told.append((row["recordingStatus"], "recordingUrl" in row))

    studio.learn(story.recording_waiting(130_000, 60_000))
    await ask()
    studio.clock.advance(4 * 3_600_000)
    await ask()
    for name, phase in (("asset.updated", "processing"), ("asset.failed", "failed"), ("asset.ready", "ready")):
        studio.learn(story.asset_changed(name, 140_000, phase))
        await ask()
    studio.learn(story.asset_changed("asset.deleted", 150_000, "ready"))
    await ask()
    assert ["waiting", "none", "waiting", "failed", "ready", "deleted"] == [status for status, _ in told]
    assert told[4][1]
    assert 404 == (await api(studio, "GET", f"/asset/{story.session.id}"))[0]
