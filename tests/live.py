"""The whole service on a socket, in real time, for tests that call it as others do."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from receiver.app import Service
from receiver.clock import SystemClock
from receiver.keys import Keys, ensure_keys
from receiver.settings import Settings

Serve = Callable[[web.Application], Awaitable[TestServer]]


async def live(serve: Serve, database_url: str, data_dir: Path) -> tuple[str, Keys]:
    """The URL of a service on a migrated database, and its keys, which are kept in `data_dir`. `serve` is the fixture
    `aiohttp_server`, which stops it."""
    settings = Settings(database_url=database_url, data_dir=data_dir)
    keys = ensure_keys(settings)
    server = await serve(Service.build(settings, keys, SystemClock()).web_app())
    return str(server.make_url("/")).rstrip("/"), keys
