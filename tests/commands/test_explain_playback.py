"""`receiver explain-playback`, in this process and as one of its own."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from receiver.cli import main
from receiver.clock import SystemClock
from receiver.diagnosis.refusal import CHECKS
from tests.commands.stores import fill, prepared
from tests.tokens import PLAYBACK_ID, Signer

SIGNER = Signer.fresh()
KEY = "planted-access-key-0001"


def token(**changes: object) -> str:
    """A token that is right now, but for the changes."""
    now_s = SystemClock().now_ms() // 1000
    return SIGNER.token(**{"exp": now_s + 600, "iat": now_s - 60, **changes})


def test_a_refusal_is_told_in_words(at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a service, a store, or any setting: the verdict, why, what to do, and every check. Exit code 1."""
    assert 1 == main(["explain-playback", PLAYBACK_ID, "--jwt", token(sub="another-id")])
    head, *lines = capsys.readouterr().out.splitlines()
    assert "denied / JwtSubjectMismatch" == head
    assert '`sub` is "another-id", not the playback id' in lines[0]
    checks = [line.split()[1] for line in lines if line.startswith(("pass ", "fail ", "unknown "))]
    assert list(CHECKS) == checks
    assert not at_home.exists()


@pytest.mark.parametrize(
    ("more", "code", "reason"),
    [
        (["--error", "Content is gated and origin not in allowed origins"], 1, "OriginNotAllowed"),
        (["--access-key", KEY], 4, "AccessUnknown"),
        (["--origin", "https://watch.example.com"], 4, "AccessUnknown"),
        ([], 4, "AccessUnknown"),
    ],
)
def test_the_exit_code_is_the_verdict(
    more: list[str], code: int, reason: str, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """1 denied, 4 not known; and the same as JSON."""
    assert code == main(["explain-playback", PLAYBACK_ID, *more, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert {"verdict", "reason", "message", "fix", "checks"} == set(found)
    assert (reason, {1: "denied", 4: "unknown"}[code]) == (found["reason"], found["verdict"])
    assert [{"check", "verdict", "detail"}] * len(CHECKS) == [set(one) for one in found["checks"]]


@pytest.mark.parametrize("option", ["--jwt", "--jwt-file"])
def test_a_token_need_not_stand_on_the_command_line(option: str, at_home: Path) -> None:
    """From stdin or from a file, with a line end behind it: as a process of its own, which shows nothing of it."""
    told = token(custom="planted-custom")
    file = at_home.parent / "token"
    file.write_text(f"{told}\n")
    arguments = ["explain-playback", PLAYBACK_ID, option, "-" if option == "--jwt" else str(file), "--access-key", KEY]
    ended = subprocess.run(
        [sys.executable, "-m", "receiver", *arguments], input=f"{told}\n", capture_output=True, timeout=30, check=False,
        text=True,
    )  # fmt: skip
    assert (4, "") == (ended.returncode, ended.stderr)
    assert "unknown  jwt_signature  Not looked at, for the access key wins. Made with the private key" in ended.stdout
    assert [] == [part for part in (*told.split("."), KEY, "planted-custom") if part in ended.stdout]


def test_an_access_key_may_stand_in_a_file(at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the token may."""
    file = at_home.parent / "key"
    file.write_text(KEY)
    given = ["--access-key-file", str(file), "--jwt", token()]
    assert 4 == main(["explain-playback", PLAYBACK_ID, *given])
    assert "the access key wins" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a b"], "PLAYBACK_ID: String should match pattern"),
        (["7c1e-abcd-efgh-ijkl"], "PLAYBACK_ID: looks like a stream key"),
        ([PLAYBACK_ID, "--jwt", "-", "--access-key", "-"], "Only one of --jwt and --access-key"),
        ([PLAYBACK_ID, "--jwt-file", "no/such/file"], "--jwt-file: the file cannot be read: No such file"),
        ([PLAYBACK_ID, "--access-key", "planted" * 400], "--access-key: Value should have at most 2000"),
    ],
)
def test_what_cannot_be_understood_is_told(
    arguments: list[str], said: str, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one line, and nothing of what was given."""
    assert 2 == main(["explain-playback", *arguments])
    printed = capsys.readouterr()
    [line] = printed.err.splitlines()
    assert printed.out == ""
    assert line.startswith(f"receiver: {said}")
    assert "planted" not in line
    assert "abcd" not in line


async def test_a_store_is_used_where_there_is_one(
    at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The stream's own id in `sub` is known for what it is, for its events have told of it."""
    studio = await fill(prepared(at_home, migrated_file), at_home)
    playback_id = studio.stream.playback_id
    asked = ["explain-playback", playback_id, "--jwt", token(sub=studio.stream.id), "--json"]
    assert 1 == await asyncio.to_thread(main, asked)
    assert "it is the stream's id" in json.loads(capsys.readouterr().out)["message"]


def test_a_store_that_cannot_be_used_is_left_out(at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told, and the rest is answered all the same."""
    at_home.mkdir(mode=0o700)
    (at_home / "receiver.sqlite3").write_bytes(b"no database at all, just text\n" * 500)
    assert 1 == main(["explain-playback", PLAYBACK_ID, "--jwt", "x"])
    printed = capsys.readouterr()
    [line] = printed.err.splitlines()
    assert line.startswith("receiver: the store is left out: The database ")
    assert printed.out.startswith("denied / JwtMalformed")


def test_what_is_said_is_shown_and_not_obeyed(at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal obeys control characters; a text that is no UTF-8 is refused."""
    assert 1 == main(["explain-playback", PLAYBACK_ID, "--error", "\x1b[31mnot allowed to view this stream\r\n"])
    printed = capsys.readouterr().out
    assert "\ufffd[31mnot allowed to view this stream" in printed
    assert "\x1b" not in printed
    assert 2 == main(["explain-playback", PLAYBACK_ID, "--error", "\udcff\x1b"])
    assert capsys.readouterr().err.startswith("receiver: --error: Input should be a valid string")
