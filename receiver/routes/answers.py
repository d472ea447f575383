"""How an answer is written: JSON of a model, lists with their link, and answers that need not be sent again."""

import hashlib

from aiohttp import ETag, hdrs, web
from pydantic import BaseModel

from receiver.routes.cursors import Cursors, Key
from receiver.routes.models import Item, Page


def answer(model: BaseModel, *, status: int = 200) -> web.Response:
    """`model` as JSON; optional members that were not given are left out."""
    text = model.model_dump_json(exclude_unset=True)
    return web.Response(text=text, status=status, content_type="application/json")


def conditional(request: web.Request, model: BaseModel) -> web.Response:
    """`model` as JSON with its ETag, or 304 where the caller has this one already (RFC 9110, 13.1.2)."""
    response = answer(model)
    tag = hashlib.sha256(response.body if isinstance(response.body, bytes) else b"").hexdigest()[:32]
    wanted = request.if_none_match or ()
    if any(one.value in {tag, "*"} for one in wanted):
        response = web.Response(status=304)
    response.etag = ETag(value=tag)
    response.headers[hdrs.CACHE_CONTROL] = "private, no-cache"
    return response


def listed(request: web.Request, items: list[Item], last: Key | None, cursors: Cursors) -> web.Response:
    """A part of a list; `last` is the key of its last item where more follows."""
    cursor = None if last is None else cursors.write(last)
    response = answer(Page[Item](items=items, next=cursor))
    if cursor is not None:
        following = request.rel_url.update_query({"cursor": cursor})
        response.headers[hdrs.LINK] = f'<{following}>; rel="next"'
    return response
