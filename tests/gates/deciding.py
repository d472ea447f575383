"""A small decision URL, as an operator would write one, with whatever can go wrong; and calls as Livepeer makes
them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from receiver.livepeer.signature import sign

GATE_SECRET = "gate-secret-of-the-tests"
PLAYBACK_ID = "7c1ek7izba9nzj4b"
ACCESS_KEY = "viewer-8842-key"
VIEWER_IP = "203.0.113.24"
Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


def call(timestamp_ms: int, **members: object) -> bytes:
    """The body of a call (FACTS 7.1), compact; `members` win over the usual ones."""
    value = {
        "context": {"plan": "gold"},
        "accessKey": ACCESS_KEY,
        "timestamp": timestamp_ms,
        "userIP": VIEWER_IP,
        "playDomain": "playback.livepeer.studio",
        "playURL": f"https://playback.livepeer.studio/hls/{PLAYBACK_ID}/index.m3u8?accessKey={ACCESS_KEY}",
        "headers": {"Host": "playback.livepeer.studio", "Origin": "https://watch.example.com", "Referer": ""},
        **members,
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def signed(body: bytes, timestamp_ms: int, secret: str = GATE_SECRET) -> dict[str, str]:
    """The headers of a call, as the sender writes them (FACTS 12)."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "livepeer.studio",
        "Livepeer-Signature": sign(secret, body, timestamp_ms),
    }


@dataclass
class Deciding:
    """The running server, and what it was asked."""

    url: str
    fault: Fault
    asked: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)
    """Method, body and headers of each request."""


@asynccontextmanager
async def deciding(fault: Fault) -> AsyncIterator[Deciding]:
    """A decision URL that answers with `fault`, until the block ends; who is answered then is left alone."""

    async def decide(request: web.Request) -> web.StreamResponse:
        if running.fault not in UNREAD:
            running.asked.append((request.method, await request.read(), request.headers.copy()))
        return await running.fault(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", decide)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    running = Deciding(f"http://127.0.0.1:{runner.addresses[0][1]}/may-watch", fault)
    try:
        yield running
    finally:
        await runner.cleanup()


def says(status: int, body: bytes = b"", kind: str = "application/json", **headers: str) -> Fault:
    """An answer."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Content-Type": kind, **headers})

    return answer


async def hang(_request: web.Request) -> web.Response:
    """No answer, ever."""
    await asyncio.Event().wait()
    raise AssertionError


async def never_read(_request: web.Request) -> web.Response:
    """The request is not even read."""
    return await hang(_request)


async def trickle(request: web.Request) -> web.StreamResponse:
    """An answer that never ends, byte by byte."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.01)


async def pour(request: web.Request) -> web.StreamResponse:
    """An answer without end or length, as fast as it can be read."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


async def reset(request: web.Request) -> web.Response:
    """The connection ends instead of an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def break_off(request: web.Request) -> web.StreamResponse:
    """The answer ends before its end."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"ret":')
    return await reset(request)


async def no_http(request: web.Request) -> web.Response:
    """Something that is no HTTP."""
    assert isinstance(request.transport, asyncio.Transport)
    request.transport.write(b"SSH-2.0-of-another-service\r\n\r\n")
    request.transport.close()
    return web.Response()


UNREAD = (never_read,)


def redirects(status: int, times: int, then: Fault, location: str = "/moved") -> Fault:
    """So many redirects to another path of the same host (or to `location`), then an answer."""
    left = [times]

    async def answer(request: web.Request) -> web.StreamResponse:
        if left[0] == 0:
            return await then(request)
        left[0] -= 1
        return web.Response(status=status, headers={"Location": location})

    return answer
