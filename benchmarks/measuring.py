"""What the measurements share: a round of the same requests for each server, the service's until it is diagnosed.

The load is this process, on core 1; each server runs on core 0. Only 2xx counts.
"""

import argparse
import asyncio
import os
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psycopg
from load import Load, drive
from quiet import add_options
from servers import SECRET
from traffic import requests

LOAD_CORE = 1
MOST_PER_S = 16_000
"""Requests that are made ready for each second."""
DRAINS_WITHIN_S = 60.0


@dataclass(frozen=True)
class Rate:
    """Of one server in one round: answers per second, and how long they took."""

    rps: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Diagnosed:
    """What the service took in: `pending` is how many events the diagnoser had yet to look at when the last was
    answered, `drain_s` how long it took for them."""

    load: Load
    pending: int
    drain_s: float

    @property
    def rate(self) -> Rate:
        """Counts the time until everything was diagnosed."""
        return rate(self.load, self.load.seconds + self.drain_s)

    @property
    def answered_rps(self) -> float:
        """Does not count it."""
        return self.load.taken_in / self.load.seconds


class Store:
    """Looks into a server's database from outside: at a SQLite file."""

    def __init__(self, file: Path, waiting: Sequence[str] = ("inbox", "pending")) -> None:
        """`waiting` are the tables that hold what is still to be done."""
        self._connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        self._waiting = waiting

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return self._count(f"SELECT count(*) FROM {table}")  # noqa: S608 -- ours

    def _count(self, statement: str) -> int:
        found: int = self._connection.execute(statement).fetchone()[0]
        return found

    def waiting(self) -> int:
        """How many deliveries are not done with."""
        return sum(self.count(table) for table in self._waiting)

    def drain(self) -> tuple[int, float]:
        """How much is pending, and after how many seconds nothing is."""
        begun, pending = time.perf_counter(), self.waiting()
        while self.waiting():
            assert time.perf_counter() - begun < DRAINS_WITHIN_S, "the diagnoser does not keep up"
            time.sleep(0.005)
        return pending, time.perf_counter() - begun


class ServerStore(Store):
    """The same of a database of a PostgreSQL server."""

    def __init__(self, url: str, waiting: Sequence[str] = ("inbox", "pending")) -> None:
        self._server = psycopg.connect(url, autocommit=True)
        self._waiting = waiting

    def close(self) -> None:
        """Let go of the server."""
        self._server.close()

    def _count(self, statement: str) -> int:
        [found] = self._server.execute(statement.encode()).fetchall()
        return int(found[0])


class Service:
    """`receiver serve`, driven and looked into."""

    def __init__(self, port: int, store: Store) -> None:
        self._port, self._store = port, store

    def drive(self, sent: list[bytes], connections: int, seconds: float) -> Diagnosed:
        """A round's share of the service, until everything is diagnosed."""
        before = self._store.count("signals")
        load = asyncio.run(drive(self._port, sent, connections, seconds))
        assert set(load.statuses) == {204}, load.statuses
        pending, drain_s = self._store.drain()
        assert self._store.count("signals") - before == load.taken_in, "a 2xx is an event on disk"
        return Diagnosed(load, pending, drain_s)


def rate(load: Load, seconds: float) -> Rate:
    """What was answered, as a rate over so many seconds."""
    return Rate(load.taken_in / seconds, load.percentile_ms(0.5), load.percentile_ms(0.99))


def fresh_requests(name: int | str, seconds: float, per_s: float = MOST_PER_S) -> list[bytes]:
    """The requests of a round, by its number, or of a part of one: events that no other has."""
    now_ms = time.time_ns() // 1_000_000
    return requests(SECRET, now_ms, int(per_s * seconds), Random(f"{now_ms} {name}"))  # noqa: S311 -- a fiction


def options(description: str | None, *, seconds: float = 4) -> argparse.ArgumentParser:
    """What may be set on the command line of all of them; a server's share of a round takes so long by default."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--seconds", type=float, default=seconds)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser


def take_core() -> None:
    """Leave the servers' core to them."""
    os.sched_setaffinity(0, {LOAD_CORE})
