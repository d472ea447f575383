"""What the commands say of a store that is not as it should be."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from receiver.cli import main
from receiver.commands.options import current_settings
from receiver.errors import SettingsError
from receiver.storage.files import folder_fault
from tests.commands.stores import prepared

COMMANDS: Sequence[Sequence[str]] = (
    *(("serve",), ("db", "upgrade"), ("diagnoses",), ("replay",)),
    *(("quarantine", "list"), ("quarantine", "release")),
)
NOBODY = 65534
every_command = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)


def refusal(command: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code of a command that is refused, and its one line; there is nothing on stdout."""
    code = main(command)
    printed = capsys.readouterr()
    [line] = printed.err.splitlines()
    assert "" == printed.out
    return code, line.removeprefix("receiver: ")


@pytest.mark.parametrize("command", [("serve",), ("db", "upgrade")], ids=" ".join)
@pytest.mark.parametrize(
    ("place", "reason"),
    [("nowhere", "No such file or directory; make it, or name"), ("file", "Not a directory; name")],
    ids=["none", "file"],
)
def test_a_database_elsewhere_needs_its_folder(
    command: Sequence[str],
    place: str,
    reason: str,
    at_home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The variable, the folder and what is wrong with it; nothing is made."""
    folder = at_home.parent / place
    (at_home.parent / "file").touch()
    monkeypatch.setenv("RECEIVER_DATABASE_URL", f"sqlite:///{folder}/receiver.sqlite3")
    said = f"the folder {folder} cannot be used: {reason} one that this user may write to"
    assert (2, f"RECEIVER_DATABASE_URL: {said}") == refusal(command, capsys)
    assert ["file"] == [path.name for path in at_home.parent.iterdir()]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Where the superuser runs the tests, who may write everywhere, somebody does for a moment who may not. Only for
    what imports nothing: the installed packages may be closed to them too."""
    me = os.getuid()
    if me == 0:
        os.setresuid(NOBODY, NOBODY, me)
    try:
        yield
    finally:
        os.setresuid(me, me, me)


def test_a_folder_that_is_not_ours_to_write_is_told() -> None:
    """What is wrong with it, behind the setting that it comes from."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        with as_nobody():
            found = folder_fault(Path(folder) / "receiver.sqlite3")
    assert f"the folder {folder} cannot be used: Permission denied; name one that this user may write to" == found


def test_a_current_folder_that_may_not_be_read_is_told(at_home: Path) -> None:
    """Settings may stand in it, and must not be passed over."""
    at_home.parent.chmod(0)
    with as_nobody(), pytest.raises(SettingsError, match="the current folder may not be read, and settings may stand"):
        current_settings()
    at_home.parent.chmod(0o700)


@every_command
def test_a_folder_is_no_database(
    command: Sequence[str], at_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL that names a folder wants a file's name more."""
    at_home.mkdir(mode=0o700)
    monkeypatch.setenv("RECEIVER_DATABASE_URL", f"sqlite:///{at_home}")
    said = f"RECEIVER_DATABASE_URL: {at_home} is a folder; write the path of a file in it"
    assert (2, said) == refusal(command, capsys)


@every_command
def test_a_damaged_database_is_told(
    command: Sequence[str], at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which file, what the database says of it, and that a backup is wanted: the store is at fault."""
    prepared(at_home, migrated_file)
    file = at_home / "receiver.sqlite3"
    content = file.read_bytes()
    file.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    code, line = refusal(command, capsys)
    assert (3, True) == (code, line.startswith(f"The database {file} is damaged: "))
    assert line.endswith("Restore it from a backup, or move it away to begin with an empty one.")


@every_command
def test_a_database_of_another_program_is_left_alone(
    command: Sequence[str], at_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is named, and that it is not ours."""
    file = at_home.parent / "shop.db"
    monkeypatch.setenv("RECEIVER_DATABASE_URL", f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as theirs:
        theirs.execute("CREATE TABLE orders (id)")
    before = file.read_bytes()
    code, line = refusal(command, capsys)
    assert (2, True) == (code, line.startswith(f"{file} is not a receiver database: "))
    assert before == file.read_bytes()


@every_command
def test_a_database_of_a_newer_receiver_is_left_alone(
    command: Sequence[str], at_home: Path, migrated_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command says the same of it, with the same exit code."""
    prepared(at_home, migrated_file)
    with closing(sqlite3.connect(at_home / "receiver.sqlite3")) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
        newer.commit()
    said = "The database was written by a newer receiver. Start that version, or restore a backup from before it ran."
    assert (2, said) == refusal(command, capsys)
