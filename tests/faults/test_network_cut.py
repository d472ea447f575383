"""P1, P2: the network between the service and its PostgreSQL server is cut, at any moment of a transaction."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import make_url

from receiver.clock import SystemClock
from tests.faults.asking import event
from tests.faults.relay import Relay, relay
from tests.faults.running import is_ready, knows, stored
from tests.running import Running, configured, logged, running, soon

MOMENTS = 24


@asynccontextmanager
async def behind_relay(url: str, data_dir: Path) -> AsyncIterator[tuple[Running, Relay]]:
    """A service that reaches its database over a network that can be cut."""
    parsed = make_url(url)
    with relay(parsed.port or 0) as network:
        through = parsed.set(drivername="postgresql", port=network.port).render_as_string(hide_password=False)
        async with running(configured(through, data_dir), SystemClock()) as service:
            yield service, network


async def test_a_commit_whose_answer_is_lost_is_not_acknowledged(postgres_url: str, tmp_path: Path) -> None:
    """P2: whether it was carried out nobody here can know, so the delivery is answered 503; it comes again, and is
    stored once, though it had been stored."""
    with logged() as log:
        async with behind_relay(postgres_url, tmp_path) as (service, network):
            await soon(lambda: is_ready(service))
            network.cut_at(b"INSERT INTO inbox")
            assert [503] == await service.deliver(event(1))
            assert 1 == network.cuts
            assert [204] == await service.deliver(event(1))
            await soon(lambda: knows(service, 1))
            await soon(lambda: is_ready(service))
    assert Counter({event(1).id: 1}) == stored(postgres_url)[0]
    assert log.of("store.unavailable")


async def test_cut_at_any_moment_nothing_is_lost_and_nothing_doubled(postgres_url: str, tmp_path: Path) -> None:
    """P1: after each piece that a transaction sends or is sent. What was answered 204 is there, what was answered 503
    is once it has come again, and each is there once."""
    answers = Counter[int]()
    with logged():
        async with behind_relay(postgres_url, tmp_path) as (service, network):
            for moment in range(MOMENTS):
                network.cut_after(moment)
                [status] = first = await service.deliver(event(moment))
                while first != [204]:
                    first = await service.deliver(event(moment))
                answers[status] += 1
                network.disarm()
            await soon(lambda: knows(service, MOMENTS))
            await soon(lambda: is_ready(service))
    assert (Counter(event(moment).id for moment in range(MOMENTS)), 0) == stored(postgres_url)
    assert answers.keys() == {204, 503}
