"""Reads a request's body within bounds of size and time."""

import asyncio
from typing import TypeVar

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ValidationError

from receiver.errors import BadRequest, BodyTimeout, BodyTooLarge, UnsupportedMediaType
from receiver.routes.parameters import invalid

MAX_BYTES = 64 * 1024
"""The largest body that the API reads."""
WITHIN_S = 15.0
Model = TypeVar("Model", bound=BaseModel)


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


async def read_model(request: web.Request, model: type[Model], not_valid: str) -> Model:
    """The body, which is JSON, as `model` reads it.

    Raises what `read_body` raises, UnsupportedMediaType, and InvalidRequest with `not_valid` and all that is wrong;
    nothing of the body is repeated, it may hold secrets.
    """
    body = await read_body(request)
    if request.content_type != "application/json":
        raise UnsupportedMediaType("Send JSON, with `Content-Type: application/json`.")
    try:
        return model.model_validate_json(body)
    except ValidationError as fault:
        if fault.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid":
            raise BadRequest("The body is not JSON.") from None
        raise invalid(not_valid, fault, prefix="/") from None


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
