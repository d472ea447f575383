from sqlalchemy import Connection

from receiver.diagnosis.catalogue import CATALOGUE
from receiver.routes.models import ConditionKind, Page, Webhook
from tests.routes.rows import NOW_MS, WEBHOOK_ID, add_subject, condition, failing
from tests.routes.service import Service

WEBHOOKS = Page[Webhook]


async def test_the_catalogue_is_shown_whole(service: Service) -> None:
    """All five conditions with every reason, what it means and which evidence it needs, in the catalogue's order."""
    found = await service.json("/v1/conditions", Page[ConditionKind])
    assert list(CATALOGUE) == [one["type"] for one in found["items"]]
    for one in found["items"]:
        assert list(CATALOGUE[one["type"]].reasons) == [reason["name"] for reason in one["reasons"]]
        assert all(reason["meaning"] and reason["needs"] for reason in one["reasons"])


async def test_the_endpoint_is_there_before_anything_has_come(service: Service) -> None:
    """Where nothing has been delivered yet, the list says just that."""
    found = await service.json("/v1/webhooks", WEBHOOKS)
    assert [("endpoint", 0, None)] == [
        (one["kind"], one["accepted"], one["last_delivery_at"]) for one in found["items"]
    ]


async def test_webhooks_are_shown_with_their_counts(service: Service) -> None:
    """Our endpoint first, then each webhook, with counts, last delivery and condition."""

    def fill(conn: Connection) -> None:
        add_subject(
            conn,
            "webhook",
            WEBHOOK_ID,
            folded={
                "accepted": 3,
                "repeated": 1,
                "first_ms": NOW_MS,
                "last_ms": NOW_MS + 60_000,
                "events": ["stream.started", "stream.idle"],
            },
            conditions=[condition("webhook_not_firing")],
        )
        add_subject(
            conn,
            "endpoint",
            "endpoint",
            folded={
                "accepted": 3,
                "repeated": 1,
                "refused": 4,
                "first_accepted_ms": NOW_MS - 60_000,
                "last_accepted_ms": NOW_MS,
                "last_refused_ms": None,
            },
            conditions=[failing("webhook_not_firing", "SignatureMismatch")],
        )

    service.fill(fill)
    found = await service.json("/v1/webhooks", WEBHOOKS)
    shown = [{**one, "conditions": [c["status"] for c in one["conditions"]]} for one in found["items"]]
    expected = [
        {
            "kind": "endpoint",
            "id": "endpoint",
            "accepted": 3,
            "repeated": 1,
            "refused": 4,
            "first_delivery_at": "2024-09-12T14:59:00.000Z",
            "last_delivery_at": "2024-09-12T15:00:00.000Z",
            "last_refused_at": None,
            "events": [],
            "conditions": ["true"],
        },
        {
            "kind": "webhook",
            "id": WEBHOOK_ID,
            "accepted": 3,
            "repeated": 1,
            "refused": None,
            "first_delivery_at": "2024-09-12T15:00:00.000Z",
            "last_delivery_at": "2024-09-12T15:01:00.000Z",
            "last_refused_at": None,
            "events": ["stream.idle", "stream.started"],
            "conditions": ["unknown"],
        },
    ]
    assert expected == shown
