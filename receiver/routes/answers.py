"""How an answer is written: JSON of a model, lists with their link, and answers that need not be sent again."""

import hashlib

from aiohttp import ETag, hdrs, web
from msgspec.json import Encoder

from receiver.routes.cursors import Cursors, Key
from receiver.routes.models import Item, Page, Shape

_ENCODER = Encoder()


def answer(shape: Shape, *, status: int = 200) -> web.Response:
    """`shape` as JSON; members that are `UNSET` are left out."""
    return _written(_ENCODER.encode(shape), status)


def conditional(request: web.Request, shape: Shape) -> web.Response:
    """`shape` as JSON with its ETag, or 304 where the caller has this one already (RFC 9110, 13.1.2)."""
    body = _ENCODER.encode(shape)
    response = _written(body, 200)
    tag = hashlib.sha256(body).hexdigest()[:32]
    wanted = request.if_none_match or ()
    if any(one.value in {tag, "*"} for one in wanted):
        response = web.Response(status=304)
    response.etag = ETag(value=tag)
    response.headers[hdrs.CACHE_CONTROL] = "private, no-cache"
    return response


def listed(request: web.Request, items: list[Item], last: Key | None, cursors: Cursors) -> web.Response:
    """A part of a list; `last` is the key of its last item where more follows."""
    cursor = None if last is None else cursors.write(last)
    response = answer(Page(items=items, next=cursor))
    if cursor is not None:
        following = request.rel_url.update_query({"cursor": cursor})
        response.headers[hdrs.LINK] = f'<{following}>; rel="next"'
    return response


def _written(body: bytes, status: int) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8")
