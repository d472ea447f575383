"""What can be seen of a webhook's URL from here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from receiver.evidence.reconciling.reach import Reach, Reached
from receiver.hosts import read_allowed_host


@dataclass
class Door:
    """Answers with a status, and keeps what came."""

    status: int = 204
    url: str = ""
    came: list[web.Request] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """To whatever is asked."""
        self.came.append(request)
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})


@asynccontextmanager
async def door(status: int) -> AsyncIterator[Door]:
    """On a socket of this machine."""
    made = Door(status)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/livepeer"
    try:
        yield made
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 200, 204, 405, 500])
async def test_whether_it_redirects(status: int) -> None:
    """With which status; it is not followed. Nothing of ours is sent."""
    async with door(status) as asked, Reach((read_allowed_host("127.0.0.1"),)) as reach:
        found = await reach.look(asked.url.replace("http://", "http://user:password@"))
        [request] = asked.came
    assert Reached(public=False, redirects=status if 300 <= status < 400 else 0) == found
    assert ("GET", None) == (request.method, request.headers.get("Authorization"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_a_private_address_is_not_asked(host: str) -> None:
    """P13: whatever the webhook's URL says."""
    async with door(302) as asked, Reach() as reach:
        found = await reach.look(asked.url.replace("127.0.0.1", host))
        assert ([], Reached(public=False, redirects=None)) == (asked.came, found)


@pytest.mark.parametrize(
    "url",
    [None, "", "no url", "https://", "ftp://127.0.0.1/", "https://receiver.invalid/", "https://[::1", "http://a:b"],
)
async def test_what_cannot_be_looked_at(url: str | None) -> None:
    """Nothing is known of it."""
    async with Reach() as reach:
        assert Reached() == await reach.look(url)


@pytest.mark.parametrize(
    ("url", "public"),
    [("https://93.184.215.14/", True), ("https://10.0.0.1/", False), ("https://[2606:2800:21f::1]/", True)],
)
async def test_an_address_speaks_for_itself(url: str, *, public: bool) -> None:
    """Nobody is asked."""
    async with Reach() as reach:
        assert Reached(public=public) == await reach.look(url, ask=False)


async def test_who_does_not_answer() -> None:
    """That is not found out."""
    async with Reach((read_allowed_host("127.0.0.1"),)) as reach:
        assert Reached(public=False) == await reach.look("http://127.0.0.1:9/webhooks/livepeer")
