"""A receiver on aiohttp and SQLAlchemy's asyncio extension (aiosqlite): a transaction for each request, on uvloop.
Prints its port."""

import asyncio
import json
import os

import uvloop
from aiohttp import web
from event_table import Base, Event
from signed import is_signed
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

ENGINE = web.AppKey("engine", AsyncEngine)
SECRET = os.environ["WEBHOOK_SECRET"]


async def _receive(request: web.Request) -> web.Response:
    body = await request.read()
    if not is_signed(request.headers.get("Livepeer-Signature", ""), body, SECRET):
        return web.Response(status=401)
    told = json.loads(body)
    event = {"id": told["id"], "kind": told["event"], "created_ms": told["createdAt"], "body": body}
    async with request.app[ENGINE].begin() as connection:
        await connection.execute(insert(Event).values(event).on_conflict_do_nothing())
    return web.Response(status=204)


async def _serve() -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{os.environ['DATABASE']}")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    app = web.Application()
    app[ENGINE] = engine
    app.router.add_post("/webhooks/livepeer", _receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve())
