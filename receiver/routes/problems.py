"""Answers to what went wrong: `application/problem+json` (RFC 9457) with a stable `code`."""

import json
from collections.abc import Mapping
from typing import Final

from aiohttp import hdrs, web
from pydantic import JsonValue

from receiver.errors import ReceiverError
from receiver.livepeer.gate import CallRefused
from receiver.livepeer.verification import Refused

MADE_BY: Final[Mapping[str, str]] = {hdrs.SERVER: "receiver"}
"""A header that every answer has; aiohttp's own would tell its version."""
_REFUSED = {
    401: "The delivery cannot be verified",
    403: "The delivery is no event",
    503: "The delivery is not fresh",
}
_NO_CALL = {401: "The call cannot be verified", 403: "The call is none of an access gate"}


def problem(error: ReceiverError, request_id: str | None = None) -> web.Response:
    """The answer that says what went wrong; its status and headers are the error's."""
    return _answer(error.status, error.problem(), error.headers(), request_id)


def refusal(refused: Refused | CallRefused, request_id: str | None = None) -> web.Response:
    """The answer to a delivery that is not taken in, and to a gate's call that is not passed on."""
    titles = _REFUSED if isinstance(refused, Refused) else _NO_CALL
    body: dict[str, JsonValue] = {
        "title": titles[refused.status],
        "status": refused.status,
        "code": str(refused.code),
        "detail": refused.detail,
    }
    return _answer(refused.status, body, {}, request_id)


def _answer(
    status: int, body: Mapping[str, JsonValue], headers: Mapping[str, str], request_id: str | None
) -> web.Response:
    named = {} if request_id is None else {"X-Request-Id": request_id}
    return web.Response(
        status=status,
        text=json.dumps(body, ensure_ascii=False),
        content_type="application/problem+json",
        headers={**MADE_BY, **headers, **named},
    )
