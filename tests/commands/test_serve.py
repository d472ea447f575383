"""`receiver serve`: the process itself, its first words, and why it would not start."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from stat import S_IMODE

import aiohttp
import pytest

from receiver.app import Service
from receiver.cli import main
from receiver.clock import SystemClock
from receiver.commands.serve import serve
from receiver.keys import ensure_keys
from receiver.settings import IN_FILES, Settings
from receiver.simulation.sender import Studio, attempt
from receiver.storage.sqlite import ProcessLock
from tests.engines import sqlite_only
from tests.running import KEYS, TOKEN, Log, configured, logged, signals_kept, until
from tests.served import Served, served, wait

WRONG: Mapping[str, str] = {
    "RECEIVER_DATABASE_URL": "mysql://user:hidden-word@host/db",
    "RECEIVER_DATABASE_WRITERS": "0",
    "RECEIVER_DATABASE_READERS": "many",
    "RECEIVER_DATABASE_STATEMENT_TIMEOUT_S": "never",
    "RECEIVER_DATABASE_LOCK_TIMEOUT_S": "0",
    "RECEIVER_ROLE": "both",
    "RECEIVER_DATA_DIR": "~nobody-of-that-name/data",
    "RECEIVER_HOST": "127.0.0.1:8080",
    "RECEIVER_PORT": "eighty",
    "RECEIVER_WEBHOOK_SECRETS": "hidden-word,,",
    "RECEIVER_API_TOKENS": "hidden-word",
    "RECEIVER_ALLOW_UNSIGNED": "perhaps",
    "RECEIVER_TOLERANCE_S": "-1",
    "RECEIVER_MAX_BODY_BYTES": "12",
    "RECEIVER_LOG_FORMAT": "xml",
    "RECEIVER_LOG_LEVEL": "loud",
    "RECEIVER_RECONCILE_EVERY_S": "59",
    "RECEIVER_PROBES": "always",
    "RECEIVER_PROBE_ALLOWED_HOSTS": "https://example.com/path",
    "RECEIVER_STUDIO_URL": "http://livepeer.studio/api",
    "RECEIVER_STUDIO_API_KEY": "hidden word",
    "RECEIVER_GATES": '{"main": {"url": "https://example.com/", "secret": "hidden-word", "more": 1}}',
    "RECEIVER_GATE_ON_FAULT": "open",
    "RECEIVER_GATE_TIMEOUT_S": "2",
    "RECEIVER_GATE_KEEP_VIEWERS": "some",
    "RECEIVER_PUBLISH_START_WITHIN_S": "soon",
    "RECEIVER_PUSH_DROPPED_WITHIN_S": "0",
    "RECEIVER_FIRST_SEGMENT_WITHIN_S": "ten",
    "RECEIVER_RECORDING_QUEUED_WITHIN_S": "nan",
    "RECEIVER_RECORDING_READY_WITHIN_S": "1e9",
    "RECEIVER_MAX_BROADCAST_S": "99999999",
    "RECEIVER_DELIVERY_GRACE_S": " ",
    "RECEIVER_REPORT_TTL_S": "10 minutes",
    "RECEIVER_KEEP_EVENTS_DAYS": "0",
    "RECEIVER_KEEP_DELIVERIES_DAYS": "1",
    "RECEIVER_KEEP_QUARANTINE_DAYS": "a month",
    "RECEIVER_KEEP_NOTICES_DAYS": "-1",
    "RECEIVER_KEEP_DIAGNOSES_DAYS": "1e2",
    "RECEIVER_COMPRESS_AFTER_DAYS": "soon",
    "RECEIVER_WEBHOOK_SECRETS_FILE": "/nowhere/at/all",
    "RECEIVER_API_TOKENS_FILE": "/nowhere/at/all",
    "RECEIVER_STUDIO_API_KEY_FILE": "/nowhere/at/all",
    "RECEIVER_GATES_FILE": "/nowhere/at/all",
    "RECEIVER_PROT": "8080",
}


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The environment of somebody who has configured only where data goes, in an empty folder; the log stays as it
    was."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("RECEIVER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RECEIVER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("RECEIVER_PORT", "0")
    with logged(), signals_kept():
        yield


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One process for all that need one, started with nothing configured."""
    with served(tmp_path_factory.mktemp("served"), {}) as started:
        yield started


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr of a start that is refused; it has nothing on stdout."""
    assert 2 == main(["serve"])
    printed = capsys.readouterr()
    [line] = printed.err.splitlines()
    assert "" == printed.out
    assert line.startswith("receiver: ")
    return line


def test_every_setting_has_a_wrong_value_here() -> None:
    """A setting that is added must be tried wrong too."""
    variables = {*Settings.model_fields, *(f"{name.lower()}_file" for name in IN_FILES)}
    assert {f"RECEIVER_{name.upper()}" for name in variables} == set(WRONG) - {"RECEIVER_PROT"}


@pytest.mark.parametrize("variable", WRONG)
def test_a_wrong_setting_is_one_clear_line(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It names the variable and says what to do; it never repeats a secret; nothing was made on disk."""
    monkeypatch.setenv(variable, WRONG[variable])
    line = refusal(capsys)
    assert f" {variable}: " in line
    assert "; " in line
    assert "hidden" not in line
    assert [] == list(tmp_path.iterdir())


def test_an_env_file_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Settings may stand in `.env`; a line that is none is named by its number."""
    (tmp_path / ".env").write_text("# ours\nRECEIVER_LOG_LEVEL=loud\n")
    assert "RECEIVER_LOG_LEVEL: " in refusal(capsys)
    (tmp_path / ".env").write_text("A=1\nnonsense here\n")
    assert "line 2" in refusal(capsys)


def test_a_port_in_use_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Which address, why not, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("RECEIVER_PORT", str(port))
        line = refusal(capsys)
    assert f"127.0.0.1:{port}: Address already in use." in line
    assert "RECEIVER_PORT" in line


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_told(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the system's words, which fit."""
    monkeypatch.setenv("RECEIVER_HOST", host)
    line = refusal(capsys)
    assert f"Cannot listen on {host}:0: " in line
    assert "Unknown error" not in line


def test_a_data_directory_that_cannot_be_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file stands in its place."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("RECEIVER_DATA_DIR", str(tmp_path / "file" / "data"))
    assert "RECEIVER_DATA_DIR: " in refusal(capsys)


def test_a_file_that_is_no_database_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is left as it is; the exit code says that the store is at fault."""
    (tmp_path / "data").mkdir(mode=0o700)
    file = tmp_path / "data" / "receiver.sqlite3"
    file.write_bytes(b"a shopping list, not a database\n" * 500)
    before = file.read_bytes()
    assert 3 == main(["serve"])
    [line] = capsys.readouterr().err.splitlines()
    assert "file is not a database" in line
    assert before == file.read_bytes()


def test_a_second_process_on_the_same_store_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One process for a SQLite file; the message names the way out."""
    (tmp_path / "data").mkdir(mode=0o700)
    with ProcessLock(f"sqlite:///{tmp_path / 'data' / 'receiver.sqlite3'}"):
        line = refusal(capsys)
    assert "already serving" in line
    assert "RECEIVER_DATA_DIR" in line


def test_the_first_words_say_what_a_new_user_needs(process: Served) -> None:
    """Where it listens, the URL to register, where secret and token are, a command to try; no secret among them."""
    said = process.introduction
    data_dir = process.data_dir
    for needed in (
        f"receiver listens on {process.url}\n",
        f"https://YOUR-PUBLIC-NAME/webhooks/livepeer (to be forwarded to {process.url}/webhooks/livepeer)\n",
        f"shared secret: the content of {data_dir / 'webhook_secret'}\n",
        f"Token for the API: the content of {data_dir / 'api_token'}\n",
        f"$(cat '{data_dir / 'api_token'}')\" {process.url}/v1/streams\n",
        f"See it work: {sys.executable} -m receiver simulate all\n",
        "Made on this first start: webhook_secret, api_token, digest_key\n",
    ):
        assert needed in said
    assert process.secret not in said
    assert process.token not in said


def test_what_the_first_start_made_is_for_its_owner_only(process: Served) -> None:
    """The directory, the keys and the database, whose bodies may hold what nobody else should read."""
    assert 0o700 == S_IMODE(process.data_dir.stat().st_mode)
    modes = {file.name: S_IMODE(file.stat().st_mode) for file in process.data_dir.iterdir()}
    assert {"webhook_secret", "api_token", "digest_key", "receiver.sqlite3"} <= set(modes)
    assert {0o600} == set(modes.values())


def test_stdout_has_log_lines_and_nothing_else(process: Served) -> None:
    """The first says that it serves, and where."""
    first = process.lines[0]
    assert ("service.started", "info", process.process.pid) == (first["event"], first["level"], first["pid"])
    assert f"{first['url']}/webhooks/livepeer" == first["webhook_url"]


def test_what_it_made_works(process: Served) -> None:
    """The secret verifies a delivery, the token reads the stream."""
    studio = Studio(SystemClock().now_ms(), Random(1), name="first")  # noqa: S311 -- ids of a fiction
    event = studio.started(0)
    assert 204 == process.deliver(attempt(event, "wh-1", process.secret, SystemClock().now_ms()))
    wait(lambda: json.loads(process.get("/v1/streams"))["items"])
    assert "live" == json.loads(process.get(f"/v1/streams/{studio.stream.id}"))["state"]


def test_being_told_to_stop_is_no_failure(process: Served) -> None:
    """The last line says so, and the exit code is 0. (Keep this test the last that uses the process.)"""
    assert 0 == process.stop()
    assert "service.stopping" == process.lines[-1]["event"]


def without_uvloop(folder: Path) -> dict[str, str]:
    """The environment of a process for which there is none."""
    (folder / "uvloop.py").write_text("raise ImportError")
    return {"PYTHONPATH": str(folder)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_it_runs_on_uvloop_where_that_is_installed(loop: str, number: signal.Signals, tmp_path: Path) -> None:
    """And on asyncio's own loop where it is not: either takes in deliveries, and stops in order."""
    with served(tmp_path, without_uvloop(tmp_path) if loop == "asyncio" else {}) as running:
        studio = Studio(SystemClock().now_ms(), Random(2), name="either")  # noqa: S311 -- ids of a fiction
        made = attempt(studio.started(0), "wh-1", running.secret, SystemClock().now_ms())
        assert [loop, 204] == [running.lines[0]["loop"], running.deliver(made)]
        running.process.send_signal(number)
        assert 0 == running.process.wait(20)
        assert {"service.stopping", "webhook.accepted"} <= {line["event"] for line in running.lines}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_until_it_is_told_to_stop(
    number: signal.Signals, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both signals do it; it warns of what is dangerous, listens on every network, and names an address that can be
    opened."""
    settings = configured(database_url, tmp_path, host="0.0.0.0", port=0, allow_unsigned=True, api_tokens=(TOKEN,))
    with logged() as log:
        serving = asyncio.create_task(serve(Service.build(settings, KEYS, SystemClock())))
        await until(lambda: log.of("service.started"))
        url = log.of("service.started")[0]["url"]
        async with aiohttp.ClientSession() as http, http.get(f"{url}/healthz") as response:
            assert 200 == response.status
        os.kill(os.getpid(), number)
        await serving
    assert ["service.warning", "service.started", "service.stopping"] == log.events()
    said = capsys.readouterr().err
    [started], [warned] = log.of("service.started"), log.of("service.warning")
    assert url.startswith("http://127.0.0.1:")
    assert started["listens_on"] == url.replace("http://127.0.0.1", "0.0.0.0")
    assert f"receiver listens on all addresses ({started['listens_on']}), here: {url}\n" in said
    assert f"  Warning: {warned['detail']}\n" in said
    assert "RECEIVER_ALLOW_UNSIGNED" in warned["detail"]
    assert "Token for the API: as configured\n" in said
    assert f'Bearer YOUR-TOKEN" {url}/v1/streams\n' in said
    assert "Made on" not in said


def has_ipv6() -> bool:
    """Whether this machine can listen on its own IPv6 address."""
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


@sqlite_only
@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["::1", "::"])
async def test_an_ipv6_address_is_written_in_brackets(host: str, database_url: str, tmp_path: Path) -> None:
    """As URLs have it; of all addresses, one is named that can be opened."""
    with logged() as log:
        service = Service.build(configured(database_url, tmp_path, host=host, port=0), KEYS, SystemClock())
        serving = asyncio.create_task(serve(service))
        await until(lambda: serving.done() or log.of("service.started"))
        [started] = log.of("service.started")
        async with aiohttp.ClientSession() as http, http.get(f"{started['url']}/healthz") as response:
            assert 200 == response.status
        os.kill(os.getpid(), signal.SIGTERM)
        await serving
    assert started["url"].startswith("http://[::1]:")
    assert started["listens_on"].startswith(f"[{host}]:")


async def served_once(settings: Settings) -> Log:
    """The log of a service that starts and is told to stop."""
    with logged() as log:
        serving = asyncio.create_task(serve(Service.build(settings, ensure_keys(settings), SystemClock())))
        await until(lambda: serving.done() or log.of("service.started"))
        os.kill(os.getpid(), signal.SIGTERM)
        await serving
    return log


@sqlite_only
async def test_keys_that_were_lost_are_not_taken_for_a_first_start(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there was a service before, a new secret is one that Livepeer does not have: it is said, and logged."""
    settings = configured(database_url, tmp_path, port=0)
    await served_once(settings)
    (tmp_path / "webhook_secret").unlink()
    log = await served_once(settings)
    first, second = capsys.readouterr().err.split("receiver listens on")[1:]
    [warned] = log.of("service.warning")
    assert "Made on this first start: webhook_secret, api_token, digest_key\n" in first
    assert "NEW" not in first
    assert "a NEW webhook secret was made: set it in the webhook in Livepeer Studio" in warned["detail"]
    assert f"  Warning: {warned['detail']}\n" in second
    assert "Made on" not in second


@sqlite_only
async def test_a_port_that_is_taken_leaves_nothing_running(database_url: str, tmp_path: Path) -> None:
    """What was begun before the address was found to be taken is ended in order."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = configured(database_url, tmp_path, port=taken.getsockname()[1])
        service = Service.build(settings, KEYS, SystemClock())
        with pytest.raises(Exception, match="Cannot listen"):
            await serve(service)
    assert not service.diagnoser.health.running
