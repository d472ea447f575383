import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientResponse
from msgspec import to_builtins
from msgspec.json import decode
from sqlalchemy import delete, select

from receiver.keys import Keys
from receiver.routes.models import Event, Observation
from receiver.storage.tables import BodyRow, IdempotencyRow, PendingRow, SignalRow
from tests.routes.rows import NOW_MS, PLAYBACK_ID, SESSION_ID, STREAM_ID
from tests.routes.service import READER, WRITER, Service, problem

STREAM_KEY = "7c1e-abcd-efgh-ijkl"
DAY_MS = 24 * 3_600_000


async def send(service: Service, value: dict[str, Any], key: str | None = None) -> ClientResponse:
    """Post an observation with the writer's token."""
    headers = WRITER if key is None else {**WRITER, "Idempotency-Key": key}
    return await service.client.post("/v1/observations", json=value, headers=headers)


async def stored(service: Service, value: dict[str, Any]) -> dict[str, Any]:
    """What is kept of an observation."""
    response = await send(service, value)
    assert 201 == response.status, await response.text()
    body = service.database.read_now(lambda conn: conn.execute(select(BodyRow.body)).scalar_one())
    return dict(json.loads(body))


def count(service: Service) -> tuple[int, int]:
    """How many signals there are, and how many wait for the diagnoser."""
    return service.database.read_now(
        lambda conn: (
            len(conn.execute(select(SignalRow.seq)).all()),
            len(conn.execute(select(PendingRow.seq)).all()),
        )
    )


async def pointers(response: ClientResponse) -> list[str]:
    """What a 422 finds wrong."""
    assert (422, "invalid_request") == await problem(response)
    return [error["pointer"] for error in (await response.json())["errors"]]


async def test_an_observation_is_answered_as_stored(service: Service) -> None:
    """201 with the observation, its id and where to find it; the diagnoser is woken."""
    response = await send(
        service,
        {
            "kind": "playback_error",
            "stream_id": STREAM_ID,
            "at": "2024-09-12T16:59:00+02:00",
            "error": "forbidden",
            "http_status": 403,
            "message": "not allowed to view this stream",
        },
    )
    found = decode(await response.read(), type=Observation)
    expected = {
        "id": found.id,
        "kind": "playback_error",
        "stream_id": STREAM_ID,
        "playback_id": None,
        "session_id": None,
        "at": "2024-09-12T14:59:00.000Z",
        "received_at": "2024-09-12T15:00:00.000Z",
        "error": "forbidden",
        "http_status": 403,
        "message": "not allowed to view this stream",
    }
    assert (201, expected) == (response.status, to_builtins(found))
    assert f"/v1/events/{found.id}" == response.headers["Location"]
    assert 1 == service.diagnoser.woken
    assert found.id == (await service.json(response.headers["Location"], Event))["id"]


async def test_an_observation_is_a_signal_that_waits(service: Service) -> None:
    """It stands in the log at its own time, and is pending for the diagnoser."""
    await send(service, {"kind": "publish_intent", "stream_id": STREAM_ID, "at": "2024-09-12T14:00:00Z"})
    signal = service.database.read_now(lambda conn: conn.execute(select(SignalRow.__table__)).one())._mapping
    pending = service.database.read_now(lambda conn: conn.execute(select(PendingRow.__table__)).one())._mapping
    at_ms = NOW_MS - 3_600_000
    expected = {
        "seq": signal["seq"],
        "id": signal["id"],
        "webhook_id": "",
        "source": "observation",
        "kind": "observation.publish_intent",
        "stream_id": STREAM_ID,
        "session_id": None,
        "playback_id": None,
        "position": f"{at_ms:015d}:05:{signal['id']}",
        "created_ms": at_ms,
        "attempted_ms": at_ms,
        "first_received_ms": NOW_MS,
        "last_received_ms": NOW_MS,
        "attempts": 1,
        "flag": None,
    }
    assert expected == {name: value for name, value in signal.items() if name != "key"}
    body = service.database.read_now(lambda conn: conn.execute(select(BodyRow.__table__)).one())
    said = b'{"kind":"publish_intent","stream_id":"' + STREAM_ID.encode() + b'","at_ms":%d}' % at_ms
    assert (signal["seq"], said) == tuple(body)
    assert (signal["seq"], True) == (pending["signal_seq"], pending["changed"])
    assert pending["seq"] > signal["seq"]


async def test_without_a_time_it_is_now(service: Service) -> None:
    """An observation without `at` was made when it was received."""
    assert NOW_MS == (await stored(service, {"kind": "playback_ok", "playback_id": PLAYBACK_ID}))["at_ms"]


@pytest.mark.parametrize(
    ("ids", "columns"),
    [
        ({"stream_id": "s"}, ("s", None, None)),
        ({"playback_id": "p"}, (None, "p", None)),
        ({"session_id": SESSION_ID}, (None, None, SESSION_ID)),
        ({"stream_id": "s", "playback_id": "p"}, ("s", None, None)),
        ({"session_id": SESSION_ID, "playback_id": "p"}, (None, "p", SESSION_ID)),
    ],
)
async def test_the_stream_id_wins(
    service: Service, ids: dict[str, str], columns: tuple[str | None, str | None, str | None]
) -> None:
    """The playback id leads to a stream only where no stream is named; what was said stays in the body."""
    body = await stored(service, {"kind": "playback_ok", **ids})
    asked = select(SignalRow.stream_id, SignalRow.playback_id, SignalRow.session_id)
    assert columns == tuple(service.database.read_now(lambda conn: conn.execute(asked).one()))
    assert ids == {name: body[name] for name in body if name.endswith("_id")}


async def test_a_stream_key_is_kept_as_a_keyed_digest_only(service: Service, keys: Keys) -> None:
    """The key itself is nowhere in the store nor in an answer (P10)."""
    value = {"kind": "publish_rejected", "stream_id": STREAM_ID, "stream_key": STREAM_KEY}
    response = await send(service, value)
    assert STREAM_KEY not in await response.text()
    signals = service.database.read_now(lambda conn: conn.execute(select(SignalRow.__table__)).all())
    [body] = service.database.read_now(lambda conn: conn.execute(select(BodyRow.body)).scalars().all())
    assert STREAM_KEY not in f"{signals} {body!r}"
    digest = hmac.new(keys.digest_key, STREAM_KEY.encode(), hashlib.sha256).hexdigest()
    assert digest == json.loads(body)["key_digest"]


@pytest.mark.parametrize(
    ("value", "matches", "is_playback_id"),
    [
        ({"stream_id": STREAM_ID, "stream_key": STREAM_KEY}, True, False),
        ({"stream_id": STREAM_ID, "stream_key": "abcd-abcd-efgh-ijkl"}, False, False),
        ({"playback_id": PLAYBACK_ID, "stream_key": STREAM_KEY}, True, False),
        ({"stream_id": STREAM_ID, "stream_key": PLAYBACK_ID}, True, True),
        ({"stream_id": STREAM_ID, "stream_key": f"{PLAYBACK_ID}-test"}, True, True),
        ({"playback_id": "custom", "stream_key": "custom"}, True, True),
        ({"session_id": SESSION_ID, "stream_key": STREAM_KEY}, None, False),
    ],
)
async def test_what_a_stream_key_tells(
    service: Service, value: dict[str, str], *, matches: bool | None, is_playback_id: bool
) -> None:
    """Whether the key begins as the stream's ids do, and whether it is a playback id (FACTS 2.3)."""
    body = await stored(service, {"kind": "publish_intent", **value})
    assert (matches, is_playback_id) == (body.get("key_prefix_matches"), body["key_is_playback_id"])


async def test_secrets_are_taken_out_of_messages(service: Service) -> None:
    """What a player or encoder said is stored without the keys and tokens in it."""
    said = f"cannot publish to rtmp://rtmp.livepeer.com/live/{STREAM_KEY}: not allowed to view this stream"
    body = await stored(service, {"kind": "playback_error", "stream_id": STREAM_ID, "message": said})
    assert STREAM_KEY not in body["message"]
    assert "not allowed to view this stream" in body["message"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"kind": "nothing"}, "/kind"),
        ({"kind": None}, "/kind"),
        ({"surprise": 1}, "/surprise"),
        ({"stream_id": None}, "/stream_id"),
        ({"stream_id": ""}, "/stream_id"),
        ({"stream_id": 7}, "/stream_id"),
        ({"stream_id": "a b"}, "/stream_id"),
        ({"stream_id": "a\u0000"}, "/stream_id"),
        ({"stream_id": "é"}, "/stream_id"),
        ({"stream_id": "x" * 201}, "/stream_id"),
        ({"playback_id": STREAM_KEY}, "/playback_id"),
        ({"at": "2024-09-12T15:00:00"}, "/at"),
        ({"at": "yesterday"}, "/at"),
        ({"at": NOW_MS}, "/at"),
        ({"at": str(NOW_MS)}, "/at"),
        ({"at": "2024-09-12T15:05:00.001Z"}, "/at"),
        ({"at": "2024-09-05T14:59:59.999Z"}, "/at"),
        ({"error": "broken"}, "/error"),
        ({"kind": "playback_ok", "error": "other"}, "/error"),
        ({"http_status": 99}, "/http_status"),
        ({"http_status": 600}, "/http_status"),
        ({"http_status": "403"}, "/http_status"),
        ({"http_status": True}, "/http_status"),
        ({"http_status": 403.0}, "/http_status"),
        ({"message": "x" * 1001}, "/message"),
        ({"message": ["x"]}, "/message"),
        ({"stream_key": STREAM_KEY}, "/stream_key"),
        ({"kind": "publish_intent", "stream_key": ""}, "/stream_key"),
        ({"kind": "publish_intent", "stream_key": "x" * 201}, "/stream_key"),
    ],
)
async def test_what_does_not_hold_is_refused(service: Service, changes: dict[str, Any], pointer: str) -> None:
    """A 422 points to what is wrong, does not repeat it, and stores nothing."""
    value = {"kind": "playback_error", "stream_id": STREAM_ID, **changes}
    response = await send(service, {name: value[name] for name in value if value[name] is not None})
    assert [pointer] == await pointers(response)
    assert STREAM_KEY not in await response.text()
    assert (0, 0) == count(service)


@pytest.mark.parametrize("at", ["2024-09-12T15:05:00.000Z", "2024-09-05T15:00:00.000Z"])
async def test_clocks_may_differ_a_little(service: Service, at: str) -> None:
    """Five minutes ahead and seven days ago are still taken."""
    assert 201 == (await send(service, {"kind": "playback_ok", "stream_id": STREAM_ID, "at": at})).status


async def test_all_that_is_wrong_is_told_at_once(service: Service) -> None:
    """Several faults are listed together."""
    response = await send(service, {"kind": "playback_ok", "error": "other", "at": "2025-01-01T00:00:00Z"})
    assert ["/stream_id", "/at", "/error"] == await pointers(response)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 5000, b'{"kind": NaN}', b'{"message":"\\ud800"}'])
async def test_what_is_no_json_is_refused(service: Service, body: bytes) -> None:
    """A body that cannot be read is a 400 or 422, never a fault of ours."""
    headers = {**WRITER, "Content-Type": "application/json"}
    response = await service.client.post("/v1/observations", data=body, headers=headers)
    assert (await problem(response))[0] in {400, 422}


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"text"'])
async def test_a_body_that_is_no_object_is_refused(service: Service, body: bytes) -> None:
    """JSON that is no object is a 422."""
    headers = {**WRITER, "Content-Type": "application/json"}
    response = await service.client.post("/v1/observations", data=body, headers=headers)
    assert (422, "invalid_request") == await problem(response)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
async def test_only_json_is_read(service: Service, content_type: str) -> None:
    """Another kind of body is a 415."""
    headers = {**WRITER, "Content-Type": content_type}
    response = await service.client.post("/v1/observations", data=b"{}", headers=headers)
    assert (415, "unsupported_media_type") == await problem(response)


async def test_a_large_body_is_not_read(service: Service) -> None:
    """Beyond 64 KiB the answer is 413, whether the length was said before or not."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1024

    headers = {**WRITER, "Content-Type": "application/json"}
    for body in (b" " * 70_000, chunks()):
        response = await service.client.post("/v1/observations", data=body, headers=headers)
        assert (413, "body_too_large") == await problem(response)


async def test_a_broken_coding_is_refused(service: Service) -> None:
    """A body that is not coded as its headers say is a 400."""
    headers = {**WRITER, "Content-Type": "application/json", "Content-Encoding": "gzip"}
    response = await service.client.post("/v1/observations", data=b"not gzip at all", headers=headers)
    assert (400, "bad_request") == await problem(response)


async def test_the_same_request_under_a_key_counts_once(service: Service) -> None:
    """A repetition under the same key gets the same answer, says so, and stores nothing, however it is written."""
    value = {"kind": "publish_intent", "stream_id": STREAM_ID, "stream_key": STREAM_KEY}
    first = await send(service, value, "key-1")
    service.clock.advance(1000)
    again = await send(service, dict(reversed(value.items())), "key-1")
    assert (201, 201) == (first.status, again.status)
    assert await first.json() == await again.json()
    assert (None, "true") == (first.headers.get("Idempotent-Replayed"), again.headers.get("Idempotent-Replayed"))
    assert (1, 1) == count(service)


@pytest.mark.parametrize(
    "changes", [{"kind": "publish_rejected"}, {"stream_key": "7c1e-abcd-efgh-ijkm"}, {"at": "2024-09-12T15:00:00Z"}]
)
async def test_another_request_under_the_same_key_is_a_conflict(service: Service, changes: dict[str, str]) -> None:
    """A key stands for one request: another under it is a 409, and nothing is stored."""
    value = {"kind": "publish_intent", "stream_id": STREAM_ID, "stream_key": STREAM_KEY}
    await send(service, value, "key-1")
    response = await send(service, {**value, **changes}, "key-1")
    assert (409, "idempotency_conflict") == await problem(response)
    assert (1, 1) == count(service)


async def test_without_a_key_every_request_counts(service: Service) -> None:
    """Two equal observations without a key, or under two keys, are two."""
    value = {"kind": "playback_ok", "stream_id": STREAM_ID}
    for key in (None, None, "key-1", "key-2"):
        await send(service, value, key)
    assert (4, 4) == count(service)


async def test_a_race_under_one_key_gives_one_observation(service: Service) -> None:
    """Equal requests at the same time under one key all get the same id, and one row."""
    value = {"kind": "playback_ok", "stream_id": STREAM_ID}
    answers = await asyncio.gather(*(send(service, value, "key-1") for _ in range(20)))
    assert {201} == {response.status for response in answers}
    assert 1 == len({(await response.json())["id"] for response in answers})
    assert (1, 1) == count(service)


async def test_a_key_whose_observation_is_gone_is_free_again(service: Service) -> None:
    """Once retention has removed the observation, its key stands for nothing any more."""
    value = {"kind": "playback_ok", "stream_id": STREAM_ID}
    first = await send(service, value, "key-1")
    service.fill(lambda conn: conn.execute(delete(SignalRow)))
    again = await send(service, {**value, "kind": "recording_requested"}, "key-1")
    assert 201 == again.status
    assert (await first.json())["id"] != (await again.json())["id"]


async def test_a_key_belongs_to_its_caller(service: Service) -> None:
    """Two callers that chose the same key do not meet, and a token's text is not stored with it."""
    await send(service, {"kind": "playback_ok", "stream_id": STREAM_ID}, "key-1")
    key = service.database.read_now(lambda conn: conn.execute(select(IdempotencyRow.key)).scalar_one())
    assert key.startswith("token-")
    assert key.endswith(" key-1")


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 201, "a\tb"])
async def test_a_key_is_visible_ascii(service: Service, key: str) -> None:
    """A key that is no key is a 400."""
    response = await send(service, {"kind": "playback_ok", "stream_id": STREAM_ID}, key)
    assert (400, "bad_request") == await problem(response)


async def test_a_reader_reports_nothing(service: Service) -> None:
    """Observations need the scope `write`."""
    value = {"kind": "playback_ok", "stream_id": STREAM_ID}
    response = await service.client.post("/v1/observations", json=value, headers=READER)
    assert (403, "scope_missing") == await problem(response)
    assert (0, 0) == count(service)
