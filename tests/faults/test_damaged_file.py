"""P1, P2: pages of the database's file are not what was written to them."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from receiver.clock import SystemClock
from receiver.errors import StoreUnavailable
from tests.engines import sqlite_only
from tests.faults.asking import event
from tests.running import Running, configured, logged, running, soon

PAGE_BYTES = 8192
EACH = 3
FIRST, SECOND, THIRD = event(1), event(2), event(3)


def roots(file: Path) -> Mapping[str, int]:
    """The pages, counted from 1, at which the tables and indexes begin."""
    with closing(sqlite3.connect(file)) as database:
        return dict(database.execute("SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0 ORDER BY name"))


def exchange(file: Path, number: int, page: bytes = b"\xee" * PAGE_BYTES) -> bytes:
    """Put that in the place of a page. Returns what was there."""
    with file.open("r+b") as content:
        content.seek((number - 1) * PAGE_BYTES)
        before = content.read(PAGE_BYTES)
        content.seek((number - 1) * PAGE_BYTES)
        content.write(page)
    return before


async def is_ready(service: Running) -> bool:
    """Whether it says that it can do its work."""
    return (await service.ask("/readyz", token=None))[0] == 200


async def knows(service: Running, streams: int) -> bool:
    """Whether it knows of that many streams."""
    status, value, _ = await service.ask("/v1/streams")
    return status == 200 and len(value["items"]) == streams


@sqlite_only
async def test_damage_met_while_serving_is_told_and_nothing_more_is_taken_in(database_url: str, tmp_path: Path) -> None:
    """What was acknowledged before is in the inbox. From then on deliveries are answered 503: what a damaged database
    takes in would be lost when it is restored. Once it is whole, all goes on by itself."""
    file = tmp_path / "receiver.db"
    page = roots(file)["outbox_due"]
    whole = exchange(file, page)
    with logged() as log:
        async with running(configured(database_url, tmp_path), SystemClock()) as service:
            assert [204] == await service.deliver(FIRST)
            await soon(lambda: is_told(service))
            assert "database disk image is malformed" in log.of("store.unavailable")[0]["error"]
            assert [503, 503] == await service.deliver(FIRST, SECOND)
            exchange(file, page, whole)
            await soon(lambda: is_ready(service))
            assert [204, 204] == await service.deliver(FIRST, SECOND)
            await soon(lambda: knows(service, 2))
    assert "store.recovered" in log.events()


async def is_told(service: Running) -> bool:
    """Whether it says that it cannot do its work."""
    return not await is_ready(service)


async def outcome(file: Path) -> str:
    """How a service fares on a file of which a page is damaged: `refused` at the start, `told` while it serves, or
    `fine`, since nothing of that page is wanted."""
    try:
        async with running(configured(f"sqlite:///{file}", file.parent), SystemClock()) as service:
            answers = await service.deliver(FIRST)
            await soon(lambda: either(service))
            answers += await service.deliver(SECOND)
            if await is_ready(service):
                assert [204, 204] == answers
                return "fine"
            assert [503] == await service.deliver(THIRD)
            return "told"
    except StoreUnavailable as error:
        return "refused" if error.damaged else "unavailable"


async def either(service: Running) -> bool:
    """Whether it has concluded something, or says that it cannot."""
    return await knows(service, 1) or await is_told(service)


async def test_no_page_is_damaged_in_silence(migrated_file: Path, tmp_path: Path) -> None:
    """Whichever table or index it is of (all were tried; here, every third is): either nothing of it is wanted and all
    goes well, or the start is refused, or it is told and deliveries are answered 503."""
    found = Counter[str]()
    with logged():
        for page in list(roots(migrated_file).values())[::EACH]:
            file = Path(shutil.copy(migrated_file, tmp_path / f"{page}.db"))
            exchange(file, page)
            found[await outcome(file)] += 1
    assert found.keys() == {"refused", "told", "fine"}
