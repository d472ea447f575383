"""The two halves of the service as processes of their own: one takes in, the other concludes."""

from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest

from receiver.clock import ManualClock
from receiver.settings import Settings
from receiver.simulation.scenes import go_live
from receiver.simulation.sender import Studio, attempt
from tests.running import SECRET, Running, configured, logged, running
from tests.sender import T0_MS

MINUTE_MS = 60_000


async def halves(stack: AsyncExitStack, database_url: str, data_dir: Path) -> tuple[ManualClock, Running, Running]:
    """One that takes in and one that concludes, with one clock."""
    clock = ManualClock(T0_MS)
    taking, concluding = [
        await stack.enter_async_context(running(configured(database_url, data_dir, role=role), clock, attended=True))
        for role in ("ingest", "diagnose")
    ]
    return clock, taking, concluding


async def test_one_takes_in_and_the_other_concludes(database_url: str, tmp_path: Path) -> None:
    """The log is complete, and its lines are written, before anybody concludes; who concludes has all that it needs
    from the log, and tells of it."""
    with logged() as log:
        async with AsyncExitStack() as stack:
            _, taking, concluding = await halves(stack, database_url, tmp_path)
            studio = Studio(T0_MS, Random("roles"))  # noqa: S311 -- ids of a fiction
            started = go_live(studio)
            assert [204] * len(started) == await taking.deliver(*started)
            await taking.service.settle()
            assert len(started) == len(log.of("webhook.accepted"))
            assert [] == (await taking.get("/v1/streams"))["items"]
            event = await taking.get(f"/v1/events/{started[0].id}")
            assert started[0].id == event["id"]
            await concluding.service.settle()
            [stream] = (await taking.get("/v1/streams"))["items"]
            assert ("live", len(started)) == (stream["state"], len(log.of("webhook.accepted")))
            assert ["live"] == [line["to"] for line in log.of("stream.state_changed")]


async def test_a_repetition_is_known_again(database_url: str, tmp_path: Path) -> None:
    """Whoever takes in deduplicates."""
    with logged() as log:
        async with AsyncExitStack() as stack:
            _, taking, _ = await halves(stack, database_url, tmp_path)
            studio = Studio(T0_MS, Random("roles"))  # noqa: S311 -- ids of a fiction
            event = studio.started(0)
            for _ in range(3):
                await taking.deliver(event)
                await taking.service.settle()
            assert [1, 2] == [len(log.of(f"webhook.{verdict}")) for verdict in ("accepted", "duplicate")]


async def test_who_only_concludes_takes_nothing_in(database_url: str, tmp_path: Path) -> None:
    """The sender comes again, to another process (P2)."""
    async with AsyncExitStack() as stack:
        clock, _, concluding = await halves(stack, database_url, tmp_path)
        studio = Studio(T0_MS, Random("roles"))  # noqa: S311 -- ids of a fiction
        status, headers = await concluding.post(attempt(studio.started(0), "wh-1", SECRET, clock.now_ms()))
        assert (503, "5") == (status, headers["Retry-After"])


async def test_who_only_concludes_covers_no_time(database_url: str, tmp_path: Path) -> None:
    """A push that nobody could have told of is not said to have failed."""
    clock = ManualClock(T0_MS)
    async with running(configured(database_url, tmp_path, role="diagnose"), clock, attended=True) as service:
        await service.report(kind="publish_intent", stream_id="7c1ea8c3-7aeb-4789-9460-a106bfc33508")
        await service.pass_time(10 * MINUTE_MS)
        assert [] == await service.diagnosed()


@pytest.mark.parametrize("role", ["ingest", "diagnose"])
def test_half_a_service_on_a_file_is_seldom_meant(role: str) -> None:
    """SQLite has one process, so the other half is nobody's."""
    settings = Settings.model_validate({"role": role})
    assert [f"RECEIVER_ROLE is {role}"] == [sentence.partition(",")[0] for sentence in settings.warnings()]
