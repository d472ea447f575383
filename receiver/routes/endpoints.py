"""A route of the API as data: what the server mounts and what `/openapi.json` tells are made of the same rows."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from aiohttp import web
from msgspec import Struct
from pydantic import BaseModel

from receiver.errors import Forbidden, ReceiverError
from receiver.routes.keys import CALLER
from receiver.routes.parameters import NoQuery, read_query

Scope: TypeAlias = Literal["read", "write", "raw"]
Handler: TypeAlias = Callable[[web.Request, Any], Awaitable[web.StreamResponse]]
"""Takes the request and its query, read by the route's model."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. `handler` is None for what is mounted elsewhere and only described here; `answer` None
    where nothing is said about the content; `scope` None: no token."""

    method: Literal["GET", "POST"]
    path: str
    summary: str
    handler: Handler | None
    answer: type[Struct] | None
    scope: Scope | None = "read"
    query: type[BaseModel] = NoQuery
    body: type[BaseModel] | type[Struct] | None = None
    status: int = 200
    also: tuple[int, ...] = ()
    """Further statuses with the same answer."""
    problems: tuple[type[ReceiverError], ...] = ()
    codes: tuple[tuple[int, str], ...] = ()
    """Further problems: status and code."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers that it reads: name and meaning."""


def require(request: web.Request, scope: Scope) -> None:
    """Raises Forbidden unless the caller's token has the scope."""
    if scope not in request[CALLER].scopes:
        raise Forbidden(
            f"This needs a token with the scope `{scope}`: in RECEIVER_API_TOKENS, write `TOKEN:{scope}` or join "
            f"several scopes with `+`."
        )


def endpoint(route: Route, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The function that aiohttp calls: it checks the scope, reads the query, and hands over."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if route.scope is not None:
            require(request, route.scope)
        return await handler(request, read_query(route.query, request))

    return handle


def methods(route: Route) -> tuple[str, ...]:
    """The methods under which it is mounted: HEAD is GET without the body."""
    return ("GET", "HEAD") if route.method == "GET" else (route.method,)
