"""P1, P2: the PostgreSQL server is restarted, does not give what is asked for in time, or lets nobody in."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from receiver.clock import SystemClock
from tests.faults.asking import event
from tests.faults.running import is_ready, knows, stored
from tests.postgres import Postgres
from tests.running import Running, configured, logged, running, soon, until

COUNT = 60
AT_ONCE = 6


class Sender:
    """Delivers each event until it is taken in, several at a time. Half of them come after the server was away: until
    then what was taken in is delivered again."""

    def __init__(self, service: Running) -> None:
        self.service, self.answers, self.left = service, Counter[int](), list(range(COUNT))
        self.is_over = False
        """The server is back."""

    async def work(self) -> None:
        """Until none is left."""
        while self.left:
            taken, first_half = False, len(self.left) > COUNT // 2
            number = self.left.pop() if first_half or self.answers[503] or self.is_over else COUNT - 1
            while not taken:
                [status] = await self.service.deliver(event(number))
                self.answers[status] += 1
                taken = status == 204
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
async def test_a_restart_under_load_loses_nothing(
    how: signal.Signals, postgres_server: Postgres, postgres_url: str, tmp_path: Path
) -> None:
    """P1: while the server is away deliveries are answered 503; once it is back all goes on by itself, and each event
    is there once, whatever had begun."""
    with logged() as log:
        async with running(configured(plain(postgres_url), tmp_path), SystemClock()) as service:
            sender = Sender(service)
            working = [asyncio.create_task(sender.work()) for _ in range(AT_ONCE)]
            await until(lambda: sender.answers[204] > COUNT // 4)
            await asyncio.to_thread(postgres_server.restart, how)
            sender.is_over = True
            await asyncio.gather(*working)
            await soon(lambda: knows(service, COUNT))
            await soon(lambda: is_ready(service))
    assert {204, 503} == sender.answers.keys()
    assert (Counter(event(number).id for number in range(COUNT)), 0) == stored(postgres_url)
    lost, found = ({line["part"] for line in log.of(f"store.{what}")} for what in ("unavailable", "recovered"))
    assert "inbox" in lost == found


def plain(url: str) -> str:
    """As a setting has it."""
    return url.replace("postgresql+psycopg:", "postgresql:", 1)


@contextmanager
def held(url: str, table: str) -> Iterator[None]:
    """Somebody else holds a lock on a table."""
    with psycopg.connect(plain(url)) as session:
        session.execute(f"LOCK TABLE {table}")
        yield


@pytest.mark.parametrize(
    "times", [{"database_lock_timeout_s": 0.1}, {"database_statement_timeout_s": 0.2}], ids=["lock", "statement"]
)
async def test_a_lock_that_somebody_holds_is_waited_for_and_told(
    times: Mapping[str, float], postgres_url: str, tmp_path: Path
) -> None:
    """P2: a delivery is answered 503 when the time is over, and `/readyz` says so until the lock is gone, though no
    delivery comes."""
    with logged() as log:
        async with running(configured(plain(postgres_url), tmp_path, **times), SystemClock()) as service:
            with held(postgres_url, "inbox"):
                assert [503] == await service.deliver(event(1))
                assert not await is_ready(service)
            await soon(lambda: is_ready(service))
            assert [204] == await service.deliver(event(1))
            await soon(lambda: knows(service, 1))
    assert "inbox" in {line["part"] for line in log.of("store.recovered")}


async def test_a_server_that_lets_nobody_in_is_asked_again(
    postgres_server: Postgres, postgres_url: str, tmp_path: Path
) -> None:
    """P2: it has no connection left, and has ended ours; once it has one again, all goes on."""
    name = str(make_url(postgres_url).database)
    postgres_server.execute("CREATE ROLE {} LOGIN", name)
    postgres_server.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO {}", name, database=name)
    url = make_url(plain(postgres_url)).set(username=name).render_as_string(hide_password=False)
    with logged() as log:
        async with running(configured(url, tmp_path), SystemClock()) as service:
            assert [204] == await service.deliver(event(1))
            postgres_server.execute("ALTER ROLE {} CONNECTION LIMIT 0", name)
            postgres_server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user"
            )
            assert [503, 503] == await service.deliver(event(2), event(2))
            assert not await is_ready(service)
            assert any("too many connections" in line["error"] for line in log.of("store.unavailable"))
            postgres_server.execute("ALTER ROLE {} CONNECTION LIMIT -1", name)
            await soon(lambda: is_ready(service))
            assert [204] == await service.deliver(event(2))
            await soon(lambda: knows(service, 2))
