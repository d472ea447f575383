"""What SQLite would pass over in silence when it opens a database after a crash: damage in its write-ahead log.

Of the log it believes the frames up to the last commit whose checksums hold (sqlite.org/fileformat2.html, 4). What was
torn by a crash stands behind every commit that was synced, and is rightly dropped. Commits behind a frame that does
not hold are dropped as well, though they may have been synced, and acknowledged.
"""

import os
import shutil
import sqlite3
import struct
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote

_HEADER: Final = struct.Struct(">16x8s8s")
"""The salts, and the checksum of what stands before it."""
_FRAME: Final = struct.Struct(">4xI8s8x")
"""The size of the database after a commit, else 0, and the salts of the generation that the frame belongs to."""
_PAGE_BYTES_AT: Final = 16
"""In the database's file, as two bytes; 1 stands for 65536."""


@dataclass(frozen=True, slots=True)
class Break:
    """So many commits stand behind damage; `kept` is a copy of the log from before SQLite drops them."""

    commits: int
    kept: Path


def broken_log(file: Path) -> Break | None:
    """What is lost of the log of a SQLite file that nobody else has open; None where nothing is, or where SQLite will
    tell by itself what is wrong. The copy stands beside the log. Raises OSError where it cannot be made.

    A commit that failed when it was synced may be taken for a lost one."""
    log = file.with_name(f"{file.name}-wal")
    if not log.is_file():
        return None
    try:
        commits = _commits(file, log)
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, isolation_level=None)) as database:
            _busy, held, _moved = database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            lost = sum(commit > held for commit in commits)
            return Break(lost, _keep(log)) if lost else None
    except sqlite3.Error:
        return None


def _commits(file: Path, log: Path) -> Sequence[int]:
    """The numbers of the frames that end a commit, of the newest generation."""
    with file.open("rb") as database, log.open("rb") as frames:
        database.seek(_PAGE_BYTES_AT)
        page_bytes = int.from_bytes(database.read(2)) or 1
        heads = list(_heads(frames, 1 << 16 if page_bytes == 1 else page_bytes))
        salts = _salts(frames, heads)
    return [number for number, (size, theirs) in enumerate(heads, 1) if size and theirs == salts]


def _heads(frames: BinaryIO, page_bytes: int) -> Iterable[tuple[int, bytes]]:
    """What stands before each page that is there to its end."""
    step = _FRAME.size + page_bytes
    for at in range(_HEADER.size, frames.seek(0, os.SEEK_END) - step + 1, step):
        frames.seek(at)
        yield _FRAME.unpack(frames.read(_FRAME.size))


def _salts(frames: BinaryIO, heads: Sequence[tuple[int, bytes]]) -> bytes:
    """The newest generation's: what the header says, or, where that is damaged, the first frame."""
    frames.seek(0)
    header = frames.read(_HEADER.size)
    if len(header) == _HEADER.size:
        salts, checksum = _HEADER.unpack(header)
        if checksum == _checksum(header):
            return bytes(salts)
    return heads[0][1] if heads else b""


def _checksum(header: bytes) -> bytes:
    """As the file format has it; the last bit of the first word is set where its words are big-endian."""
    first = second = 0
    for left, right in struct.iter_unpack(">II" if header[3] & 1 else "<II", header[:24]):
        first = (first + left + second) & 0xFFFFFFFF
        second = (second + right + first) & 0xFFFFFFFF
    return struct.pack(">II", first, second)


def _keep(log: Path) -> Path:
    kept = log.with_name(f"{log.name}.damaged-{log.stat().st_mtime_ns // 1_000_000}")
    shutil.copy2(log, kept)
    return kept
