"""`receiver probe`, against an edge on a socket of this machine."""

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from receiver.cli import main
from tests.edge import (
    DENIED,
    INFO,
    MASTER,
    OFFLINE,
    PLAYBACK_ID,
    Edge,
    Reply,
    playlist,
    refused,
    serving,
    with_error,
)

JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"
ENDED = playlist("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n1.ts\n#EXT-X-ENDLIST\n")


@contextmanager
def beside(edge: Edge) -> Iterator[None]:
    """The edge answers in a thread of its own, as the command has this one."""
    loop = asyncio.new_event_loop()
    ready, over = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with serving(edge):
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@pytest.fixture
def edge(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edge]:
    """It plays a finished recording; the settings name it."""
    edge = Edge()
    with beside(edge):
        monkeypatch.setenv("RECEIVER_STUDIO_URL", f"{edge.url}/api")
        monkeypatch.setenv("RECEIVER_PROBE_ALLOWED_HOSTS", "127.0.0.1")
        edge.knows()
        edge.puts(MASTER, ENDED)
        yield edge


def test_what_plays(edge: Edge, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, and what it rests on."""
    assert 0 == main(["probe", PLAYBACK_ID])
    lines = capsys.readouterr().out.splitlines()
    assert f"{PLAYBACK_ID}: It plays." == lines[0]
    assert {f"  asked:          {edge.url}{MASTER}", "  HTTP status:    200", "  segments:       1"} <= set(lines)


def test_what_does_not_play(edge: Edge, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1; why and what to do, from the catalogue, and what the edge said."""
    edge.puts(MASTER, with_error(OFFLINE))
    assert 1 == main(["probe", PLAYBACK_ID])
    printed = capsys.readouterr().out
    for phrase in ("the stream is offline", "StreamOffline: The player found", "Check the encoder", OFFLINE):
        assert phrase in printed


def test_what_is_denied(edge: Edge, capsys: pytest.CaptureFixture[str]) -> None:
    """As whom it was asked, and where to look; never the credential."""
    edge.knows(playbackPolicy={"type": "jwt"})
    edge.puts(MASTER, with_error(f"{DENIED}: {JWT}"))
    assert 1 == main(["probe", PLAYBACK_ID, "--jwt", JWT, "--origin", "https://www.example.com"])
    printed = capsys.readouterr().out
    for phrase in (
        "access was denied",
        "playback policy",
        "policy:         jwt",
        "a JWT, origin https://www.example.com",
    ):
        assert phrase in printed
    assert JWT not in printed


def test_what_cannot_be_found_out(edge: Edge, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 4, and what to change."""
    edge.knows(hls="https://storage.example/hls/index.m3u8")
    assert 4 == main(["probe", PLAYBACK_ID])
    assert "storage.example is not among RECEIVER_PROBE_ALLOWED_HOSTS" in capsys.readouterr().out
    edge.puts(INFO, Reply(b"", 500))
    assert 4 == main(["probe", PLAYBACK_ID])


def test_an_id_that_nobody_knows(edge: Edge, capsys: pytest.CaptureFixture[str]) -> None:
    """It may be wrong, deleted or suspended."""
    edge.puts(INFO, refused(f"No playback URL found for {PLAYBACK_ID}", 404))
    assert 1 == main(["probe", PLAYBACK_ID])
    printed = capsys.readouterr().out
    assert "WrongIdentifier" in printed
    assert "deleted or suspended" in printed


def test_json(edge: Edge, capsys: pytest.CaptureFixture[str]) -> None:
    """The names of the issue, at least."""
    assert 0 == main(["probe", PLAYBACK_ID, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert {
        "playback_id", "url", "verdict", "reason", "http_status", "error_line", "segments", "renditions", "redirects",
        "took_ms",
    } <= set(found)  # fmt: skip
    assert (PLAYBACK_ID, "plays", None, 200, 1) == tuple(
        found[name] for name in ("playback_id", "verdict", "reason", "http_status", "segments")
    )


def test_an_address_can_be_given(edge: Edge) -> None:
    """Livepeer is not asked then."""
    assert 0 == main(["probe", PLAYBACK_ID, "--url", f"{edge.url}{MASTER}"])
    assert [MASTER] == [asked.target for asked in edge.asked]


@pytest.mark.parametrize(("option", "header"), [("--jwt", "livepeer-jwt"), ("--access-key", "livepeer-access-key")])
def test_a_credential_is_read_from_elsewhere(
    option: str, header: str, edge: Edge, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Arguments can be seen by others on the machine."""
    monkeypatch.setattr("sys.stdin", io.StringIO("from-stdin\n"))
    assert 0 == main(["probe", PLAYBACK_ID, option, "-"])
    (tmp_path / "key").write_text("from-file\n")
    assert 0 == main(["probe", PLAYBACK_ID, option, f"@{tmp_path / 'key'}"])
    assert [None, "from-stdin", None, "from-file"] == [asked.headers.get(header) for asked in edge.asked]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["7c1ek/izba"], "playback_id is no playback id"),
        ([PLAYBACK_ID, "--jwt", "two words"], "jwt must be one word"),
        ([PLAYBACK_ID, "--jwt", " "], "--jwt: what was given is empty"),
        ([PLAYBACK_ID, "--jwt", "@missing"], "--jwt: the file cannot be read: No such file"),
        ([PLAYBACK_ID, "--access-key", "@binary"], "--access-key: what was given is no text"),
        ([PLAYBACK_ID, "--origin", "example.com"], "origin must be an origin"),
    ],
)
def test_what_cannot_be_asked(arguments: list[str], said: str, edge: Edge, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, one line, nothing sent."""
    Path("binary").write_bytes(b"\xff\xfe")
    assert 2 == main(["probe", *arguments])
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
    assert [] == edge.asked


def test_wrong_arguments(edge: Edge) -> None:
    """A player sends one credential."""
    with pytest.raises(SystemExit) as ended:
        main(["probe", PLAYBACK_ID, "--jwt", "a", "--access-key", "b"])
    assert 2 == ended.value.code
