"""What can be asked of the Studio API, and what is understood of its answers."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from receiver.keys import Keys
from receiver.livepeer.signature import Keyring, parse_header
from receiver.livepeer.studio import StudioClient, studio_client
from receiver.livepeer.studio.failures import Invalid, NotConfigured, NotFound, RateLimited, Unavailable
from receiver.livepeer.studio.objects import Asset, Playback, Session, SigningKey, Stream, Task
from receiver.livepeer.studio.values import Shape
from receiver.livepeer.studio.webhooks import LogEntry, LogRequest, Webhook, known_secret
from receiver.settings import Settings
from receiver.simulation.sender import Studio
from receiver.stream_keys import key_digest
from tests.sender import T0_MS
from tests.studio import KEY, PROJECT, SECRET, Credential, FakeStudio
from tests.studio_client import DIGEST_KEY, DOOR, QUICK, asked
from tests.studio_faults import ANOTHER_JSON, NO_JSON, Fault, limited
from tests.studio_rows import STREAM_KEY, asset_row, fixture, stream_row, task_row

STREAM_ID = "7c1ea8c3-7aeb-4789-9460-a106bfc33508"
SESSION_ID = "cd145c0e-078f-4e39-9e7f-5269fba36974"
PLAYBACK_ID = "7c1ek7izba9nzj4b"
NOWHERE = "http://127.0.0.1:9/webhooks"
T = TypeVar("T")


async def all_of(items: AsyncIterator[T]) -> list[T]:
    """Everything in a list."""
    return [item async for item in items]


async def test_a_stream() -> None:
    """Its state, and the digest of its key as an observation's would be."""
    async with asked() as (studio, client, _):
        studio.add(studio.streams, stream_row(issues=["Bitrate is low"], isHealthy=False))
        stream = await client.stream(STREAM_ID)
    assert (True, False, ("Bitrate is low",)) == (stream.is_active, stream.is_healthy, stream.issues)
    assert (PLAYBACK_ID, 1726153200161, PROJECT) == (stream.playback_id, stream.last_seen_ms, stream.project_id)
    assert key_digest(DIGEST_KEY, STREAM_KEY) == stream.key_digest
    assert [854, 1280] == [profile.width for profile in stream.profiles]
    assert stream.multistream is not None
    assert ["source", "720p0"] == [target.profile for target in stream.multistream.targets]


async def test_streams_of_all_pages() -> None:
    """Parents only, the newest first; those that are live, where only they are wanted."""
    async with asked(patience=replace(QUICK, page_items=2)) as (studio, client, _):
        for number in range(5):
            studio.add(studio.streams, stream_row(id=f"s{number}", createdAt=T0_MS + number, isActive=number % 2 == 0))
        studio.add(studio.streams, stream_row(id="child", parentId="s1"))
        found = await all_of(client.streams())
        active = await all_of(client.streams(active=True))
    assert ["s4", "s3", "s2", "s1", "s0"] == [stream.id for stream in found]
    assert ["s4", "s2", "s0"] == [stream.id for stream in active]


async def test_sessions_with_the_empty_ones() -> None:
    """Of one stream, those too that took nothing in; each shows its parent's key, which is not even read."""
    async with asked(patience=replace(QUICK, page_items=1)) as (studio, client, _):
        studio.add(studio.streams, stream_row())
        studio.add(studio.sessions, fixture("probe/session.ready.json"))
        studio.add(studio.sessions, {**fixture("probe/session.waiting.json"), "id": "empty", "lastSeen": 0})
        studio.add(studio.sessions, {**fixture("probe/session.waiting.json"), "id": "another", "parentId": "other"})
        sessions = await all_of(client.sessions(STREAM_ID))
    assert {SESSION_ID: "ready", "empty": "waiting"} == {one.id: one.recording_status for one in sessions}


async def test_a_session_an_asset_and_a_task() -> None:
    """The recording of one session, seen from its three sides (FACTS 2.3)."""
    async with asked() as (studio, client, _):
        studio.add(studio.sessions, fixture("probe/session.ready.json"))
        studio.add(studio.assets, asset_row(status={"phase": "failed", "updatedAt": 5, "errorMessage": "no video"}))
        studio.add(studio.tasks, task_row())
        session, asset = await client.session(SESSION_ID), await client.asset(SESSION_ID)
        task = await client.task(next(iter(studio.tasks)))
    assert ("ready", STREAM_ID, 903) == (session.recording_status, session.parent_id, session.source_segments)
    assert "https://vod-cdn.example-storage.net/hls/cd14p3x4fpw41z3m/index.m3u8" == session.recording_url
    assert asset.status is not None
    assert ("failed", "no video", 5) == (asset.status.phase, asset.status.error_message, asset.status.updated_ms)
    assert asset.source is not None
    assert ("recording", SESSION_ID) == (asset.source.type, asset.source.session_id)
    assert task.status is not None
    assert ("upload", SESSION_ID, "completed") == (task.type, task.output_asset_id, task.status.phase)


async def test_playback_is_asked_without_the_key() -> None:
    """As any viewer asks it, also where there is no key."""
    async with asked(key=None) as (studio, client, _):
        studio.playbacks[PLAYBACK_ID] = fixture("probe/playback-info.gated.json")
        info = await client.playback(PLAYBACK_ID)
        assert ["Authorization" in request.headers for request in studio.asked] == [False]
    assert info.meta is not None
    assert info.meta.playback_policy is not None
    assert ("live", 1, "webhook") == (info.type, info.meta.live, info.meta.playback_policy.type)
    assert "https://livepeercdn.studio/webrtc/7c1ek7izba9nzj4b" == info.meta.source[1].url


async def test_playback_of_what_is_not_to_be_played() -> None:
    """A suspended stream is not there; an asset that is not ready says so (FACTS 8)."""
    async with asked() as (studio, client, _):
        studio.add(studio.streams, stream_row(suspended=True))
        studio.add(studio.assets, asset_row(status={"phase": "processing", "updatedAt": 5}))
        with pytest.raises(NotFound):
            await client.playback(PLAYBACK_ID)
        with pytest.raises(Invalid) as refused:
            await client.playback(str(asset_row()["playbackId"]))
    assert ("asset is not ready for playback",) == refused.value.errors


@pytest.mark.parametrize(
    ("secret", "expected"),
    [(SECRET, "current"), ("an-older-secret", "ours"), ("of-somebody", "other"), ("", "none"), (None, "none")],
)
async def test_a_webhook_with_how_its_secret_compares(secret: str | None, expected: str) -> None:
    """The secret itself does not come in."""
    async with asked() as (studio, client, _):
        webhook = studio.add(studio.webhooks, {**fixture("probe/webhook.failing.json"), "sharedSecret": secret})
        found = await client.webhook(webhook["id"])
        assert [found] == await all_of(client.webhooks())
    assert expected == found.secret
    assert found.status is not None
    assert found.status.last_failure is not None
    failure = found.status.last_failure
    assert (502, "upstream error", found.status.last_triggered_ms) == (
        failure.status_code,
        failure.response,
        failure.at_ms,
    )


async def test_a_webhook_is_registered_and_changed() -> None:
    """Of a change, only what is given: the secret stays, and so does the status that says what failed."""
    async with asked() as (studio, client, _):
        made = await client.create_webhook(name="ops", url=NOWHERE, events=["stream.started"], secret=SECRET)
        studio.webhooks[made.id]["status"] = {"lastTriggeredAt": 5}
        await client.update_webhook(made.id, events=["stream.started", "stream.idle"])
        changed = await client.webhook(made.id)
        await client.update_webhook(made.id, name="on call", url=f"{NOWHERE}/2", secret="of-another")
        again = await client.webhook(made.id)
    assert ("current", ("stream.started",), PROJECT) == (made.secret, made.events, made.project_id)
    assert ("current", ("stream.started", "stream.idle"), NOWHERE) == (changed.secret, changed.events, changed.url)
    assert changed.status is not None
    assert 5 == changed.status.last_triggered_ms
    assert ("other", "on call", f"{NOWHERE}/2") == (again.secret, again.name, again.url)


async def test_what_a_webhook_may_not_be() -> None:
    """What the API says is told in words, those of a schema too."""
    async with asked() as (_, client, _waits):
        with pytest.raises(Invalid) as unknown:
            await client.create_webhook(name="ops", url=NOWHERE, events=["stream.begun"], secret=SECRET)
        with pytest.raises(Invalid) as bad:
            await client.create_webhook(name="ops", url="gopher://a.example/", events=["stream.idle"], secret=SECRET)
    assert ("/events/0 must be equal to one of the allowed values",) == unknown.value.errors
    assert ("bad url: gopher://a.example/",) == bad.value.errors
    assert 422 == bad.value.status


async def logged(studio: FakeStudio, count: int) -> str:
    """The id of a webhook that nobody answers, after one attempt at each of so many events, a minute apart."""
    webhook, story = studio.add_webhook(NOWHERE), Studio(T0_MS, Random(1))  # noqa: S311 -- ids of a fiction
    for number in range(count):
        await studio.sender.deliver(story.started(number * 60_000) if number % 2 == 0 else story.idle(number * 60_000))
        studio.clock.advance(60_000)
    return str(webhook["id"])


async def test_the_log_of_all_pages() -> None:
    """The newest first, each with the bytes that were sent, which their signature fits."""
    async with asked(patience=replace(QUICK, page_items=2)) as (studio, client, _):
        webhook_id = await logged(studio, 5)
        entries = await all_of(client.webhook_log(webhook_id))
        sent = [entry["request"]["body"].encode() for entry in reversed(studio.sender.logs[webhook_id])]
    assert sent == [entry.body for entry in entries]
    assert [json.loads(body)["id"] for body in sent] == [entry.event_id for entry in entries]
    for entry in entries:
        assert entry.signature is not None
        assert Keyring([SECRET]).match(entry.body, parse_header(entry.signature).v1)
        assert (None, False, NOWHERE) == (entry.status, entry.success, entry.request and entry.request.url)


async def test_the_log_in_part() -> None:
    """Of a time, of an event, of failures, of an object."""
    async with asked() as (studio, client, _):
        webhook_id = await logged(studio, 6)
        times = [T0_MS + number * 60_000 for number in range(6)]
        between = await all_of(client.webhook_log(webhook_id, since_ms=times[2], until_ms=times[4]))
        idle = await all_of(client.webhook_log(webhook_id, event="stream.idle"))
        wins = await all_of(client.webhook_log(webhook_id, success=True))
        losses = await all_of(client.webhook_log(webhook_id, success=False, resource_id=str(between[0].event_id)))
    assert times[4:1:-1] == [entry.created_ms for entry in between]
    assert [times[5], times[3], times[1]] == [entry.created_ms for entry in idle]
    assert [] == wins
    assert [between[0].id] == [entry.id for entry in losses]


async def test_the_log_in_part_where_the_api_does_not_heed_it() -> None:
    """What is older or newer than was asked for is left out, and behind what is older nothing is asked."""
    entry = fixture("probe/webhook-log.success.json")
    rows = [{**entry, "id": str(at_ms), "createdAt": at_ms} for at_ms in (50, 40, 30, 20)]
    async with asked() as (studio, client, _):
        studio.faults["/webhook/w/log"] = Fault(body=json.dumps(rows))
        assert [40, 30] == [one.created_ms for one in await all_of(client.webhook_log("w", since_ms=25, until_ms=45))]


async def test_a_delivery_is_resent() -> None:
    """The new entry tells how it went; that it failed again is an answer, too."""
    async with asked() as (studio, client, _):
        webhook_id = await logged(studio, 1)
        [first] = await all_of(client.webhook_log(webhook_id))
        again = await client.resend(webhook_id, first.id)
        with pytest.raises(NotFound):
            await client.resend(webhook_id, "no-such-entry")
    assert (False, first.event_id) == (again.success, again.event_id)
    assert again.id != first.id


async def test_signing_keys() -> None:
    """As the API has them; where it does not tell, they are not known rather than none."""
    key = {"id": "k1", "name": "web", "publicKey": "LS0tLS1CRUdJTg==", "disabled": True, "createdAt": 7}
    async with asked() as (studio, client, _):
        assert () == await client.signing_keys()
        studio.add(studio.signing_keys, key)
        expected = SigningKey(id="k1", name="web", public_key="LS0tLS1CRUdJTg==", disabled=True, created_ms=7)
        assert (expected,) == await client.signing_keys()
        for status in (403, 404):
            studio.faults["/access-control/signing-key"] = Fault(status=status, body='{"errors":["no"]}')
            assert await client.signing_keys() is None


async def test_what_is_of_another_project_is_not_there() -> None:
    """The key's project is all that it sees (FACTS 9)."""
    async with asked() as (studio, client, _):
        studio.add(studio.streams, stream_row(projectId="another"))
        with pytest.raises(NotFound):
            await client.stream(STREAM_ID)
        studio.keys = {key: Credential(project_id="another") for key in studio.keys}
        assert STREAM_ID == (await client.stream(STREAM_ID)).id


async def test_without_a_key_nothing_is_asked() -> None:
    """Whoever has none is told, before anything goes out."""
    async with asked(key=None) as (studio, client, _):
        with pytest.raises(NotConfigured):
            await client.stream(STREAM_ID)
        with pytest.raises(NotConfigured):
            await all_of(client.webhooks())
        assert ([], False) == (studio.asked, client.configured)


@pytest.mark.parametrize("name", ["", ".", "..", "a\nb", "ü", "x" * 201])
async def test_what_cannot_be_an_id_is_not_asked_for(name: str) -> None:
    """It would be another path."""
    async with asked() as (studio, client, _):
        with pytest.raises(NotFound):
            await client.stream(name)
        assert [] == studio.asked


@pytest.mark.parametrize("name", ["a/b", "../webhook", "a?b=c", "a%2fb", "#"])
async def test_an_id_stays_within_its_place(name: str) -> None:
    """Whatever stands in it."""
    async with asked() as (studio, client, _):
        studio.add(studio.assets, {"id": name})
        assert name == (await client.asset(name)).id
        assert [f"/asset/{name}"] == [request.path for request in studio.asked]


@pytest.mark.parametrize("fault", [NO_JSON, ANOTHER_JSON, Fault(body='{"id": "another"}'), Fault(body="[]"), Fault()])
async def test_something_else_than_was_asked_for(fault: Fault) -> None:
    """It is not taken for an answer."""
    async with asked() as (studio, client, _):
        studio.faults["/"] = fault
        with pytest.raises(Unavailable):
            await client.asset("a")


async def test_a_list_that_is_none_and_items_that_are_none() -> None:
    """The one is a failure; the others are left out."""
    async with asked() as (studio, client, _):
        studio.faults["/webhook"] = ANOTHER_JSON
        with pytest.raises(Unavailable):
            await all_of(client.webhooks())
        studio.faults["/webhook"] = Fault(body='[7, null, {"id": 7}, {}, {"id": "w"}, {"id": "w"}]')
        assert [Webhook(id="w")] == await all_of(client.webhooks())


async def test_the_client_that_settings_make(tmp_path: Path) -> None:
    """With their URL, key and secrets, and the digest key of this service."""
    async with asked() as (studio, _, waits):
        studio.add(studio.streams, stream_row())
        hook = studio.add_webhook(NOWHERE, sharedSecret="second")
        settings = Settings(studio_url=studio.url, studio_api_key=next(iter(studio.keys)), data_dir=tmp_path)
        keys = Keys(("first", "second"), (), digest_key=DIGEST_KEY)
        async with studio_client(settings, keys, waits.timing()) as client:
            assert key_digest(DIGEST_KEY, STREAM_KEY) == (await client.stream(STREAM_ID)).key_digest
            assert "ours" == (await client.webhook(hook["id"])).secret


async def test_in_real_time() -> None:
    """The client as it is made when nothing is said of time."""
    async with asked() as (studio, _, _waits), StudioClient(studio.url, KEY, DOOR) as client:
        studio.add(studio.streams, stream_row())
        assert STREAM_ID == (await client.stream(STREAM_ID)).id
        studio.faults["/stream"] = limited("3600")
        with pytest.raises(RateLimited):
            await client.stream(STREAM_ID)
        with pytest.raises(RateLimited) as held:
            await client.session(SESSION_ID)
    assert 3590 < held.value.retry_after_s <= 3600


SHAPES = (Stream, Session, Asset, Task, Playback, Webhook, LogEntry, SigningKey)
EXAMPLES: Mapping[type[Shape], Mapping[str, Any]] = {
    Stream: stream_row(playbackPolicy={"type": "jwt"}, issues=["a"]),
    Session: fixture("probe/session.ready.json"),
    Asset: asset_row(),
    Task: task_row(),
    Playback: fixture("probe/playback-info.gated.json"),
    Webhook: fixture("probe/webhook.failing.json"),
    LogEntry: fixture("probe/webhook-log.success.json"),
    SigningKey: {"id": "k", "name": "web", "publicKey": "LS0t", "disabled": False},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(SHAPES), st.data())
def test_a_field_of_another_type_reads_as_absent(shape: type[Shape], data: st.DataObject) -> None:
    """Whatever stands in a field, and whatever fields are added: the rest is read as it was."""
    example = dict(EXAMPLES[shape])
    field = data.draw(st.sampled_from([name for name in example if name != "id"]), "field")
    value: JsonValue = data.draw(JSON, "value")
    before = shape.model_validate(example).model_dump()
    after = shape.model_validate({**example, field: value, "another": value}).model_dump()
    assert 1 >= sum(before[name] != after[name] for name in before)


@given(JSON.filter(lambda value: not isinstance(value, str)))
def test_an_id_is_needed(value: JsonValue) -> None:
    """Without one there is nothing to speak of."""
    with pytest.raises(ValueError, match="id"):
        Stream.model_validate({"id": value})


@given(st.lists(st.text(min_size=1), min_size=1, max_size=3), st.text())
def test_a_secret_is_ours_if_it_is_one_of_ours(secrets: list[str], given_one: str) -> None:
    """Whichever it is."""
    compare = known_secret(secrets)
    assert "current" == compare(secrets[0])
    assert {compare(secret) for secret in secrets} <= {"current", "ours"}
    assert (given_one in secrets) == (compare(given_one) != "other")


@pytest.mark.parametrize(
    ("body", "expected"),
    [("b2s=", "ok"), ("b2", None), ("", None), (7, None), (base64.b64encode(b"\xff").decode(), "�")],
)
def test_an_answer_in_the_log(body: object, expected: str | None) -> None:
    """Its text, where there is one."""
    entry = LogEntry.model_validate({"id": "e", "response": {"body": body}})
    assert entry.response is not None
    assert expected == entry.response.body


@pytest.mark.parametrize("body", ["", "{", "[]", '{"id":7}', '{"id":"a\\nb"}', "\ud800"])
def test_an_entry_of_no_event(body: str) -> None:
    """Its body may be anything."""
    entry = LogEntry.model_validate({"id": "e", "request": {"body": body}})
    assert (None, None, None) == (entry.event_id, entry.signature, entry.status)
    assert (b"", None) == (LogEntry(id="e").body, LogEntry(id="e").event_id)
    assert b"a" == LogEntry(id="e", request=LogRequest(body=b"a")).body
