"""The API, mounted as the composition root mounts it."""

import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient

from receiver.clock import ManualClock
from receiver.ids import Ids
from receiver.keys import Keys
from receiver.refusals import StoredAccess
from receiver.routes.api import add_open, api_app
from receiver.routes.keys import ACCESS, CLOCK, DATABASE, DIAGNOSER, IDS, KEYS, STORE_LOST
from receiver.storage.engine import Database
from receiver.tokens import ApiToken
from tests.routes.rows import NOW_MS
from tests.routes.service import Service, StubDiagnoser


@pytest.fixture
def keys() -> Keys:
    """Three tokens of different scopes."""
    return Keys(
        webhook_secrets=("a-webhook-secret",),
        api_tokens=(
            ApiToken("reader-token", frozenset({"read"})),
            ApiToken("writer-token", frozenset({"read", "write"})),
            ApiToken("raw-token", frozenset({"read", "raw"})),
        ),
        digest_key=b"d" * 32,
        made=(),
    )


@pytest.fixture
async def service(aiohttp_client: AiohttpClient, database: Database, keys: Keys) -> Service:
    """The API with nothing in its store."""
    clock = ManualClock(NOW_MS)
    ids, diagnoser = Ids(clock, node=1), StubDiagnoser(database)
    root = web.Application()
    root[DATABASE], root[CLOCK], root[IDS] = database, clock, ids
    root[KEYS], root[DIAGNOSER], root[STORE_LOST] = keys, diagnoser, lambda: diagnoser.store_lost
    root[ACCESS] = StoredAccess(database)
    root.add_subapp("/v1", api_app(keys))
    add_open(root)
    return Service(await aiohttp_client(root), database, clock, ids, diagnoser)
