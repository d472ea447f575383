"""What the system and SQLite say of a file, and what that means to who runs the service.

What is said here names files. It is for the terminal: strangers are told nothing of them.
"""

import errno
import os
import sqlite3
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_RESTORE: Final = "Restore it from a backup, or move it away to begin with an empty one."
_RIGHTS: Final = (
    "Give the user of this process the right to write to the file, to those beside it whose names end in -wal and -shm,"
    " and to their folder."
)
_CHECK: Final = "Check RECEIVER_DATABASE_URL or RECEIVER_DATA_DIR."
_MEANING: Final[Mapping[int, tuple[str, str]]] = {
    sqlite3.SQLITE_CORRUPT: ("is damaged", _RESTORE),
    sqlite3.SQLITE_NOTADB: ("is no SQLite file, or its beginning is damaged", _RESTORE),
    sqlite3.SQLITE_READONLY: ("cannot be written to", _RIGHTS),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", _RIGHTS),
    sqlite3.SQLITE_PERM: ("cannot be opened", _RIGHTS),
    sqlite3.SQLITE_FULL: ("cannot grow", "Make room on its disk."),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "Look after its disk."),
    sqlite3.SQLITE_BUSY: ("is in use", "Try again when the other program is done with it."),
}

_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_CORRUPTED: Final = ("XX001", "XX002")
"""PostgreSQL's data_corrupted and index_corrupted."""


def folder_fault(path: Path) -> str | None:
    """Why no SQLite file can be at `path`, whose folder must take files beside it: the second half of a sentence that
    begins with the setting's name. None where nothing speaks against it."""
    folder, reason = path.parent, 0
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            reason = errno.ENOTDIR
        elif not os.access(folder, os.W_OK | os.X_OK):
            reason = errno.EACCES
        elif path.is_dir():
            return f"{path} is a folder; write the path of a file in it"
    except OSError as error:
        reason = error.errno or errno.EIO
    if not reason:
        return None
    advice = "make it, or name" if reason == errno.ENOENT else "name"
    return f"the folder {folder} cannot be used: {os.strerror(reason)}; {advice} one that this user may write to"


def is_damage(error: BaseException) -> bool:
    """Whether the database says that what it holds is damaged."""
    said = getattr(error, "orig", None) or error
    return getattr(said, "sqlite_errorcode", 0) & 0xFF in _DAMAGED or getattr(said, "sqlstate", None) in _CORRUPTED


def explained(path: Path, error: BaseException) -> str:
    """Which file it is, what is wrong with it, and what to do; `error` is what the system or the database raised."""
    said = getattr(error, "orig", None) or error
    wrong, advice = _MEANING.get(getattr(said, "sqlite_errorcode", 0) & 0xFF, ("cannot be used", _CHECK))
    system = said if isinstance(said, OSError) else said.__cause__
    words = system.strerror if isinstance(system, OSError) and system.strerror else said
    return f"The database {path} {wrong}: {words}. {advice}"
