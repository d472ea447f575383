"""Stores that a service has left, for commands that look into them."""

import shutil
from pathlib import Path
from random import Random

from receiver.clock import ManualClock
from receiver.simulation.scenes import go_live
from receiver.simulation.sender import Event, Studio
from tests.running import SECRET, configured, running
from tests.sender import T0_MS

MINUTE_MS = 60_000
PUBLISHED = "7c1ea8c3-7aeb-4789-9460-a106bfc33508"
REFUSED = 2
"""Too few to say that our endpoint refuses what it should not."""
ANOTHER = "whsec_that-the-service-does-not-know"


def prepared(data_dir: Path, migrated_file: Path) -> str:
    """The URL of an empty store where a command looks for it, beside the secret of the service that it belongs to."""
    data_dir.mkdir(mode=0o700)
    file = data_dir / "receiver.sqlite3"
    shutil.copy(migrated_file, file)
    secret = data_dir / "webhook_secret"
    secret.touch(0o600)
    secret.write_text(SECRET)
    return f"sqlite:///{file}"


async def fill(database_url: str, data_dir: Path) -> Studio:
    """Leave one diagnosis that is resolved, one that is open (the sender's stream was never recorded), and two
    deliveries in quarantine."""
    clock = ManualClock(T0_MS)
    studio = Studio(T0_MS + 5 * MINUTE_MS, Random("stores"))  # noqa: S311 -- ids of a fiction
    async with running(configured(database_url, data_dir), clock, attended=True) as service:
        await service.report(kind="publish_intent", stream_id=PUBLISHED)
        await service.pass_time(5 * MINUTE_MS)
        [rejected] = (await service.get(f"/v1/diagnoses?stream_id={PUBLISHED}"))["items"]
        await service.ask(f"/v1/diagnoses/{rejected['id']}/resolve", method="POST")
        await service.pass_time(MINUTE_MS)
        await service.deliver(*go_live(studio), studio.idle(MINUTE_MS))
        await service.pass_time(12 * MINUTE_MS)
        await service.deliver(*others(REFUSED), secret=ANOTHER)
        await service.service.settle()
    return studio


def others(count: int) -> list[Event]:
    """The starts of other streams."""
    studios = [Studio(T0_MS, Random(f"other {number}")) for number in range(count)]  # noqa: S311 -- ids of a fiction
    return [studio.started(0) for studio in studios]
