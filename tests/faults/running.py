"""What a service in the test's own process says and has stored."""

from collections import Counter

from sqlalchemy import text

from receiver.storage.engine import Database
from tests.running import Running


def stored(url: str) -> tuple[Counter[str], int]:
    """How often each event is in the log, and how many deliveries wait to be filed."""
    database = Database.open(url)
    try:
        ids = database.read_now(lambda c: c.execute(text("SELECT id FROM signals")).scalars().all())
        waiting = database.read_now(lambda c: c.execute(text("SELECT count(*) FROM inbox")).scalar_one())
    finally:
        database.close_now()
    return Counter(ids), int(waiting)


async def is_ready(service: Running) -> bool:
    """Whether it says that it can do its work."""
    return (await service.ask("/readyz", token=None))[0] == 200


async def knows(service: Running, streams: int) -> bool:
    """Whether it knows of that many streams."""
    status, value, _ = await service.ask("/v1/streams?limit=100")
    return status == 200 and len(value["items"]) == streams
