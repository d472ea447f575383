"""What was delivered: events by their ids, and the verdict on every delivery."""

from collections.abc import Sequence

from aiohttp import web
from pydantic import JsonValue

from receiver.errors import NotFound
from receiver.livepeer.envelope import NotUnderstood, decode
from receiver.livepeer.redaction import redact_body
from receiver.routes import shapes
from receiver.routes.answers import answer, listed
from receiver.routes.cursors import Cursors
from receiver.routes.endpoints import require
from receiver.routes.keys import DATABASE
from receiver.routes.parameters import DeliveriesQuery, EventQuery, path_id
from receiver.storage.bodies import body_of
from receiver.storage.queries import Found, signals

_HIDDEN = "key_digest"
"""What an observation, or a snapshot, keeps of a stream key."""


async def show_event(request: web.Request, query: EventQuery) -> web.Response:
    """`GET /v1/events/{id}`; the body is that of the first webhook that brought it, as first delivered."""
    if query.raw:
        require(request, "raw")
    event_id = path_id(request)
    rows = await request.config_dict[DATABASE].read(lambda conn: signals.signal(conn, event_id))
    if not rows:
        raise NotFound(
            f"No event or observation `{event_id}` is stored; old ones are removed (RECEIVER_KEEP_EVENTS_DAYS)."
            " Refused and quarantined deliveries are at /v1/deliveries."
        )
    if query.raw:
        return answer(shapes.event(rows, shapes.raw_content(body_of(rows[0]))))
    return answer(shapes.event(rows, {"body": _shown_body(rows)}))


async def list_deliveries(request: web.Request, query: DeliveriesQuery) -> web.Response:
    """`GET /v1/deliveries`"""
    cursors = Cursors.of("deliveries", query, (int,))
    key = cursors.read(query.cursor)
    before = None if key is None else int(key[0])
    found = await request.config_dict[DATABASE].read(
        lambda conn: signals.deliveries(conn, query.verdict, before, query.limit + 1)
    )
    shown = found[: query.limit]
    items = [shapes.delivery(row) for row in shown]
    return listed(request, items, (shown[-1].seq,) if len(found) > query.limit else None, cursors)


def _shown_body(rows: Sequence[Found]) -> JsonValue:
    """The body without what may not be shown (P10); None where it is no JSON."""
    try:
        value = decode(body_of(rows[0]))
    except NotUnderstood:
        return None
    if rows[0].source != "webhook" and isinstance(value, dict):
        value = {key: member for key, member in value.items() if key != _HIDDEN}
    return redact_body(value)
