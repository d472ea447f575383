import asyncio

import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer

from receiver.clock import ManualClock
from receiver.routes.no_content import NoContent

NEW_YEAR_MS = 1_767_225_600_000
"""The first moment of 2026."""


@pytest.fixture
def clock() -> ManualClock:
    """At that moment."""
    return ManualClock(NEW_YEAR_MS)


@pytest.fixture
async def port(clock: ManualClock, aiohttp_server: AiohttpServer) -> int:
    """Where `/ours` is answered with it, and `/theirs` as aiohttp answers at New Year."""
    ours = NoContent({"Server": "receiver"}, clock)

    async def give_ours(request: web.Request) -> web.StreamResponse:
        return ours

    async def give_theirs(request: web.Request) -> web.StreamResponse:
        return web.Response(status=204, headers={"Server": "receiver", "Date": "Thu, 01 Jan 2026 00:00:00 GMT"})

    app = web.Application()
    app.router.add_get("/ours", give_ours)
    app.router.add_get("/theirs", give_theirs)
    return (await aiohttp_server(app)).port or 0


async def ask(port: int, *paths: str) -> list[bytes]:
    """The heads of the answers to requests that are sent at once on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(f"GET {path} HTTP/1.1\r\nHost: receiver\r\n\r\n".encode() for path in paths))
    heads = [await reader.readuntil(b"\r\n\r\n") for _ in paths]
    writer.close()
    return heads


async def test_it_is_what_aiohttp_would_say(port: int) -> None:
    """To the byte, each time, and the connection stays open."""
    ours, theirs, again = await ask(port, "/ours", "/theirs", "/ours")
    assert [theirs, theirs] == [ours, again]


async def test_its_date_follows_the_clock(port: int, clock: ManualClock) -> None:
    """Each second has one of its own."""
    heads = []
    for after_ms in (999, 1000, 60_000, 0):
        clock.set(NEW_YEAR_MS + after_ms)
        heads += await ask(port, "/ours")
    assert [b"00:00:00", b"00:00:01", b"00:01:00", b"00:00:00"] == [head.partition(b" GMT")[0][-8:] for head in heads]
