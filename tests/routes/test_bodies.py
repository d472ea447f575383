import asyncio

import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient

from receiver.errors import BodyTimeout, ReceiverError
from receiver.routes.bodies import read_body


@pytest.fixture
async def fault(aiohttp_client: AiohttpClient) -> ReceiverError | None:
    """What reading a body that never ends raises."""
    raised: list[ReceiverError] = []

    async def handle(request: web.Request) -> web.Response:
        try:
            await read_body(request, within_s=0.01)
        except ReceiverError as error:
            raised.append(error)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", handle)
    client = await aiohttp_client(app)
    _, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    for _ in range(100):
        await asyncio.sleep(0.005)
        if raised:
            break
    writer.close()
    return raised[0] if raised else None


async def test_a_slow_body_is_given_up(fault: ReceiverError | None) -> None:
    """A body that does not arrive in time is a fault that passes, not a lost request."""
    assert isinstance(fault, BodyTimeout)
    assert (503, "body_timeout") == (fault.status, fault.code)
