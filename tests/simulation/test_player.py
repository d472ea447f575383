import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from pytest_aiohttp.plugin import AiohttpServer

from receiver.clock import ManualClock, SystemClock
from receiver.commands.throwaway import Throwaway, Workshop
from receiver.simulation.answers import Answer
from receiver.simulation.client import Client, NotRead
from receiver.simulation.happenings import Delivered, Diagnosed, Serving, StateChanged
from receiver.simulation.player import Played, WrongSecret, play
from receiver.simulation.running import Running
from receiver.simulation.script import Deliver, Down, Expectation, Observe, Restart, Story, WaitUntil
from receiver.simulation.sender import Studio
from receiver.simulation.stories import NAMES, build
from receiver.simulation.telling import verdict
from receiver.simulation.watch import Found, Watcher, everything, only
from receiver.storage import coverage
from tests.engines import sqlite_only
from tests.live import live

START_MS = 1_726_153_200_000
RECORDED = ("healthy", "takeover", "reconnect", "out-of-order", "duplicates", "outage")
REFUSED = Expectation("webhook_not_firing", "SignatureMismatch", 400)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """Makes services whose logs nobody reads."""
    with Path(os.devnull).open("w") as nowhere:
        yield Workshop(tmp_path_factory.mktemp("workshop"), log=nowhere)


@pytest.fixture
async def stage(workshop: Workshop) -> AsyncIterator[Throwaway]:
    """A throwaway service."""
    async with workshop.throwaway(ManualClock(START_MS)) as made:
        yield made


async def played_on(stage: Throwaway, story: Story) -> Played:
    """A story, played on a throwaway service."""
    watcher = Watcher(stage.client, story, START_MS, everything())
    return await play(story, stage, watcher, lambda _: None)


def intervals(stage: Throwaway) -> tuple[coverage.Interval, ...]:
    """The coverage that the service has written down."""
    assert stage._running is not None
    return stage._running[0].database.read_now(coverage.load)


def last_states(played: Played) -> dict[str, str | None]:
    """The last state of the stream and of its newest session."""
    return {one.subject: one.state for one in played.happenings if isinstance(one, StateChanged)}


def short(*steps: Deliver | Observe | Restart | Down | WaitUntil, expects: tuple[Expectation, ...] = ()) -> Story:
    """A story of few steps about the stream of `studio()`."""
    studio = a_studio()
    return Story("short", "a short story", "Short.", studio.stream.id, studio.stream.playback_id, steps, expects)


def a_studio() -> Studio:
    """A sender, always the same."""
    return Studio(START_MS, Random(1))  # noqa: S311 -- ids of a fiction


def starts(at_ms: int = 0) -> Deliver:
    """`stream.started` arrives."""
    studio = a_studio()
    return Deliver(at_ms, studio.started(at_ms), studio.webhook_id)


@pytest.mark.parametrize("name", NAMES)
async def test_a_story_is_diagnosed_as_it_should_be(stage: Throwaway, name: str) -> None:
    """What it expects, in time, and nothing else; and a recording that is made well ends up ready."""
    story = build(name, START_MS, 1)
    played = await played_on(stage, story)
    assert ["As expected."] == verdict(played)
    opened = [one for one in played.happenings if isinstance(one, Diagnosed)]
    for expected in story.expects:
        assert expected.by_ms >= next(
            one.at_ms
            for one in opened
            if (expected.condition, expected.reason) == (one.diagnosis.condition, one.diagnosis.reason)
        )
    if name in RECORDED:
        assert {"stream": "idle", "session": "ready"} == last_states(played)


async def test_another_seed_changes_nothing_but_ids(stage: Throwaway) -> None:
    """A story is not diagnosed by luck."""
    assert ["As expected."] == verdict(await played_on(stage, build("reconnect", START_MS, 77)))


async def test_the_clock_leaves_no_gap_in_coverage(stage: Throwaway) -> None:
    """Two hours pass without a silence that would hold conclusions back."""
    end_ms = START_MS + 7_200_000
    async for _ in stage.until(end_ms):
        pass
    assert ((START_MS, end_ms),) == intervals(stage)


async def test_a_service_that_is_down_answers_nothing_and_comes_back_with_what_it_knew(stage: Throwaway) -> None:
    """It is stopped for real; a genuine delivery that finds nobody is told as trouble."""
    started, late = starts(), starts(20_000)
    story = short(started, Down(10_000, 90_000), late, WaitUntil(120_000))
    played = await played_on(stage, story)
    assert ["stopped", "started"] == [one.change for one in played.happenings if isinstance(one, Serving)]
    assert [204, None] == [one.answer.status for one in played.happenings if isinstance(one, Delivered)]
    assert "live" == last_states(played)["stream"]
    assert ["NOT as expected: at 0:00:20 stream.started was answered no_answer."] == verdict(played)


async def test_what_is_missing_and_what_is_unexpected_is_said(stage: Throwaway) -> None:
    """In one sentence each."""
    other = (Expectation("hls_manifest_empty", "NoSegments", 60_000),)
    played = await played_on(stage, replace(build("publish-rejected", START_MS, 1), expects=other))
    expected = (
        "NOT as expected: hls_manifest_empty / NoSegments was expected and not diagnosed;"
        " rtmp_push_rejected / PublishNotStarted was diagnosed and not expected."
    )
    assert [expected] == verdict(played)


async def test_a_report_that_is_not_taken_is_trouble(stage: Throwaway) -> None:
    """A story that the service does not understand is no success."""
    played = await played_on(stage, short(Observe(0, {"kind": "nonsense"}), WaitUntil(1_000)))
    assert ["NOT as expected: at 0:00:00 nonsense was answered 422 invalid_request."] == verdict(played)


async def test_a_service_that_looks_at_nothing_is_not_as_expected() -> None:
    """Where something was taken in and no state came of it, that nothing was diagnosed says nothing."""
    story = short(starts())
    sent = Delivered(0, "stream.started", 1, 1, None, Answer(204))
    played = Played(story, (sent,), Found((), frozenset()))
    assert ["NOT as expected: the stream never had a state, so nothing was looked at."] == verdict(played)


async def test_a_service_with_another_secret_ends_the_play(stage: Throwaway) -> None:
    """At the first genuine delivery."""
    stage.secret = "not the service's"
    with pytest.raises(WrongSecret):
        await played_on(stage, build("healthy", START_MS, 1))


async def test_a_token_that_is_not_known_ends_the_play(stage: Throwaway) -> None:
    """Nothing of the story could be seen."""
    stranger = Client(stage.client.url, "not-a-token-of-the-service")
    try:
        watcher = Watcher(stranger, short(starts()), START_MS, everything())
        with pytest.raises(NotRead) as caught:
            await watcher.begin()
    finally:
        await stranger.close()
    assert (401, "unauthorized") == (caught.value.answer.status, caught.value.answer.code)


@sqlite_only
async def test_a_story_takes_its_time_against_a_running_service(
    aiohttp_server: AiohttpServer, database_url: str, tmp_path: Path
) -> None:
    """Which is neither stopped nor hastened; what it says of others does not count."""
    url, keys = await live(aiohttp_server, database_url, tmp_path / "data")
    client = Client(url, keys.api_tokens[0].token)
    try:
        stage = Running(client, keys.webhook_secrets[0], SystemClock(), poll_s=0.05)
        refused = [replace(starts(at_ms), flaw="other_secret") for at_ms in (0, 10, 20)]
        story = short(*refused, Restart(100), WaitUntil(900), expects=(REFUSED,))
        watcher = Watcher(client, story, stage.start_ms, only(story, stage.start_ms))
        assert () == await watcher.begin()
        played = await play(story, stage, watcher, lambda _: None)
        assert (["As expected."], ["untouched"]) == (
            verdict(played),
            [one.change for one in played.happenings if isinstance(one, Serving)],
        )
        again = Watcher(client, story, stage.now_ms() + 1, only(story, stage.now_ms() + 1))
        (standing,) = await again.begin()
        found = await again.conclude()
        assert "SignatureMismatch" == standing.reason
        assert ({("webhook_not_firing", "SignatureMismatch")}, set()) == (set(found.standing), set(found.causes))
    finally:
        await client.close()


async def test_what_is_diagnosed_of_another_stream_does_not_count(stage: Throwaway) -> None:
    """A running service has other things to do than the story."""
    await played_on(stage, build("publish-rejected", START_MS, 1))
    mine, other = build("publish-rejected", START_MS, 1), build("publish-rejected", START_MS, 2)
    assert ["announced", "opened"] == [
        one.state if isinstance(one, StateChanged) else one.change
        for one in await Watcher(stage.client, mine, START_MS, only(mine, START_MS)).look(0)
        if isinstance(one, StateChanged | Diagnosed)
    ]
    assert [] == await Watcher(stage.client, other, START_MS, only(other, START_MS)).look(0)
