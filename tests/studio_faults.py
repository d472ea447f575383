"""What can be wrong with the Studio API, as data: a fault is planted on a path of the fake Studio (`tests.studio`)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from aiohttp import web

Kind: TypeAlias = Literal["answer", "hang", "slow", "broken", "endless", "huge"]
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Fault:
    """`answer`: this instead of the true answer. `hang`: none. `slow`: the body comes byte by byte, and not to its end.
    `broken`: the body breaks off. `endless`: after each page there is one more, that
    begins an item further on. `huge`: a body of so
    many bytes that `body` is repeated for."""

    kind: Kind = "answer"
    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int | None = None
    """How often; None: until it is taken away."""


HANG = Fault("hang")
SLOW = Fault("slow")
BROKEN = Fault("broken")
ENDLESS = Fault("endless")
NO_JSON = Fault(body="<html>It works!</html>")
ANOTHER_JSON = Fault(body='{"a": ["thing", 7]}')


def failing(status: int = 500, times: int | None = None, retry_after: str | None = None) -> Fault:
    """A fault of the API's own, as its error handler words it (FACTS 9)."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Fault("answer", status, '{"errors":["Internal server error: Error"]}', headers, times)


def limited(retry_after: str | None = None, times: int | None = None) -> Fault:
    """429; `retry_after` is a number of seconds or a date."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Fault("answer", 429, '{"errors":["too many requests"]}', headers, times)


def redirecting(to: str, status: int = 302) -> Fault:
    """It points elsewhere."""
    return Fault("answer", status, "", {"Location": to})


def huge(size: int) -> Fault:
    """An answer of so many bytes."""
    return Fault("huge", body="[" + " " * (size - 2) + "]")


async def faulty(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    """The answer to a request on whose path there is this fault."""
    match fault.kind:
        case "hang":
            await asyncio.sleep(3600)
        case "slow" | "broken":
            return await _partly(request, slow=fault.kind == "slow")
        case "endless":
            answer = await handler(request)
            skipped = int(request.query.get("cursor", "skip0").removeprefix("skip"))
            again = request.url.update_query(cursor=f"skip{skipped + 1}")
            answer.headers["Link"] = f'<{again}>; rel="next"'
            return answer
    kind = "application/json; charset=utf-8" if fault.body.startswith(("{", "[")) else "text/html"
    headers = {"Content-Type": kind, **fault.headers}
    return web.Response(status=fault.status, body=fault.body.encode(), headers=headers)


async def _partly(request: web.Request, *, slow: bool) -> web.StreamResponse:
    """The head, and a part of what it promises."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"id":')
    while slow:
        await asyncio.sleep(0.01)
        await response.write(b" ")
    if request.transport is not None:
        request.transport.abort()
    return response
