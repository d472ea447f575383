"""The command line as a whole: its help, its exit codes, its pipes."""

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from receiver.cli import main
from tests.running import logged

COMMANDS = {
    (): ("says what went wrong with a stream", "Settings come from RECEIVER_*"),
    ("serve",): ("Run the service until SIGTERM or SIGINT", "the URL to register", "Exit code 2"),
    ("simulate",): ("signed deliveries over real HTTP", "--url", "Exit code 1"),
    ("diagnoses",): ("The open diagnoses, newest first", "Exit code 1", "--all", "--json"),
    ("probe",): ("read its HLS manifests", "Exit code 0", "--jwt", "--origin", "--json"),
    ("webhooks",): ("what never arrived taken in", "check", "reconcile", "register"),
    ("webhooks", "check"): ("as Livepeer Studio has them", "Exit code 1", "URL-or-ID", "--json"),
    ("webhooks", "reconcile"): (
        "take in every event that is not here",
        "Exit code 1",
        "--since",
        "--dry-run",
        "--json",
    ),
    ("webhooks", "register"): ("Make a webhook with this URL", "Exit code 1", "--events", "--allow-private", "--json"),
    ("quarantine",): ("could not be verified", "release"),
    ("quarantine", "list"): ("List what is held", "--json"),
    ("quarantine", "release"): ("take in what passes", "--ignore-age", "Exit code 1", "--json"),
    ("explain-playback",): ("read and forgotten", "can be seen by others", "--jwt-file", "Exit code 0 says allowed"),
    ("replay",): ("Rebuild all states and conditions", "exit code 1", "--json"),
    ("db",): ("The database itself", "upgrade"),
    ("db", "upgrade"): ("Apply the migrations", "--json"),
}
README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder, with nothing configured but where data goes."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("RECEIVER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RECEIVER_DATA_DIR", str(tmp_path / "data"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` says what it does, what its options are and what its exit code means, and needs no settings."""
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert 0 == ended.value.code
    for phrase in COMMANDS[command]:
        assert phrase in said


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """And the README's table has the same."""
    with pytest.raises(SystemExit):
        main(["--help"])
    named = set(re.findall(r"^    ([\w-]+)(?: |$)", capsys.readouterr().out, re.MULTILINE))
    assert {command[0] for command in COMMANDS if command} == named
    assert named == set(re.findall(r"^\| `receiver ([\w-]+)", README.read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    "arguments",
    [(), ("unknown",), ("db",), ("quarantine",), ("diagnoses", "a", "b"), ("replay", "--yaml"), ("explain-playback",)],
)
def test_wrong_arguments_are_told(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """How it is used, what is wrong, exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    printed = capsys.readouterr()
    assert (2, "") == (ended.value.code, printed.out)
    assert printed.err.startswith("usage: receiver")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """That of the installed package."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (0, f"receiver {version('livepeer-receiver')}\n") == (ended.value.code, capsys.readouterr().out)


@pytest.mark.parametrize(
    "arguments", [("diagnoses",), ("quarantine", "list"), ("quarantine", "release"), ("replay",)], ids=" ".join
)
def test_without_a_database_it_says_what_to_do(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One line with the path that was looked at; nothing is made there."""
    assert 2 == main(arguments)
    [line] = capsys.readouterr().err.splitlines()
    assert f"There is no database at {tmp_path / 'data' / 'receiver.sqlite3'} yet. Run `receiver serve` first" in line
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [("diagnoses",), ("quarantine", "release"), ("replay",), ("db", "upgrade")])
def test_a_store_that_cannot_be_used_has_its_own_exit_code(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """3, with what the database itself said."""
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "receiver.sqlite3").write_bytes(b"no database at all, just text\n" * 500)
    assert 3 == main(arguments)
    [line] = capsys.readouterr().err.splitlines()
    assert 1 == line.count("file is not a database")


def test_a_path_that_cannot_be_followed_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """In the system's words: that is not the same as no database yet."""
    (tmp_path / "data").symlink_to(tmp_path / "data")
    assert 2 == main(["diagnoses"])
    [line] = capsys.readouterr().err.splitlines()
    assert "Too many levels of symbolic links" in line
    assert "as the user that the service runs as" in line


def test_a_database_of_another_version_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What to run first; afterwards it works."""
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "receiver.sqlite3").touch(0o600)
    assert 3 == main(["diagnoses"])
    assert "Run `receiver db upgrade` first." in capsys.readouterr().err
    with logged():
        assert 0 == main(["db", "upgrade"])
    assert 0 == main(["diagnoses"])


@pytest.mark.parametrize(("arguments", "expected"), [(["replay"], False), (["serve", "--help"], True)])
def test_a_command_loads_no_more_than_it_needs(arguments: list[str], expected: bool) -> None:  # noqa: FBT001 -- a case
    """To conclude anew, no web server."""
    program = f"import sys, receiver.cli\ntry: receiver.cli.main({arguments})\nfinally: print('aiohttp' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=20, check=False, text=True)
    assert str(expected) == ended.stdout.splitlines()[-1]


def test_output_that_nobody_reads_is_no_traceback(tmp_path: Path) -> None:
    """`receiver diagnoses | head`: the program ends as others do, and says nothing."""
    read, write = os.pipe()
    os.close(read)
    with logged():
        assert 0 == main(["db", "upgrade"])
    ended = subprocess.run(
        [sys.executable, "-m", "receiver", "diagnoses"], stdout=write, stderr=subprocess.PIPE, timeout=20, check=False
    )
    os.close(write)
    assert (141, b"") == (ended.returncode, ended.stderr)
