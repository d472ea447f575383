"""P10: whatever the Studio API says, no secret passes the client's door."""

import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from receiver.livepeer.studio import StudioClient
from receiver.livepeer.studio.failures import StudioError
from receiver.livepeer.studio.objects import Asset, Session, Stream
from receiver.livepeer.studio.values import Shape
from receiver.livepeer.studio.webhooks import LogEntry, LogRequest, Webhook
from tests.running import logged
from tests.studio import FakeStudio
from tests.studio_client import DOOR, asked
from tests.studio_faults import Fault
from tests.studio_rows import Row, asset_row, fixture, stream_row

API_KEY = "planted-api-key-0001"
PLANTED: Mapping[str, str] = {
    "stream key": "plan-ted1-stre-amke",
    "another key": "planted key of no known form",
    "shared secret": "planted-shared-secret",
    "new secret": "planted-new-secret",
    "pull header": "planted-pull-header",
    "webhook context": "planted-webhook-context",
    "target": "planted-target-key",
    "token": "planted-url-token",
    "password": "planted-password",
    "bearer": "planted-bearer-0001",
    "API key": API_KEY,
}


def shown(shape: Shape) -> str:
    """All that may be written of a value without a second thought."""
    return f"{shape!r} {shape}"


def filled(row: Row) -> Row:
    """An object with everything in it that must not come out."""
    of_stream = {
        "streamKey": PLANTED["another key"],
        "sharedSecret": PLANTED["shared secret"],
        "secret": PLANTED["shared secret"],
        "keyDigest": PLANTED["another key"],
        "pull": {"source": f"https://u:{PLANTED['password']}@a.example/", "headers": {"X": PLANTED["pull header"]}},
        "playbackPolicy": {"type": "webhook", "webhookContext": {"a": [PLANTED["webhook context"]]}},
        "multistream": {"targets": [{"id": "t", "spec": {"url": f"rtmp://a.example/live/{PLANTED['target']}"}}]},
    }
    issues = f"cannot read https://u:{PLANTED['password']}@a.example/b?token={PLANTED['token']}"
    said = f"{issues}, key {PLANTED['stream key']}, Authorization: Bearer {PLANTED['bearer']}"
    of_work = {"status": {"phase": "failed", "errorMessage": said}, "source": {"type": "url", "url": said}}
    return {**row, **of_stream, "issues": [said], "parentStream": of_stream, **of_work, "params": of_stream}


ASKED: Mapping[str, Callable[[StudioClient], Awaitable[object]]] = {
    "stream": lambda client: client.stream("i"),
    "streams": lambda client: listed(client.streams()),
    "session": lambda client: client.session("i"),
    "sessions": lambda client: listed(client.sessions("i")),
    "asset": lambda client: client.asset("i"),
    "task": lambda client: client.task("i"),
    "playback": lambda client: client.playback("i"),
    "webhook": lambda client: client.webhook("i"),
    "webhooks": lambda client: listed(client.webhooks()),
    "log": lambda client: listed(client.webhook_log("i")),
    "resend": lambda client: client.resend("i", "i"),
    "signing keys": lambda client: client.signing_keys(),
    "create": lambda client: client.create_webhook(name="n", url="u", events=["e"], secret=PLANTED["new secret"]),
    "update": lambda client: client.update_webhook("i", secret=PLANTED["new secret"]),
}


async def listed(items: AsyncIterator[object]) -> list[object]:
    """Everything in a list."""
    return [item async for item in items]


@pytest.mark.parametrize("name", ASKED)
async def test_no_answer_holds_a_secret(name: str) -> None:
    """Not to be seen, and but for a URL, a body and an answer that are not shown not there either."""
    row = {**filled(stream_row()), "id": "i"}
    text = json.dumps([row] if name in {"streams", "sessions", "webhooks", "log", "signing keys"} else row)
    async with asked(API_KEY) as (studio, client, _):
        studio.faults["/"] = Fault(body=text)
        found = await ASKED[name](client)
    values = found if isinstance(found, list | tuple) else [found]
    held = json.dumps([value.model_dump(mode="json") for value in values if isinstance(value, BaseModel)])
    assert [] == [secret for secret in PLANTED if PLANTED[secret] in f"{found!r} {found} {held}"]


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 422, 429, 500, 503])
async def test_no_failure_holds_a_secret(name: str, status: int) -> None:
    """Whatever an error repeats: the key, which a 401 does, the request, or what stands behind it."""
    sent = PLANTED["new secret"] if name in {"create", "update"} else ""
    repeated = f"no token {API_KEY} found for {API_KEY}, sent {sent}, {PLANTED['stream key']}"
    repeated += f", https://u:{PLANTED['password']}@a.example/?token={PLANTED['token']}, Bearer {PLANTED['bearer']}"
    said = [repeated, json.dumps({"instancePath": repeated, "message": repeated})]
    body = json.dumps({"errors": said, "error": repeated, "error_detail": repeated})
    headers = {"Location": f"https://a.example/?key={API_KEY}", "Retry-After": API_KEY}
    with logged(level="debug") as log:
        async with asked(API_KEY) as (studio, client, _):
            studio.faults["/"] = Fault("answer", status, body, headers)
            told = await _told(ASKED[name](client))
    assert [] == [secret for secret in PLANTED if PLANTED[secret] in told + log.getvalue()]


@pytest.mark.parametrize(
    "fault", [Fault("broken"), Fault(body=f'{{"id": "{API_KEY}"'), Fault(body=json.dumps(API_KEY))]
)
async def test_no_broken_answer_shows_a_secret(fault: Fault) -> None:
    """Where reading fails, nothing of what was read is told."""
    with logged(level="debug") as log:
        async with asked(API_KEY) as (studio, client, _):
            studio.faults["/"] = fault
            told = await _told(client.stream("i"))
    assert API_KEY not in told + log.getvalue()


async def test_the_true_401_repeats_the_key() -> None:
    """So the test above is of something (FACTS 9)."""
    async with asked("planted-unknown-key") as (_, client, _waits):
        told = await _told(client.stream("i"))
    assert "planted-unknown-key" not in told
    assert "RECEIVER_STUDIO_API_KEY" in told


async def _told(call: Awaitable[object]) -> str:
    """All that can be told of a failure, with what its frames show of themselves."""
    try:
        await call
    except StudioError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=False)
        return f"{error!r} {error} {error.errors} {vars(error)} {error.__context__!r} {''.join(told.format())}"
    return ""


MARKED = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", min_size=12, max_size=12).map("zq{}".format)


@given(st.sampled_from([Stream, Session, Webhook]), MARKED)
def test_a_key_or_secret_of_any_form_stays_outside(shape: type[Shape], secret: str) -> None:
    """Not even hidden: it is not there."""
    row: dict[str, Any] = filled({"id": "i"}) | {"streamKey": secret, "sharedSecret": secret}
    row["parentStream"] = {"streamKey": secret}
    row["playbackPolicy"] = {"webhookContext": secret}
    row["pull"] = {"headers": {secret: secret}}
    row["multistream"] = {"targets": [{"id": "t", "spec": {"url": secret}}]}
    read = shape.model_validate(DOOR.stream(DOOR.webhook(row)))
    assert secret not in read.model_dump_json()


def test_what_is_kept_but_not_shown() -> None:
    """A body that was delivered, and URLs that may hold credentials: they are there for who uses them."""
    url = f"https://u:{PLANTED['password']}@a.example/hook?token={PLANTED['token']}"
    webhook = Webhook(id="w", url=url)
    entry = LogEntry.model_validate(
        {
            "id": "e",
            "request": {"url": url, "body": PLANTED["another key"], "headers": {"Livepeer-Signature": "t=1,v1=ab"}},
            "response": {"body": "cGxhbnRlZC1zaGFyZWQtc2VjcmV0"},
        }
    )
    assert entry.request is not None
    assert (url, url, PLANTED["another key"].encode()) == (webhook.url, entry.request.url, entry.body)
    assert "https://[redacted]@a.example/hook?[redacted]" == webhook.shown_url == entry.request.shown_url
    told = shown(webhook) + shown(entry) + str(webhook.shown_url)
    assert [] == [name for name, secret in PLANTED.items() if secret in told]
    assert "v1=ab" not in told
    assert (None, None) == (Webhook(id="w").shown_url, LogRequest().shown_url)


async def test_the_fake_has_what_must_not_come_out() -> None:
    """Its streams have a key, its sessions their parent's, its webhooks their secret."""
    async with asked() as (studio, client, _):
        await _planted(studio)
        stream = await client.stream("s")
        [session] = await listed(client.sessions("s"))
        [webhook] = await listed(client.webhooks())
        asset = await client.asset("a")
    assert isinstance(asset, Asset)
    held = f"{stream.model_dump()} {session} {webhook} {asset}"
    assert PLANTED["another key"] not in held
    assert PLANTED["shared secret"] not in held


async def _planted(studio: FakeStudio) -> None:
    studio.add(studio.streams, stream_row(id="s", streamKey=PLANTED["another key"]))
    studio.add(studio.sessions, {**fixture("probe/session.ready.json"), "parentId": "s"})
    studio.add(studio.assets, asset_row(id="a"))
    studio.add_webhook("http://127.0.0.1:9/", sharedSecret=PLANTED["shared secret"])
