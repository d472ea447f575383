"""What is said of a file, from what SQLite and the system really raise."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from receiver.storage.files import explained, folder_fault
from receiver.storage.sqlite import FileMoved


def read_only(folder: Path) -> None:
    """Write where only reading is allowed."""
    file = folder / "some.db"
    sqlite3.connect(file).close()
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        connection.execute("CREATE TABLE new (id)")


def missing(folder: Path) -> None:
    """Open what is not there."""
    with closing(sqlite3.connect(f"file:{folder / 'none.db'}?mode=rw", uri=True)) as connection:
        connection.execute("SELECT 1")


def no_database(folder: Path) -> None:
    """Open a text."""
    (folder / "text.db").write_text("a shopping list\n" * 100)
    with closing(sqlite3.connect(folder / "text.db")) as connection:
        connection.execute("SELECT * FROM sqlite_master")


def in_use(folder: Path) -> None:
    """Write while another does."""
    with closing(sqlite3.connect(folder / "some.db")) as one, closing(sqlite3.connect(folder / "some.db")) as two:
        one.execute("BEGIN EXCLUSIVE")
        two.execute("PRAGMA busy_timeout = 0")
        two.execute("BEGIN EXCLUSIVE")


RIGHTS = (
    "Give the user of this process the right to write to the file, to those beside it whose names end in -wal and -shm,"
    " and to their folder."
)
RESTORE = "Restore it from a backup, or move it away to begin with an empty one."


@pytest.mark.parametrize(
    ("going_wrong", "said"),
    [
        (read_only, f"cannot be written to: attempt to write a readonly database. {RIGHTS}"),
        (missing, f"cannot be opened: unable to open database file. {RIGHTS}"),
        (
            no_database,
            f"is no SQLite file, or its beginning is damaged: file is not a database. {RESTORE}",
        ),
        (in_use, "is in use: database is locked. Try again when the other program is done with it."),
    ],
)
def test_what_the_database_says_is_explained(going_wrong: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    """Which file, what is wrong, in the database's words too, and what to do."""
    with pytest.raises(sqlite3.Error) as caught:
        going_wrong(tmp_path)
    error = OperationalError("SELECT 1", None, caught.value)
    assert f"The database /srv/receiver.db {said}" == explained(Path("/srv/receiver.db"), error)


def test_what_the_system_says_is_told_without_its_number(tmp_path: Path) -> None:
    """Also where it stands behind a fault of ours."""
    with pytest.raises(FileNotFoundError) as caught:
        (tmp_path / "none").stat()
    moved = FileMoved("gone")
    moved.__cause__ = caught.value
    said = (
        "The database /srv/receiver.db cannot be used: No such file or directory. Check RECEIVER_DATABASE_URL or"
        " RECEIVER_DATA_DIR."
    )
    assert [said, said] == [explained(Path("/srv/receiver.db"), error) for error in (caught.value, moved)]


def test_a_folder_that_takes_files_is_no_fault(tmp_path: Path) -> None:
    """Whether the file is there or not."""
    (tmp_path / "some.db").touch()
    assert (None, None) == (folder_fault(tmp_path / "some.db"), folder_fault(tmp_path / "new.db"))
