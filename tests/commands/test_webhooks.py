"""`receiver webhooks`, against a Studio on a socket of this machine."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from receiver.cli import main
from receiver.clock import ManualClock, SystemClock
from receiver.evidence.reconciling.registering import WANTED
from receiver.simulation.sender import Event
from receiver.times import rfc3339
from tests.commands.stores import prepared
from tests.evidence.reading import story
from tests.running import SECRET, configured, running
from tests.studio import KEY, Credential, FakeStudio, fake_studio
from tests.studio_faults import failing
from tests.studio_rows import Row, stream_row

HOUR_MS = 3_600_000
URL = "https://93.184.215.14/webhooks/livepeer"
"""Public, and never asked here: it has been called lately, or nobody answers."""


class Stage:
    """A Studio that answers in a thread of its own, as the command has this one."""

    def __init__(self, studio: FakeStudio, loop: asyncio.AbstractEventLoop) -> None:
        self.studio, self._loop = studio, loop

    def deliver(self, *events: Event) -> None:
        """The sender tries to."""
        asyncio.run_coroutine_threadsafe(self.studio.sender.deliver(*events), self._loop).result(10)


@contextmanager
def beside() -> Iterator[Stage]:
    """Until the end."""
    loop = asyncio.new_event_loop()
    ready, over = threading.Event(), asyncio.Event()
    made: list[FakeStudio] = []

    async def serve() -> None:
        async with fake_studio(ManualClock(SystemClock().now_ms() - HOUR_MS)) as studio:
            made.append(studio)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield Stage(made[0], loop)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@pytest.fixture
def stage(at_home: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A store that a service has left, and a Studio that the settings name."""
    prepared(at_home, migrated_file)
    with beside() as stage:
        monkeypatch.setenv("RECEIVER_STUDIO_URL", stage.studio.url)
        monkeypatch.setenv("RECEIVER_STUDIO_API_KEY", KEY)
        yield stage


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `receiver webhooks`: its exit code, and what it printed, which holds no secret."""

    def command(*arguments: str) -> tuple[int, str]:
        code = main(["webhooks", *arguments])
        printed = capsys.readouterr()
        assert not [secret for secret in (SECRET, KEY) if secret in printed.out + printed.err]
        return code, printed.out or printed.err

    return command


def added(stage: Stage, url: str = URL, **changed: object) -> Row:
    """A webhook that was made an hour before the Studio's time."""
    made = {"createdAt": stage.studio.clock.now_ms() - HOUR_MS, "sharedSecret": SECRET, "events": list(WANTED)}
    return stage.studio.add_webhook(url, **{**made, **changed})


def checks(run: Run, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The checks of the only webhook, by name."""
    code, printed = run("check", *arguments, "--json")
    [one] = json.loads(printed)
    return code, {check["check"]: check for check in one["checks"]}


@pytest.mark.parametrize("arguments", [["check"], ["reconcile"], ["register", URL]])
def test_without_a_key(
    arguments: list[str], stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and what to set; nobody is asked."""
    monkeypatch.delenv("RECEIVER_STUDIO_API_KEY")
    assert 2 == main(["webhooks", *arguments])
    assert "RECEIVER_STUDIO_API_KEY: is not set" in capsys.readouterr().err
    assert [] == stage.studio.asked


@pytest.mark.parametrize("arguments", [["check"], ["reconcile"], ["register", URL]])
def test_a_studio_that_cannot_be_asked(arguments: list[str], stage: Stage, run: Run) -> None:
    """Exit code 4, and why."""
    stage.studio.keys.clear()
    code, printed = run(*arguments)
    assert (4, True) == (code, "does not know RECEIVER_STUDIO_API_KEY" in printed)


def test_reconcile(stage: Stage, run: Run, at_home: Path) -> None:
    """What is missing is said with its reason, taken in, and diagnosed by the service when it starts."""
    added(stage, "http://127.0.0.1:9/webhooks/livepeer")
    events = story()
    stage.deliver(*events)
    code, printed = run("reconcile", "--dry-run")
    assert (1, True) == (code, f"Missing: {len(events)} events, counted once for each webhook; nothing was" in printed)
    code, printed = run("reconcile")
    assert 0 == code
    for phrase in (
        f"{len(events)} taken in",
        f"{len(events)} fired, and not answered",
        min(event.id for event in events),
    ):
        assert phrase in printed
    code, printed = run("reconcile", "--json")
    report = json.loads(printed)
    assert (0, 0, True) == (code, report["missing"], report["whole"])

    async def streams() -> list[Any]:
        settings = configured(f"sqlite:///{at_home / 'receiver.sqlite3'}", at_home)
        async with running(settings, SystemClock(), attended=True) as service:
            await service.service.settle()
            return list((await service.get("/v1/streams"))["items"])

    assert ["idle"] == [one["state"] for one in asyncio.run(streams())]


def test_reconcile_since(stage: Stage, run: Run) -> None:
    """From another time on; what is none is refused."""
    now_ms = stage.studio.clock.now_ms()
    row = added(stage, "http://127.0.0.1:9/webhooks/livepeer", createdAt=now_ms - 100 * HOUR_MS)
    stage.deliver(story()[0])
    stage.studio.sender.logs[row["id"]][0]["createdAt"] = now_ms - 60 * HOUR_MS
    assert "Livepeer delivered nothing then." in run("reconcile")[1]
    code, printed = run("reconcile", "--since", "yesterday")
    assert (2, True) == (code, "--since: must be a time" in printed)
    code, printed = run("reconcile", "--since", "2199-01-01T00:00:00Z")
    assert (2, True) == (code, "--since: this lies ahead" in printed)
    assert "1 taken in" in run("reconcile", "--since", rfc3339(now_ms - 70 * HOUR_MS))[1]
    assert "All of it was here." in run("reconcile", "--since", rfc3339(now_ms - 70 * HOUR_MS))[1]


def test_reconcile_with_something_that_cannot_be_used(stage: Stage, run: Run) -> None:
    """Exit code 1, with how much and why; and 4 where it ended early."""
    row = added(stage, "http://127.0.0.1:9/webhooks/livepeer")
    stage.deliver(*story()[:2])
    entry = stage.studio.sender.logs[row["id"]][0]
    entry["request"]["body"] = json.dumps({**json.loads(entry["request"]["body"]), "context": {}})
    code, printed = run("reconcile")
    assert (1, True, True) == (code, "Not usable: 1 attempt: " in printed, "may have forged" in printed)
    stage.studio.faults[f"/webhook/{row['id']}/log"] = failing(403)
    code, printed = run("reconcile")
    assert (4, True) == (code, "It ended early." in printed)


def test_an_api_that_is_not_asked_to_the_end_makes_nothing_sure(stage: Stage, run: Run) -> None:
    """It does not say that all was here."""
    added(stage, "http://127.0.0.1:9/webhooks/livepeer")
    stage.studio.faults["/webhook"] = failing(403)
    code, printed = run("reconcile")
    assert (4, True, False) == (code, "It ended early." in printed, "All of it was here." in printed)


def test_reconcile_without_a_webhook(stage: Stage, run: Run) -> None:
    """What to do."""
    code, printed = run("reconcile")
    assert (1, True) == (code, "Make one: receiver webhooks register" in printed)


def test_a_registration_that_is_in_order(stage: Stage, run: Run) -> None:
    """Each line says so, and on what it rests."""
    now_ms = stage.studio.clock.now_ms()
    added(stage, status={"lastTriggeredAt": now_ms, "lastFailure": {"timestamp": now_ms - 5000, "response": ""}})
    code, found = checks(run)
    verdicts = {name: check["verdict"] for name, check in found.items()}
    assert 0 == code
    assert {"https", "path", "public", "events", "never_sent", "secret", "last_call"} <= {
        name for name, verdict in verdicts.items() if verdict == "ok"
    }
    assert "wrong" not in verdicts.values()
    assert URL in run("check")[1]


@pytest.mark.parametrize(
    ("changed", "name", "reason"),
    [
        ({"url": "https://10.0.0.7/webhooks/livepeer"}, "public", "UrlNotPublic"),
        ({"url": "http://93.184.215.14/webhooks/livepeer"}, "https", None),
        ({"sharedSecret": ""}, "secret", "SignatureMissing"),
        ({"sharedSecret": "of-another"}, "secret", "SignatureMismatch"),
        ({"events": ["stream.started"]}, "events", "NotSubscribed"),
    ],
)
def test_what_is_wrong(changed: dict[str, Any], name: str, reason: str | None, stage: Stage, run: Run) -> None:
    """Exit code 1; the reason is the catalogue's, and there is something to do."""
    added(stage, **changed)
    code, found = checks(run)
    assert (1, "wrong", reason) == (code, found[name]["verdict"], found[name]["reason"])
    assert found[name]["fix"]


@pytest.mark.parametrize(("status", "reason"), [(401, "EndpointFailing"), (None, "EndpointUnreachable")])
def test_the_last_call_failed(status: int | None, reason: str, stage: Stage, run: Run) -> None:
    """With what it means (FACTS 1.5)."""
    now_ms = stage.studio.clock.now_ms()
    code_of = {} if status is None else {"statusCode": status}
    failure = {"timestamp": now_ms, "response": "", **code_of}
    added(stage, status={"lastTriggeredAt": now_ms, "lastFailure": failure})
    code, found = checks(run)
    assert (1, "wrong", reason) == (code, found["last_call"]["verdict"], found["last_call"]["reason"])


def test_what_does_no_harm(stage: Stage, run: Run) -> None:
    """An event that is never sent is said to be, and no more."""
    added(stage, events=[*WANTED, "stream.detection"])
    code, found = checks(run)
    assert (0, "ok", "EventNeverSent") == (code, found["never_sent"]["verdict"], found["never_sent"]["reason"])


def test_never_called_though_something_happened(stage: Stage, run: Run) -> None:
    """A stream is active."""
    added(stage, createdAt=stage.studio.clock.now_ms() - 10 * HOUR_MS)
    stage.studio.add(stage.studio.streams, stream_row(isActive=True, lastSeen=stage.studio.clock.now_ms()))
    code, found = checks(run)
    assert (1, "NeverTriggered") == (code, found["called"]["reason"])


def test_what_else_is_told(stage: Stage, run: Run) -> None:
    """Several webhooks have the URL; one is set to a stream, which filters nothing."""
    one, other = added(stage, streamId="7c1ea8c3"), added(stage)
    code, found = checks(run, one["id"])
    assert (1, True) == (code, other["id"] in found["same_url"]["detail"])
    assert "filters nothing" in found["stream_id"]["detail"]
    assert 2 == len(json.loads(run("check", "--json", URL)[1])) == len(json.loads(run("check", "--json")[1]))


def test_one_that_is_not_there(stage: Stage, run: Run) -> None:
    """By its id, and by its URL."""
    code, found = checks(run, "d94ad7e9-3ed7-4b13-8da1-4b7a8ed2a9a2")
    assert (1, "WebhookDeleted") == (code, found["registered"]["reason"])
    code, printed = run("check", "https://example.com/webhooks/livepeer")
    assert (1, True) == (code, "Make one" in printed)


def test_register(stage: Stage, run: Run) -> None:
    """It is made once, with our secret and what is read here; the path is added."""
    code, printed = run("register", "https://93.184.215.14", "--dry-run")
    assert (0, {}) == (code, stage.studio.webhooks)
    code, printed = run("register", "https://93.184.215.14", "--name", "mine")
    [row] = stage.studio.webhooks.values()
    assert (0, URL, SECRET, "mine") == (code, row["url"], row["sharedSecret"], row["name"])
    assert sorted(WANTED) == row["events"]
    assert row["id"] in printed
    before = dict(row)
    code, printed = run("register", URL, "--json")
    assert (0, [], before) == (code, json.loads(printed)["changes"], row)


def test_register_repairs(stage: Stage, run: Run) -> None:
    """Lacking events are added, none is removed; the secret is set; what is not to be changed stays."""
    row = added(stage, events=["playback.accessControl", "stream.idle"], sharedSecret="of-another", streamId="s-1")
    row["status"] = {"lastTriggeredAt": 5}
    before = dict(row)
    code, dry = run("register", URL, "--dry-run", "--json")
    assert (0, before) == (code, row)
    code, done = run("register", URL, "--json")
    assert json.loads(dry) | {"dry_run": False} == json.loads(done)
    assert {*WANTED, "playback.accessControl"} == set(row["events"])
    assert (SECRET, "s-1", {"lastTriggeredAt": 5}, before["name"]) == (
        row["sharedSecret"], row["streamId"], row["status"], row["name"],
    )  # fmt: skip


def test_register_where_several_have_the_url(stage: Stage, run: Run) -> None:
    """The one that was called is repaired; exit code 1 names the others."""
    other, called = added(stage), added(stage, sharedSecret="", status={"lastTriggeredAt": 5})
    code, printed = run("register", URL)
    assert (1, True, SECRET) == (code, other["id"] in printed, called["sharedSecret"])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("receiver.example.com", "URL: is none"),
        ("ftp://receiver.example.com", "URL: is none"),
        ("https://receiver.example.com:port", "URL: is none"),
        ("https://93.184.215.14/#here", "behind #"),
        ("http://93.184.215.14", "https://"),
        ("https://10.0.0.7", "is a private address"),
        ("https://localhost", "is a private address"),
        ("https://receiver.invalid", "has no address"),
    ],
)
def test_what_cannot_be_registered(url: str, said: str, stage: Stage, run: Run) -> None:
    """Exit code 2, and nothing is asked."""
    code, printed = run("register", url)
    assert (2, True, []) == (code, said in printed, stage.studio.asked)


def test_register_with_a_studio_of_ones_own(stage: Stage, run: Run) -> None:
    """Any address; an event that there is not is refused by it."""
    assert 0 == run("register", "http://127.0.0.1:8080", "--allow-private")[0]
    code, printed = run("register", "http://127.0.0.1:8081", "--allow-private", "--events", "no.such")
    assert (2, True) == (code, "must be equal to one of the allowed values" in printed)
    assert 1 == len(stage.studio.webhooks)


def test_a_key_that_may_only_read(stage: Stage, run: Run) -> None:
    """Registering needs more."""
    stage.studio.keys[KEY] = Credential(may=frozenset({"GET"}))
    code, printed = run("register", URL)
    assert (4, True) == (code, "may not do this" in printed)
