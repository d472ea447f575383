import json
from pathlib import Path

import pytest
from sqlalchemy import Connection

from receiver.routes.models import Delivery, Event, Page
from tests.routes.rows import WEBHOOK_ID, add_delivery, add_signal
from tests.routes.service import RAW, READER, Service, problem

DELIVERIES = Page[Delivery]
EVENTS = Path(__file__).parents[1] / "fixtures" / "events"


async def test_an_event_is_shown_with_its_receipts(service: Service) -> None:
    """An event by Livepeer's id has the receipts of all webhooks together, and the body of the first."""

    def fill(conn: Connection) -> None:
        add_signal(conn, "ev-1", 20, webhook_id="w2", attempts=2, body=b'{"webhookId":"w2"}')
        add_signal(conn, "ev-1", 10, webhook_id="w3", body=b'{"webhookId":"w3"}', created_ms=1_726_153_200_000)

    service.fill(fill)
    expected = {
        "id": "ev-1",
        "event": "stream.idle",
        "source": "webhook",
        "created_at": "2024-09-12T15:00:00.000Z",
        "first_received_at": "2024-09-12T15:00:00.015Z",
        "last_received_at": "2024-09-12T15:00:00.029Z",
        "attempts": 3,
        "webhook_ids": ["w2", "w3"],
        "body": {"webhookId": "w3"},
    }
    assert expected == await service.json("/v1/events/ev-1", Event)


async def test_a_body_is_shown_without_its_secrets(service: Service) -> None:
    """What a body carries that must not be shown is hidden in the answer (P10)."""
    value = json.loads((EVENTS / "stream.started.json").read_text())
    value["stream"]["pull"] = {"source": "https://u:p@example.com/a?token=t", "headers": {"x-key": "hidden-header"}}
    value["stream"]["playbackPolicy"] = {"type": "webhook", "webhookContext": {"user": "hidden-context"}}
    value["stream"]["streamKey"] = "abcd-efgh-ijkl-mnop"
    service.fill(lambda conn: add_signal(conn, "ev-1", 1, body=json.dumps(value).encode()))
    found = await service.json("/v1/events/ev-1", Event)
    shown = json.dumps(found)
    assert value["stream"]["name"] == found["body"]["stream"]["name"]
    for secret in ("hidden-header", "hidden-context", "abcd-efgh", "u:p", "token=t"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("body", "raw", "encoding"),
    [
        (b'{"b": 1,  "a":"\xc3\xa9\xe2\x80\xa8"}\n', '{"b": 1,  "a":"é\u2028"}\n', "utf-8"),
        (b"\x00", "\x00", "utf-8"),
        (b"\xff\xfe{", "//57", "base64"),
        (b"", "", "utf-8"),
    ],
)
async def test_a_raw_body_is_byte_for_byte(service: Service, body: bytes, raw: str, encoding: str) -> None:
    """With the scope `raw` the stored bytes come as they are, in base64 where they are no UTF-8."""
    service.fill(lambda conn: add_signal(conn, "ev-1", 1, body=body))
    found = await service.json("/v1/events/ev-1?raw=true", Event, RAW)
    assert (raw, encoding) == (found["raw"], found["raw_encoding"])
    assert "body" not in found


async def test_a_raw_body_needs_its_own_scope(service: Service) -> None:
    """A token without the scope `raw` is refused, whether the event exists or not."""
    for path in ("/v1/events/ev-1?raw=true", "/v1/events/none?raw=true"):
        assert (403, "scope_missing") == await problem(await service.get(path, READER))


@pytest.mark.parametrize("body", [b"not json", b"\xff", b"", b"[" * 5000])
async def test_a_body_that_is_no_json_is_null(service: Service, body: bytes) -> None:
    """What was signed but not understood is stored; its body is null where it is no JSON, and raw is there."""
    service.fill(lambda conn: add_signal(conn, "raw_1", 1, body=body, created_ms=None, flag="not_understood"))
    found = await service.json("/v1/events/raw_1", Event)
    assert None is found["created_at"]
    assert None is found["body"]


@pytest.mark.parametrize("body", [b'{"a":' * 190 + b"1" + b"}" * 190, b"[" + b"9" * 4000 + b"]", b'{"n":1e999}', b"7"])
async def test_any_json_can_be_shown(service: Service, body: bytes) -> None:
    """Deep nesting, huge numbers and bare values are shown, not a fault."""
    service.fill(lambda conn: add_signal(conn, "ev-1", 1, body=body))
    response = await service.get("/v1/events/ev-1")
    assert 200 == response.status


async def test_an_observation_does_not_show_its_key_digest(service: Service) -> None:
    """An observation is found by its id; what is kept of a stream key stays inside."""
    body = b'{"kind":"publish_intent","at_ms":5,"key_digest":"0123abcd","key_prefix_matches":true}'
    service.fill(
        lambda conn: add_signal(
            conn, "obs_1", 1, webhook_id="", source="observation", kind="observation.publish_intent", body=body
        )
    )
    found = await service.json("/v1/events/obs_1", Event)
    assert {"kind": "publish_intent", "at_ms": 5, "key_prefix_matches": True} == found["body"]
    assert [] == found["webhook_ids"]


async def test_an_unknown_event_is_explained(service: Service) -> None:
    """The answer points to where refused deliveries are."""
    response = await service.get("/v1/events/none")
    assert (404, "not_found") == await problem(response)
    assert "/v1/deliveries" in (await response.json())["detail"]


async def test_deliveries_come_newest_first(service: Service) -> None:
    """Each delivery has its verdict and code; what is not known of it is left out."""

    def fill(conn: Connection) -> None:
        add_delivery(conn, 1)
        add_delivery(
            conn,
            2,
            verdict="refused",
            code="signature_missing",
            event_id=None,
            webhook_id=None,
            event=None,
            shaped=False,
        )

    service.fill(fill)
    found = await service.json("/v1/deliveries", DELIVERIES)
    expected = [
        {
            "at": "2024-09-12T15:00:00.002Z",
            "verdict": "refused",
            "code": "signature_missing",
            "remote": "192.0.2.1",
            "bytes": 900,
        },
        {
            "at": "2024-09-12T15:00:00.001Z",
            "verdict": "accepted",
            "code": "stored",
            "event_id": "ev-1",
            "webhook_id": WEBHOOK_ID,
            "event": "stream.idle",
            "remote": "192.0.2.1",
            "bytes": 900,
        },
    ]
    assert {"items": expected, "next": None} == found


async def test_deliveries_are_filtered_and_paged(service: Service) -> None:
    """By verdict; its parts stay right while deliveries arrive."""

    def fill(conn: Connection) -> None:
        for seq in range(6):
            add_delivery(conn, seq, verdict="duplicate" if seq % 2 else "accepted", event_id=f"ev-{seq}")

    service.fill(fill)
    first = await service.json("/v1/deliveries?verdict=duplicate&limit=1", DELIVERIES)
    service.fill(lambda conn: add_delivery(conn, 7, verdict="duplicate"))
    rest = await service.pages(f"/v1/deliveries?verdict=duplicate&limit=1&cursor={first['next']}", DELIVERIES)
    assert [["ev-5"], ["ev-3"], ["ev-1"]] == [[one["event_id"] for one in part] for part in [first["items"], *rest]]
