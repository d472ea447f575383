import argparse
import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_aiohttp.plugin import AiohttpServer

from receiver.cli import main
from receiver.clock import SystemClock
from receiver.commands.simulate import START_MS, play_all
from receiver.commands.simulate_running import address, play_against
from receiver.errors import SettingsError
from receiver.keys import Keys
from receiver.simulation.client import Client
from receiver.simulation.running import Running
from receiver.simulation.script import WaitUntil
from receiver.simulation.stories import NAMES, build
from tests.engines import sqlite_only
from tests.live import live

URL = "http://127.0.0.1:8080"
TEXT = argparse.Namespace(json=False, verbose=False)
JSON = argparse.Namespace(json=True, verbose=False)
STRANGER = "a-value-that-the-service-does-not-know"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of somebody who has configured nothing, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECEIVER_DATA_DIR", str(tmp_path / "data"))


def test_one_story_is_told_as_it_happens(capsys: pytest.CaptureFixture[str]) -> None:
    """What it is, when what was sent and answered, what changed, the diagnosis with its fix, and the conclusion."""
    assert 0 == main(["simulate", "publish-rejected"])
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert "" == printed.err
    assert lines[0].startswith("publish-rejected: The operator's system is about to publish")
    assert ["0:00:00", "report:", "publish_intent", "201"] == lines[2].split()
    assert "           stream: announced" == lines[3]
    assert "0:01:30  OPENED rtmp_push_rejected / PublishNotStarted (critical, suspected)" == lines[4]
    assert any(line.startswith("           Fix: Verify that the stream key") for line in lines)
    assert [
        "Sent: 1 report. Answered: 1 x 201.",
        "Diagnosed: rtmp_push_rejected / PublishNotStarted.",
        "As expected.",
    ] == lines[-3:]


def test_the_same_story_is_told_in_the_same_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Its start and its ids are fixed; another seed changes the ids."""
    told = []
    for more in ([], [], ["--seed", "2"]):
        main(["simulate", "manifest-empty", *more])
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert told[0] != told[2]


def test_a_story_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One document, with everything that happened."""
    assert 0 == main(["simulate", "push-dropped", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert ("push-dropped", True, {"204": 6}) == (told["story"], told["as_expected"], told["answered"])
    assert [{"condition": "rtmp_push_rejected", "reason": "PushDropped"}] == told["diagnosed"]
    assert ["PushDropped"] == [one["reason"] for one in told["diagnoses"]]
    assert {"delivered": 6, "state": 6, "diagnosis": 2} == {
        what: sum(one["what"] == what for one in told["timeline"]) for what in ("delivered", "state", "diagnosis")
    }


def test_the_log_is_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, with the story's times."""
    main(["simulate", "publish-rejected", "--verbose"])
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (opened,) = [line for line in logged if line["event"] == "diagnosis.opened"]
    assert ("2024-09-12T15:01:30.000Z", "PublishNotStarted") == (opened["timestamp"], opened["reason"])


async def test_all_stories_end_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each, and how many were as expected."""
    stories = [build(name, START_MS, 1) for name in ("no-recording", "manifest-empty")]
    assert 0 == await play_all(stories, TEXT)
    head, healthy, failing, _, summary = capsys.readouterr().out.splitlines()
    assert ["STORY", "WHAT IT IS", "SENT", "ANSWERED", "DIAGNOSED", "AS EXPECTED"] == re.split(r" {2,}", head)
    assert ["no-recording", "a stream that does not record", "3", "3 x 204", "-", "yes"] == re.split(r" {2,}", healthy)
    assert ["3 + 2 reports", "2 x 201, 3 x 204", "hls_manifest_empty / NoSegments", "yes"] == re.split(
        r" {2,}", failing
    )[2:]
    assert summary.startswith("2 of 2 stories as expected: 0:23:00 of story time in ")


async def test_what_is_not_as_expected_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    """The row says so, and a line below the table says what is wrong."""
    story = replace(build("publish-rejected", START_MS, 1), expects=())
    assert 1 == await play_all([story], TEXT)
    _, row, _, why, summary = capsys.readouterr().out.splitlines()
    assert row.endswith("  NO")
    cause = "rtmp_push_rejected / PublishNotStarted was diagnosed and not expected"
    assert f"publish-rejected: NOT as expected: {cause}." == why
    assert summary.startswith("0 of 1 stories as expected")


async def test_all_stories_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """What became of each, and whether all were as expected."""
    assert 0 == await play_all([build("publish-rejected", START_MS, 1)], JSON)
    told = json.loads(capsys.readouterr().out)
    assert (True, ["publish-rejected"]) == (told["as_expected"], [one["story"] for one in told["stories"]])


def test_the_stories_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """With how long they take and what should be diagnosed; as text and as JSON."""
    assert 0 == main(["simulate", "--list"])
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("STORY ")
    assert list(NAMES) == [row.split()[0] for row in rows]
    assert "0:05:00" in rows[NAMES.index("push-dropped")]
    assert 0 == main(["simulate", "--list", "--json"])
    assert list(NAMES) == [one["story"] for one in json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "Name a story, or `all`"),
        (["helthy"], "There is no story of that name. Did you mean `healthy`?"),
        (["\x1b[31m"], "There is no story of that name. `receiver simulate --list`"),
        (["all", "--url", URL], "Against a running service stories take their real time, all of them 7.3 hours"),
        (["healthy", "--url", "ftp://127.0.0.1"], "--url must be the address of a receiver"),
        (["healthy", "--url", "http://127.0.0.1:99999"], "--url must be the address of a receiver"),
        (["healthy", "--url", "http://somebody@127.0.0.1"], "--url must be the address of a receiver"),
        (["outage", "--url", URL], "`outage` takes the service down for a while: play it without --url."),
    ],
)
def test_what_cannot_be_played_is_refused(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one clear message and exit code 2."""
    configured(monkeypatch)
    assert 2 == main(["simulate", *arguments])
    assert capsys.readouterr().err.startswith(f"receiver: {expected}")


def test_without_secret_and_token_nothing_is_played(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """And none are made: they would not be the service's."""
    assert 2 == main(["simulate", "healthy", "--url", URL])
    assert capsys.readouterr().err.startswith("receiver: RECEIVER_WEBHOOK_SECRETS: is not set, and there is no ")
    assert not (tmp_path / "data").exists()


def test_a_token_that_may_not_report_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stories read and write."""
    configured(monkeypatch, token=f"{STRANGER}-2:read")
    assert 2 == main(["simulate", "healthy", "--url", URL])
    assert "needs a token with the scopes read and write" in capsys.readouterr().err


def test_a_service_that_is_not_there_is_said_to_be_not_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    """With what to do."""
    configured(monkeypatch)
    url = f"http://127.0.0.1:{unused_tcp_port}"
    assert 2 == main(["simulate", "healthy", "--url", url])
    assert f"receiver: Nothing answers at {url}: Connection refused. Start the service (`receiver serve`), or " in (
        capsys.readouterr().err
    )


@pytest.fixture
async def running(aiohttp_server: AiohttpServer, database_url: str, tmp_path: Path) -> tuple[str, Keys]:
    """A service in real time, whose keys are in the data directory: its URL, and its keys."""
    return await live(aiohttp_server, database_url, tmp_path / "data")


@sqlite_only
@pytest.mark.parametrize(
    ("secret", "token", "expected"),
    [
        (None, STRANGER, "does not know our token. Set RECEIVER_API_TOKENS"),
        (STRANGER, None, "refuses our signature; it keeps that delivery in its quarantine. Set RECEIVER_WEBHOOK_SECR"),
    ],
)
async def test_a_wrong_secret_or_token_is_told_apart(
    running: tuple[str, Keys],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    secret: str | None,
    token: str | None,
    expected: str,
) -> None:
    """By what the service answers; the rest comes from its data directory, and the webhook's address will do."""
    configured(monkeypatch, secret, token)
    assert 2 == await asyncio.to_thread(main, ["simulate", "healthy", "--url", f"{running[0]}/webhooks/livepeer"])
    assert expected in capsys.readouterr().err


@sqlite_only
async def test_a_running_service_is_played_against_in_real_time(
    running: tuple[str, Keys], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is due when is said first; what it would leave behind, too."""
    url, keys = running
    client = Client(url, keys.api_tokens[0].token)
    try:
        stage = Running(client, keys.webhook_secrets[0], SystemClock(), poll_s=0.05)
        whole = build("wrong-secret", stage.start_ms, 5)
        refused = [replace(step, at_ms=index) for index, step in enumerate(whole.steps[:3])]
        story = replace(whole, steps=(*refused, WaitUntil(900)))
        played = await play_against(stage, story, as_json=False)
    finally:
        await client.close()
    lines = capsys.readouterr().out.splitlines()
    assert played.as_expected
    assert any(line.startswith(f"Played in real time against {url}; it ends at 0:00:00 (") for line in lines)
    assert any(line.startswith("Due by 0:04:10 (") for line in lines)
    assert any(line.startswith("What is refused stays in its quarantine") for line in lines)
    assert any("OPENED webhook_not_firing / SignatureMismatch" in line for line in lines)
    assert "As expected." == lines[-1]


@sqlite_only
async def test_another_server_is_no_receiver(running: tuple[str, Keys]) -> None:
    """Its answer is told."""
    url, keys = running
    client = Client(f"{url}/elsewhere", keys.api_tokens[0].token)
    try:
        stage = Running(client, keys.webhook_secrets[0], SystemClock())
        with pytest.raises(SettingsError) as caught:
            await play_against(stage, build("healthy", stage.start_ms, 1), as_json=True)
    finally:
        await client.close()
    assert "cannot be used as a receiver: it answered 404" in caught.value.detail


def test_the_address_of_the_webhook_is_that_of_the_service() -> None:
    """Whichever of the two somebody has at hand, with or without a slash."""
    expected = "https://example.test/hooks"
    for given in ("", "/", "/webhooks/livepeer", "/webhooks/livepeer/"):
        assert expected == address(f"{expected}{given}")


def configured(
    monkeypatch: pytest.MonkeyPatch, secret: str | None = STRANGER, token: str | None = f"{STRANGER}-2"
) -> None:
    """Set secret and token, but for those that are None."""
    if secret is not None:
        monkeypatch.setenv("RECEIVER_WEBHOOK_SECRETS", secret)
    if token is not None:
        monkeypatch.setenv("RECEIVER_API_TOKENS", token)
