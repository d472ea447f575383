"""Reads a request's body within bounds of size and time."""

import asyncio

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from receiver.errors import BadRequest, BodyTimeout, BodyTooLarge

MAX_BYTES = 64 * 1024
"""The largest body that the API reads."""
WITHIN_S = 15.0


async def read_body(request: web.Request, *, most: int = MAX_BYTES, within_s: float = WITHIN_S) -> bytes:
    """The whole body, decompressed.

    Raises BodyTooLarge beyond `most` bytes, BodyTimeout after `within_s` seconds, and BadRequest for a body whose
    coding is broken.
    """
    try:
        async with asyncio.timeout(within_s):
            return await _read(request, most)
    except TimeoutError:
        raise BodyTimeout(f"The body did not arrive within {within_s:g} s.") from None
    except (web.RequestPayloadError, ClientPayloadError, HttpProcessingError, ConnectionError) as error:
        error.__traceback__ = None  # aiohttp keeps the error, and its frames would keep what came of the body
        raise BadRequest("The body is broken: it ended early, or is not coded as its headers say.") from None


async def _read(request: web.Request, most: int) -> bytes:
    body = bytearray()
    if (request.content_length or 0) > most:
        raise _too_large(most)
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > most:
            raise _too_large(most)
    return bytes(body)


def _too_large(most: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than the {most} bytes that are read here.")
