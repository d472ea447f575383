"""`POST /webhooks/livepeer`: reads the raw body and hands it to the inbox. No middleware stands before it.

What is our fault, or passes, is answered 503: after any 4xx the sender never comes back (FACTS 1.3).
"""

import asyncio
from typing import Any, Final

from aiohttp import HttpVersion11, hdrs, web

from receiver.clock import SystemClock
from receiver.errors import (
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    MethodNotAllowed,
    ReceiverError,
    UnsupportedMediaType,
)
from receiver.inbox import Inbox
from receiver.livepeer.verification import Refused
from receiver.reception import PATH
from receiver.routes.no_content import NoContent
from receiver.routes.problems import MADE_BY, problem, refusal

BODY_WITHIN_S: Final = 10.0
"""Well below the 30 s after which the sender gives up (FACTS 1.3)."""

SIGNATURE: Final = "Livepeer-Signature"
TAKEN_IN: Final = NoContent(MADE_BY, SystemClock())
"""To what was taken in, as nearly everything is."""
_JSON: Final = "application/json"
_IDENTITY: Final = ("", "identity")
_UNREAD: Final = (BodyTooLarge, BodyTimeout, BadRequest)


class WebhookEndpoint:
    """The handler and its limits."""

    def __init__(self, inbox: Inbox, max_body_bytes: int, body_within_s: float = BODY_WITHIN_S) -> None:
        self._inbox = inbox
        self._max_body_bytes = max_body_bytes
        self._body_within_s = body_within_s

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Answer at `PATH`, whatever the method."""
        router.add_route(hdrs.METH_ANY, PATH, self.receive, name="webhook")

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """204 for what is taken in or known already; else a problem."""
        try:
            check_post(request)
            body = await self._read(request)
            await self._inbox.deliver(body, signature_of(request), request.remote or "")
        except Refused as refused:
            return refusal(refused)
        except ReceiverError as error:
            self._inbox.turned_away(error, request.remote or "")
            return _closing(problem(error)) if isinstance(error, _UNREAD) else problem(error)
        return _taken_in(request)

    def take_in(self, body: bytes, signature: str | None, remote: str) -> asyncio.Future[Any]:
        """Take in a delivery of which nothing is unusual: to be answered 204 when that is done. For what raises an
        error, or is done with one, `receive` says what is wrong."""
        if len(body) > self._max_body_bytes:
            raise self._too_large()
        return self._inbox.put(body, signature, remote)

    async def _read(self, request: web.Request) -> bytes:
        """The whole body. What is announced as too large is not waited for."""
        content = request.content
        try:
            body = content.read_nowait() if content.is_eof() else await self._read_in_time(request)
        except TimeoutError:
            raise BodyTimeout(f"The body did not arrive within {self._body_within_s:g} s.") from None
        except (web.RequestPayloadError, ConnectionError) as error:
            error.__traceback__ = None  # aiohttp keeps the error, and its frames would keep what came of the body
            raise BadRequest("The body broke off, or is not encoded as its headers say.") from None
        if len(body) > self._max_body_bytes:
            raise self._too_large()
        return body

    async def _read_in_time(self, request: web.Request) -> bytes:
        """A body that did not come in one piece with its head, as genuine ones do."""
        if (request.content_length or 0) > self._max_body_bytes:
            raise self._too_large()
        body = bytearray()
        async with asyncio.timeout(self._body_within_s):
            while len(body) <= self._max_body_bytes and not request.content.at_eof():
                body += await request.content.readany()
        return bytes(body)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"The body is larger than {self._max_body_bytes} bytes, which is what RECEIVER_MAX_BODY_BYTES allows."
        )


def check_post(request: web.Request) -> None:
    """Whether it is a webhook's request at all. Its type is parsed only where it is not written as Livepeer does. A
    compressed body would not have the bytes that were signed. Raises MethodNotAllowed, UnsupportedMediaType."""
    if request.method != hdrs.METH_POST:
        raise MethodNotAllowed("Livepeer's webhooks are sent here with POST.", allowed=[hdrs.METH_POST])
    headers = request.headers
    if headers.get(hdrs.CONTENT_TYPE) != _JSON and request.content_type != _JSON:
        raise UnsupportedMediaType("A webhook's body is JSON: send `Content-Type: application/json`.")
    if headers.get(hdrs.CONTENT_ENCODING, "").strip().lower() not in _IDENTITY:
        raise UnsupportedMediaType("A webhook's body is not compressed: send no `Content-Encoding`.")


def signature_of(request: web.Request) -> str | None:
    """The `Livepeer-Signature`, None where there is none. Several lines of a header mean the same as one with commas
    between (RFC 9110, 5.3): no line is left out."""
    lines = request.headers.getall(SIGNATURE, None)
    return None if lines is None else ",".join(lines)


def _taken_in(request: web.Request) -> web.StreamResponse:
    """204. What is not as usual, an older HTTP or a connection that ends, is left to aiohttp."""
    usual = request.keep_alive and request.version == HttpVersion11
    return TAKEN_IN if usual else web.Response(status=204, headers=MADE_BY)


def _closing(response: web.Response) -> web.Response:
    """What is left of the body is not read."""
    response.force_close()
    return response
