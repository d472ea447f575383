"""What can be diagnosed, and which of Livepeer's ways to us there are."""

from aiohttp import web

from receiver.diagnosis.catalogue import CATALOGUE
from receiver.routes import models, shapes
from receiver.routes.answers import answer
from receiver.routes.keys import DATABASE
from receiver.routes.parameters import NoQuery
from receiver.storage.queries import streams

_NOTHING_YET = models.Webhook(
    kind="endpoint",
    id="endpoint",
    accepted=0,
    repeated=0,
    refused=0,
    first_delivery_at=None,
    last_delivery_at=None,
    last_refused_at=None,
    events=[],
    conditions=[],
)


async def list_conditions(_request: web.Request, _query: NoQuery) -> web.Response:
    """`GET /v1/conditions`: the catalogue, in one part."""
    entries = [shapes.condition_kind(entry) for entry in CATALOGUE.values()]
    return answer(models.Page(items=entries, next=None))


async def list_webhooks(request: web.Request, _query: NoQuery) -> web.Response:
    """`GET /v1/webhooks`: our endpoint, then each webhook that has called it, in one part."""
    rows = await request.config_dict[DATABASE].read(streams.callers)
    items = [shapes.webhook(row) for row in rows]
    if not items or items[0].kind != "endpoint":
        items.insert(0, _NOTHING_YET)
    return answer(models.Page(items=items, next=None))
