"""The API on a real socket over a real SQLite file, with a small diagnoser that keeps its promises."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient
from msgspec.json import decode
from sqlalchemy import Connection, NullPool, create_engine, make_url, update

from receiver.clock import ManualClock
from receiver.ids import Ids
from receiver.routes.models import Shape
from receiver.storage.engine import Database
from receiver.storage.tables import DiagnosisRow

Client = TestClient[web.Request, web.Application]
READER = {"Authorization": "Bearer reader-token"}
WRITER = {"Authorization": "Bearer writer-token"}
RAW = {"Authorization": "Bearer raw-token"}


@dataclass
class StubHealth:
    """How the stub says it is doing."""

    lag_ms: int | None = None
    pending: int = 0
    faults: int = 0
    running: bool = True


@dataclass
class StubDiagnoser:
    """Acknowledges and resolves in the store, and counts how often it was woken."""

    database: Database
    health: StubHealth = field(default_factory=StubHealth)
    woken: int = 0
    store_lost: bool = False
    callers: list[str] = field(default_factory=list)

    async def acknowledge(self, diagnosis_id: str, caller: str) -> bool:
        """Mark as seen."""
        return await self._set(diagnosis_id, caller, status="acknowledged")

    async def resolve(self, diagnosis_id: str, caller: str) -> bool:
        """Close by hand."""
        return await self._set(diagnosis_id, caller, status="resolved", resolution="manual")

    def wake(self) -> None:
        """Count."""
        self.woken += 1

    async def _set(self, diagnosis_id: str, caller: str, **values: str) -> bool:
        self.callers.append(caller)

        def write(conn: Connection) -> bool:
            changed = conn.execute(update(DiagnosisRow).where(DiagnosisRow.id == diagnosis_id).values(**values))
            return changed.rowcount == 1

        return await self.database.write(write)


@dataclass
class Service:
    """The API as callers see it, and what stands behind it."""

    client: Client
    database: Database
    clock: ManualClock
    ids: Ids
    diagnoser: StubDiagnoser

    def fill(self, work: Callable[[Connection], object]) -> None:
        """Write rows."""
        self.database.write_now(work)

    async def get(self, path: str, headers: Mapping[str, str] = READER) -> ClientResponse:
        """A GET with the reader's token."""
        return await self.client.get(path, headers=headers)

    async def json(self, path: str, model: type[Shape], headers: Mapping[str, str] = READER) -> dict[str, Any]:
        """The answer to a GET, which must be 200 and valid for its model."""
        response = await self.get(path, headers)
        text = await response.text()
        assert (200, "application/json") == (response.status, response.content_type), text
        decode(text, type=model)
        return dict(await response.json())

    async def pages(self, path: str, model: type[Shape], headers: Mapping[str, str] = READER) -> list[list[Any]]:
        """All parts of a list, each found by the `Link` of the one before."""
        parts, following = [], path
        while following:
            response = await self.get(following, headers)
            assert response.status == 200, await response.text()
            decode(await response.text(), type=model)
            page = await response.json()
            parts.append(page["items"])
            link = re.fullmatch(r'<(/v1/[^>]+)>; rel="next"', response.headers.get("Link", ""))
            assert (page["next"] is None) == (link is None)
            following = "" if link is None else link[1]
        return parts


def lose(database_url: str) -> None:
    """Take the database away."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        Path(str(url.database)).unlink()
        return
    server = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {url.database} WITH (FORCE)")


async def problem(response: ClientResponse) -> tuple[int, str]:
    """Status and code of a problem (RFC 9457)."""
    assert response.content_type == "application/problem+json", await response.text()
    body = await response.json()
    assert body["status"] == response.status
    assert body["title"]
    assert body["detail"]
    return response.status, body["code"]
