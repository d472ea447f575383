"""What ingest is measured against: aiohttp that reads the body and answers 204, and does nothing else. Prints its
port."""

import asyncio

from aiohttp import web

PATH = "/webhooks/livepeer"


async def _answer(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=204)


async def _serve() -> None:
    app = web.Application()
    app.router.add_post(PATH, _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
