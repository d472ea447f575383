"""What every request passes: its id, the token, problems as answers, headers, and its one line in the log."""

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware
from structlog.contextvars import bound_contextvars

from receiver.errors import (
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    MethodNotAllowed,
    NotFound,
    ReceiverError,
    Unauthorized,
)
from receiver.ids import public_id
from receiver.keys import Keys
from receiver.logs import get_logger
from receiver.rates import STRANGERS, Gauge
from receiver.routes.keys import CALLER, CLOCK, FAULT, IDS, REQUEST_ID, Caller
from receiver.routes.problems import MADE_BY, problem

_log = get_logger(__name__)
_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_BEARER = re.compile(r"bearer +([!-~]{1,500}) *", re.IGNORECASE | re.ASCII)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    hdrs.CACHE_CONTROL: "no-store",
    **MADE_BY,
}
Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


def canonical_line() -> Middleware:
    """Logs each request once, when it is answered. Anybody can send requests without a token: beyond a rate they are
    only counted, and the next line of any request says how many."""
    strangers = Gauge(*STRANGERS)

    @web.middleware
    async def log_request(request: web.Request, handler: Next) -> web.StreamResponse:
        clock = request.config_dict[CLOCK]
        begun_ms = clock.now_ms()
        response = await handler(request)
        now_ms = clock.now_ms()
        if CALLER in request or strangers.allows(request.remote or "", now_ms):
            _write_line(request, response.status, max(now_ms - begun_ms, 0), strangers.take_left_out())
        return response

    return log_request


def _write_line(request: web.Request, status: int, duration_ms: int, unrecorded: int) -> None:
    """The path may name anything: the route's pattern is logged instead."""
    resource = request.match_info.route.resource
    log = _log.warning if status >= 500 else _log.info
    log(
        "http.request",
        method=request.method,
        route=None if resource is None else resource.canonical,
        status=status,
        code=request.get(FAULT),
        duration_ms=duration_ms,
        caller=request[CALLER].name if CALLER in request else None,
        request_id=request[REQUEST_ID],
        unrecorded=unrecorded or None,
    )


@web.middleware
async def edge(request: web.Request, handler: Next) -> web.StreamResponse:
    """Give the request an id, answer every fault as a problem, and put on the headers that every answer has."""
    request[REQUEST_ID] = _request_id(request)
    with bound_contextvars(request_id=request[REQUEST_ID]):
        response = await _answered(request, handler)
    if not response.prepared:
        dress(request, response)
    return response


def dress(request: web.Request, response: web.StreamResponse) -> None:
    """Put on the headers that every answer has; a handler that streams calls this before it begins."""
    response.headers["X-Request-Id"] = request[REQUEST_ID]
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


def bearer(keys: Keys) -> Middleware:
    """Lets only requests with one of these tokens pass (P9), and tells the handlers who asks."""
    known = [(_digest(token.token), _caller(keys, token.token, token.scopes)) for token in keys.api_tokens]

    @web.middleware
    async def authenticate(request: web.Request, handler: Next) -> web.StreamResponse:
        request[CALLER] = _match(known, request.headers.get(hdrs.AUTHORIZATION))
        return await handler(request)

    return authenticate


def _match(known: list[tuple[bytes, Caller]], header: str | None) -> Caller:
    """Compares with every token, each in constant time, whichever matches."""
    found = _BEARER.fullmatch(header or "")
    if found is None:
        raise Unauthorized("Send a token as `Authorization: Bearer TOKEN`; RECEIVER_API_TOKENS lists those that count.")
    given = _digest(found[1])
    matching = [caller for digest, caller in known if hmac.compare_digest(digest, given)]
    if not matching:
        raise Unauthorized("This token is not one of RECEIVER_API_TOKENS.")
    return matching[0]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _caller(keys: Keys, token: str, scopes: frozenset[str]) -> Caller:
    """Named by a keyed digest: the same token has the same name in every log, and the name does not help to guess."""
    name = hmac.new(keys.digest_key, b"receiver token name " + token.encode(), hashlib.sha256).hexdigest()[:8]
    return Caller(f"token-{name}", frozenset(scopes))


def _request_id(request: web.Request) -> str:
    given = request.headers.get("X-Request-Id", "")
    return given if _SANE_ID.fullmatch(given) else public_id("req", request.config_dict[IDS].next())


async def _answered(request: web.Request, handler: Next) -> web.StreamResponse:
    try:
        return await handler(request)
    except ReceiverError as fault:
        return _problem(request, fault)
    except web.HTTPException as fault:
        if fault.status < 400:
            raise
        return _problem(request, _as_ours(fault))
    except Exception:  # noqa: BLE001 -- the last place that can answer: whatever it is, it is logged and is a 500
        _log.exception("http.fault", method=request.method)
        return _problem(
            request, ReceiverError("This is a defect of the receiver; its log has the details under the request id.")
        )


def _problem(request: web.Request, fault: ReceiverError) -> web.Response:
    """After a body that was not read to its end, the connection is of no more use."""
    request[FAULT] = fault.code
    response = problem(fault)
    if isinstance(fault, BodyTooLarge | BodyTimeout):
        response.force_close()
    return response


def _as_ours(fault: web.HTTPException) -> ReceiverError:
    """What aiohttp raises, as what we raise."""
    if isinstance(fault, web.HTTPMethodNotAllowed):
        return MethodNotAllowed(f"{fault.method} is not possible here.", allowed=sorted(fault.allowed_methods))
    if isinstance(fault, web.HTTPNotFound):
        return NotFound("There is no such path; /openapi.json lists them all.")
    return BadRequest(f"The request cannot be answered: {fault.reason}.")
