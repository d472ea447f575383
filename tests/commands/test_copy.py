"""`receiver db copy`, as an operator moves house with it."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from random import Random
from stat import S_IMODE
from typing import Any

import pytest

from receiver.cli import main
from receiver.clock import ManualClock, SystemClock
from receiver.membership import Membership
from receiver.simulation.scenes import go_live
from receiver.simulation.sender import Studio, attempt
from receiver.storage import copy_marks, nodes
from receiver.storage.engine import Database
from receiver.storage.sqlite import ProcessLock
from tests.commands.stores import MINUTE_MS, PUBLISHED, fill, others, prepared
from tests.conftest import driven
from tests.postgres import Postgres
from tests.running import KEYS, SECRET, TOKEN, Log, Running, configured, logged, running
from tests.sender import T0_MS
from tests.served import served

LATER = "11111111-aaaa-4789-9460-a106bfc33508"
ASKED = ("/v1/streams", "/v1/diagnoses?status=open", "/v1/diagnoses?status=resolved", "/v1/deliveries", "/v1/webhooks")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(at_home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command: its exit code, and what it printed and said."""

    def command(*arguments: str) -> tuple[int, str, str]:
        code = main(["db", "copy", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


@pytest.fixture
def source(at_home: Path, migrated_file: Path) -> str:
    """The URL of an empty store in the data directory, beside the keys of the service."""
    url = prepared(at_home, migrated_file)
    keep(at_home, KEYS.digest_key.decode())
    return url


@pytest.fixture
def target(postgres_server: Postgres, postgres_url: str) -> str:
    """The URL of a PostgreSQL database, as the setting has it."""
    return postgres_url.replace("+psycopg", "", 1)


def keep(data_dir: Path, digest_key: str) -> None:
    """Put a digest key where a service has it."""
    file = data_dir / "digest_key"
    file.touch(0o600)
    file.write_text(digest_key)


async def answers(service: Running) -> Mapping[str, Any]:
    """What the API says of all that there is."""
    said = {path: await service.get(path) for path in ASKED}
    streams = [stream["id"] for stream in said["/v1/streams"]["items"]]
    more = [f"/v1/streams/{stream}{what}" for stream in streams for what in ("", "/events")]
    return said | {path: await service.get(path) for path in more}


def opened(log: Log, stream_id: str) -> int:
    """How often it was told that a diagnosis of a stream was opened."""
    return len([line for line in log.of("diagnosis.opened") if line.get("stream_id") == stream_id])


async def test_moving_house(source: str, target: str, at_home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy begins while the service runs and takes in more; once it has stopped the rest goes over. Served from the
    target, everything is as it was: nothing is lost, what was told is not told again, and a deadline that passed
    meanwhile fires once (P1, P5, P6, P7)."""
    studio = await fill(source, at_home)
    clock = ManualClock(T0_MS + 40 * MINUTE_MS)
    with logged() as log:
        async with running(configured(source, at_home), clock, attended=True) as service:
            with ProcessLock(source):
                code, printed, _ = run(source, target)
                assert (1, True) == (code, "The copy is NOT final: the source is being served." in printed)
            await service.deliver(*go_live(studio), *others(3))
            [failing] = (await service.get("/v1/diagnoses?status=open&condition=recording_not_available"))["items"]
            await service.ask(f"/v1/diagnoses/{failing['id']}/acknowledge", method="POST")
            await service.report(kind="publish_intent", stream_id=LATER)
            await service.service.settle()
            before, told = await answers(service), log.getvalue()
        code, printed, _ = run(source, target)
        assert (0, True) == (code, "The copy is complete and verified: " in printed)
        clock.advance(MINUTE_MS // 2)
        log.truncate(0)
        log.seek(0)
        async with running(configured(target, at_home), clock, attended=True) as service:
            after = await answers(service)
            assert before == after
            await service.pass_time(30 * MINUTE_MS)
            [rejected] = (await service.get(f"/v1/diagnoses?stream_id={LATER}"))["items"]
            assert "PublishNotStarted" == rejected["reason"]
            again = await service.deliver(*others(3))
        assert ([204] * 3, 1, 0) == (again, opened(log, LATER), len(log.of("webhook.accepted")))
        assert not {line["diagnosis_id"] for line in log.of("diagnosis.opened")} & ids_in(told)
    monkeypatch.setenv("RECEIVER_DATABASE_URL", target)
    assert 0 == main(["replay"])


def ids_in(log: str) -> set[str]:
    """The diagnoses of which a log tells that they were opened."""
    lines = [json.loads(line) for line in log.splitlines()]
    return {line["diagnosis_id"] for line in lines if line["event"] == "diagnosis.opened"}


async def test_there_and_back(source: str, target: str, at_home: Path, run: Run) -> None:
    """The digests stay the same; the digest key goes along, and only its owner can read it. Nothing of the source is
    changed."""
    await fill(source, at_home)
    back = at_home.parent / "back"
    back.mkdir()
    there = json.loads(run(source, target, "--json")[1])
    code, printed, _ = run(target, str(back / "receiver.sqlite3"), "--json")
    assert (0, True, True) == (code, there["final"], json.loads(printed)["final"])
    assert digests(there) == digests(json.loads(printed))
    assert there["tables"]["signals"]["rows"] > 3
    assert KEYS.digest_key.decode() == (back / "digest_key").read_text().strip()
    assert 0o600 == S_IMODE((back / "digest_key").stat().st_mode)
    again = json.loads(run(source, str(at_home.parent / "another.sqlite3"), "--json")[1])
    assert digests(there) == digests(again)


def digests(result: Mapping[str, Any]) -> Mapping[str, tuple[int, str]]:
    """What each table holds."""
    return {name: (one["rows"], one["digest"]) for name, one in result["tables"].items()}


async def test_half_a_copy_is_not_used(
    source: str, at_home: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command says so, and what to do; nor is it copied further. Once it is complete, it is used."""
    half = f"sqlite:///{at_home.parent}/half.sqlite3"
    with ProcessLock(source):
        assert 1 == run(source, half)[0]
    monkeypatch.setenv("RECEIVER_DATABASE_URL", half)
    for command in (["serve"], ["replay"], ["diagnoses"], ["quarantine", "release"]):
        assert 2 == main(command)
        assert "This database is a copy that is not complete" in capsys.readouterr().err
    assert 2 == run(half, f"{half}-2")[0]
    assert 0 == run(source, half)[0]
    assert 0 == main(["replay"])


async def test_what_was_used_is_not_written_over(source: str, target: str, at_home: Path, run: Run) -> None:
    """Nor what never was a copy of this installation. A copy that nobody has used can be verified again."""
    await fill(source, at_home)
    assert [0, 0] == [run(source, target)[0], run(source, target)[0]]
    database = Database.open(driven(target))
    with Membership(database, SystemClock()):
        code, _, said = run(source, target)
        assert (2, "receiver: The target is in use by a service. Copy into an empty database.\n") == (code, said)
    database.close_now()
    code, _, said = run(source, target)
    assert (2, True) == (code, said.startswith("receiver: The target holds other data than a copy of this source"))


async def test_a_copy_of_another_installation_is_left_alone(source: str, target: str, at_home: Path, run: Run) -> None:
    """Though it is empty."""
    with ProcessLock(source):
        assert 1 == run(source, target)[0]
    keep(at_home, "of-another-installation")
    code, _, said = run(source, target)
    assert (2, True) == (code, said.startswith("receiver: The target holds other data than a copy of this source"))


async def test_a_server_that_is_in_use_is_copied_but_not_for_good(
    target: str, postgres_server: Postgres, at_home: Path, run: Run
) -> None:
    """Its processes say in it that they run. What is copied has their digest key."""
    copied = at_home.parent / "copied"
    copied.mkdir()
    database = Database.open(driven(target))
    database.write_now(lambda c: nodes.shared_key(c, "digest_key", "of-all-processes"))
    with Membership(database, SystemClock()):
        assert 1 == run(target, str(copied / "receiver.sqlite3"))[0]
    database.close_now()
    assert 0 == run(target, str(copied / "receiver.sqlite3"))[0]
    assert "of-all-processes" == (copied / "digest_key").read_text().strip()


def test_refusals(source: str, target: str, at_home: Path, run: Run) -> None:
    """One line each, exit code 2; a password is not repeated."""
    file = at_home / "receiver.sqlite3"
    elsewhere = at_home.parent / "elsewhere"
    elsewhere.mkdir()
    keep(elsewhere, "of-another-service")
    for arguments, said in (
        ((source, str(file)), "SOURCE and TARGET are the same database."),
        ((source, f"sqlite:///{at_home}/../{at_home.name}/receiver.sqlite3"), "SOURCE and TARGET are the same"),
        ((source, "mysql://user:hunter2@host/database"), "TARGET: is no database that is known"),
        (("", target), f"SOURCE: there is no file {at_home.parent}."),
        ((f"{file}-2", target), f"SOURCE: there is no file {file}-2."),
        ((target, source), "SOURCE: no service has ever used this database"),
        ((source, str(at_home.parent / "nowhere" / "file")), f"TARGET: the folder {at_home.parent / 'nowhere'} cannot"),
        ((source, str(elsewhere / "file")), f"TARGET: the digest_key in {elsewhere} is not the source's"),
    ):
        code, printed, error = run(*arguments)
        assert (2, "", "receiver: " + said) == (code, printed, error[: len("receiver: " + said)])
        assert "hunter2" not in error


def test_a_server_by_another_name_is_the_same(target: str, at_home: Path, run: Run) -> None:
    """Its marks tell; it stays as it was."""
    database = Database.open(driven(target))
    database.write_now(lambda c: nodes.shared_key(c, "digest_key", "of-all-processes"))
    for _ in range(2):
        code, _, error = run(target, f"{target}?application_name=other")
        assert (2, "receiver: SOURCE and TARGET are the same database.\n") == (code, error)
    database.read_now(copy_marks.must_be_whole)
    database.close_now()


def test_a_missing_digest_key_is_told(source: str, target: str, at_home: Path, run: Run) -> None:
    """Without it, what was reported would not be known again."""
    (at_home / "digest_key").unlink()
    code, _, error = run(source, target)
    assert (2, f"receiver: SOURCE: there is no file digest_key in {at_home};") == (code, error.partition(" it goes")[0])


def test_a_source_of_another_version_is_refused(source: str, target: str, at_home: Path, run: Run) -> None:
    """Older: it is to be migrated first; newer: we do not know it."""
    for version, code in (("0001", 3), ("9999", 2)):
        with closing(sqlite3.connect(at_home / "receiver.sqlite3")) as changed:
            changed.execute("UPDATE alembic_version SET version_num = ?", [version])
            changed.commit()
        assert code == run(source, target)[0]


async def test_a_text_that_postgresql_cannot_store_is_told(source: str, target: str, at_home: Path, run: Run) -> None:
    """The service stores none, so somebody else did: where, but not what. On SQLite it goes over."""
    await fill(source, at_home)
    with closing(sqlite3.connect(at_home / "receiver.sqlite3")) as changed:
        changed.execute("UPDATE subjects SET name = ? WHERE id = ?", ["hid\0den", PUBLISHED])
        changed.commit()
    code, _, error = run(source, target)
    told = f"('stream', '{PUBLISHED}'), column name. Mend or remove that row, and copy again.\n"
    assert (3, True, False) == (code, error.endswith(told), "hid" in error)
    assert 0 == run(source, str(at_home.parent / "copy.sqlite3"))[0]


def test_a_text_that_is_none_is_told(source: str, target: str, at_home: Path, run: Run) -> None:
    """Half a surrogate pair cannot be read, and cannot be stored by way of us."""
    with closing(sqlite3.connect(at_home / "receiver.sqlite3")) as changed:
        changed.execute("INSERT INTO idempotency VALUES (CAST(x'eda080' AS TEXT), 'd', 1, 1)")
        changed.commit()
    code, _, error = run(source, target)
    assert (3, True) == (code, f"The database {at_home / 'receiver.sqlite3'} cannot be used: Could not decode" in error)


KILLED = """
import os, signal, sys
from receiver.cli import main
from receiver.commands.progress import Bar

left = int(sys.argv[1])

def show(self, *told, **more):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

Bar.show = show
sys.exit(main(["db", "copy", *sys.argv[2:]]))
"""


@pytest.mark.parametrize("moment", [1, 8, 15])
def test_killed_and_run_again(
    moment: int, source: str, target: str, at_home: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the same, whatever the moment; until then nobody serves the target."""
    asyncio.run(fill(source, at_home))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(moment), source, target], check=False, capture_output=True, env=os.environ
    )
    assert -9 == done.returncode, done.stderr
    monkeypatch.setenv("RECEIVER_DATABASE_URL", target)
    monkeypatch.setenv("RECEIVER_WEBHOOK_SECRETS", SECRET)
    monkeypatch.setenv("RECEIVER_API_TOKENS", TOKEN)
    assert 2 == main(["serve"])
    killed = json.loads(run(source, target, "--json")[1])
    calm = json.loads(run(source, str(at_home.parent / "calm.sqlite3"), "--json")[1])
    assert digests(calm) == digests(killed)


def test_a_real_service_moves(tmp_path: Path, at_home: Path, target: str, run: Run) -> None:
    """Two processes and the command between them: an event, and an observation under its key, are known again."""
    event, [other] = Studio(SystemClock().now_ms(), Random("moving")).started(0), others(1)  # noqa: S311 -- a fiction
    with served(tmp_path, {}) as first:
        at = ("--json",)
        file = str(first.data_dir / "receiver.sqlite3")
        assert 204 == first.deliver(attempt(event, "wh-1", first.secret, SystemClock().now_ms()))
        assert False is json.loads(run(file, target, *at)[1])["final"]
        assert 204 == first.deliver(attempt(other, "wh-1", first.secret, SystemClock().now_ms()))
        assert 0 == first.stop()
        assert 0 == run(file, target, *at)[0]
        secret, token, key = first.secret, first.token, (first.data_dir / "digest_key").read_text().strip()
    moved = tmp_path / "moved"
    moved.mkdir()
    settings = {
        "RECEIVER_DATABASE_URL": target,
        "RECEIVER_WEBHOOK_SECRETS": secret,
        "RECEIVER_API_TOKENS": token,
    }
    with served(moved, settings) as second:
        assert 204 == second.deliver(attempt(event, "wh-1", secret, SystemClock().now_ms()))
    database = Database.open(driven(target))
    assert key == database.read_now(copy_marks.digest_key_of)
    database.close_now()
