"""A decision URL that allows everybody, and one that never answers. Prints its port."""

import asyncio

from aiohttp import web

DECIDES = "/may-watch"
HANGS = "/never"


async def _decide(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=b'{"ret":0}', content_type="application/json")


async def _hang(request: web.Request) -> web.Response:
    await request.read()
    await asyncio.Event().wait()
    raise AssertionError


async def _serve() -> None:
    app = web.Application()
    app.router.add_post(DECIDES, _decide)
    app.router.add_post(HANGS, _hang)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
