from typing import Any

import pytest
from aiohttp import ClientResponse
from msgspec import to_builtins
from msgspec.json import decode
from sqlalchemy import Connection, insert

from receiver.diagnosis.refusal import CHECKS
from receiver.routes.models import PlaybackExplained
from receiver.storage.tables import PlaybackStreamRow
from tests.routes.rows import NOW_MS, PLAYBACK_ID, STREAM_ID, add_stream
from tests.routes.service import READER, Service, lose, problem
from tests.tokens import NOW_MS as TOKENS_NOW_MS
from tests.tokens import NOW_S, Signer

SIGNER = Signer.fresh()


async def ask(service: Service, **question: object) -> ClientResponse:
    """Ask about the playback id, with a token that may only read."""
    body = {"playback_id": PLAYBACK_ID, **question}
    return await service.client.post("/v1/playback/explain", json=body, headers=READER)


async def explained(service: Service, **question: object) -> dict[str, Any]:
    """The answer, which must be 200 and valid."""
    response = await ask(service, **question)
    assert (200, "application/json") == (response.status, response.content_type), await response.text()
    return dict(to_builtins(decode(await response.read(), type=PlaybackExplained)))


def of(answer: dict[str, Any], check: str) -> tuple[str, str]:
    """Verdict and detail of a check."""
    return next((one["verdict"], one["detail"]) for one in answer["checks"] if one["check"] == check)


def known(**folded: object) -> Any:  # noqa: ANN401 -- whatever `fill` takes
    """A stream, with what its events came to, and whose playback id it is."""

    def write(conn: Connection) -> None:
        add_stream(conn, folded={"stream_id": STREAM_ID, **folded})
        conn.execute(insert(PlaybackStreamRow).values(playback_id=PLAYBACK_ID, stream_id=STREAM_ID))

    return write


async def test_a_refusal_is_explained(service: Service) -> None:
    """By the token alone, at the service's own time: verdict, reason, message, fix, and every check in order."""
    assert NOW_MS == TOKENS_NOW_MS
    found = await explained(service, jwt=SIGNER.token(exp=NOW_S - 90))
    assert ("denied", "JwtExpired") == (found["verdict"], found["reason"])
    assert found["message"] == "`exp` is 2024-09-12T14:58:30Z: it passed 90 s ago."
    assert "fresh token" in found["fix"]
    assert list(CHECKS) == [one["check"] for one in found["checks"]]
    service.clock.set(NOW_MS - 120_000)
    assert "unknown" == (await explained(service, jwt=SIGNER.token(exp=NOW_S - 90, iat=...)))["verdict"]


async def test_without_more_than_an_id_it_says_what_it_takes(service: Service) -> None:
    """Nothing is known of a stream of which nothing was heard."""
    found = await explained(service)
    assert ("unknown", "AccessUnknown") == (found["verdict"], found["reason"])
    assert "RECEIVER_STUDIO_API_KEY" in found["fix"]


@pytest.mark.parametrize(
    ("folded", "said"),
    [
        ({"suspended": True}, "The stream is suspended, as its last event says: to the gate there is no such content."),
        ({"deleted": {"id": "e", "kind": "stream.idle", "at_ms": NOW_MS}}, "The stream is deleted, as its last event"),
    ],
)
async def test_what_events_said_of_the_stream_counts(service: Service, folded: dict[str, object], said: str) -> None:
    """Suspended or deleted, as the store has it; and its id is known again in a token."""
    service.fill(known(**folded))
    found = await explained(service, jwt=SIGNER.token())
    assert ("denied", "ContentSuspended") == (found["verdict"], found["reason"])
    assert found["message"].startswith(said)
    wrong = await explained(service, jwt=SIGNER.token(sub=STREAM_ID))
    assert wrong["message"].endswith(": it is the stream's id. Besides: `content`.")


async def test_that_it_was_not_suspended_is_no_knowledge_of_now(service: Service) -> None:
    """Livepeer sends no event when a stream is suspended while idle."""
    service.fill(known())
    assert "unknown" == of(await explained(service), "content")[0]


async def test_a_state_that_cannot_be_read_says_nothing(service: Service) -> None:
    """A fault of ours is no answer about access."""
    service.fill(known(suspended="perhaps"))
    assert "unknown" == of(await explained(service), "content")[0]


@pytest.mark.parametrize(
    ("question", "pointer"),
    [
        ({"playback_id": None}, "/playback_id"),
        ({"playback_id": ""}, "/playback_id"),
        ({"playback_id": "7c1e-abcd-efgh-ijkl"}, "/playback_id"),
        ({"playback_id": "a b"}, "/playback_id"),
        ({"jwt": 7}, "/jwt"),
        ({"jwt": "planted" * 3000}, "/jwt"),
        ({"access_key": "planted" * 300}, "/access_key"),
        ({"access_key": ["planted"]}, "/access_key"),
        ({"origin": "x" * 2001}, "/origin"),
        ({"error": "x" * 2001}, "/error"),
        ({"planted": "x"}, "/planted"),
    ],
)
async def test_what_does_not_hold_is_refused(service: Service, question: dict[str, Any], pointer: str) -> None:
    """A 422 points to what is wrong and does not repeat it."""
    response = await ask(service, **question)
    assert (422, "invalid_request") == await problem(response)
    body = await response.json()
    assert [pointer] == [error["pointer"] for error in body["errors"]]
    assert "planted" not in (await response.text()).replace('"/planted"', "")


@pytest.mark.parametrize(
    ("headers", "data", "expected"),
    [
        ({}, b"{", (400, "bad_request")),
        ({"Content-Type": "text/plain"}, b"{}", (415, "unsupported_media_type")),
        ({}, b" " * 70_000, (413, "body_too_large")),
        ({"Authorization": "Bearer no-such-token"}, b"{}", (401, "unauthorized")),
    ],
)
async def test_problems_are_as_elsewhere(
    service: Service, headers: dict[str, str], data: bytes, expected: tuple[int, str]
) -> None:
    """No JSON, another kind, too much, nobody we know."""
    headers = {**READER, "Content-Type": "application/json", **headers}
    response = await service.client.post("/v1/playback/explain", data=data, headers=headers)
    assert expected == await problem(response)


async def test_a_lost_store_is_our_fault(service: Service, database_url: str) -> None:
    """503, and not a verdict."""
    service.database.close_now()
    lose(database_url)
    assert (503, "store_unavailable") == await problem(await ask(service))


async def test_it_is_described(service: Service) -> None:
    """Credentials are described as secrets, which are written only; checks have their verdicts."""
    document = await (await service.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    for name in ("jwt", "access_key"):
        kinds = schemas["PlaybackQuestion"]["properties"][name]["anyOf"]
        assert {"password"} == {one["format"] for one in kinds if one["type"] == "string"}
    assert {"pass", "fail", "unknown"} == set(schemas["PlaybackCheck"]["properties"]["verdict"]["enum"])
    named = schemas["PlaybackCheck"]["properties"]["check"]["description"].partition(":")[0]
    assert ", ".join(f"`{name}`" for name in CHECKS) == named
    operation = document["paths"]["/v1/playback/explain"]["post"]
    assert ["200", "400", "401", "403", "413", "415", "422", "503"] == list(operation["responses"])
