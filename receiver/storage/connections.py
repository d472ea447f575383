"""How a process uses a PostgreSQL server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Connections:
    """How many connections it may have that write and that read, and how long (`_s`) one statement may take, and wait
    for a lock. SQLite has one that writes and `readers` that read; the rest does not concern it."""

    writers: int = 4
    readers: int = 4
    statement_timeout_s: float = 30.0
    lock_timeout_s: float = 5.0


USUAL = Connections()
