"""What one of several processes does at a time."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from receiver.storage import leases
from receiver.storage.engine import Database
from tests.engines import postgresql_only


def take(database: Database, node: int, now_ms: int, name: str = "work") -> bool:
    """Whether the node has it for a second."""
    return database.write_now(partial(leases.take, name=name, node=node, now_ms=now_ms, for_ms=1000))


def test_one_has_it_until_it_expires(database: Database) -> None:
    """The others do not, until then; whoever has it may have it for longer."""
    assert [True, False, True] == [take(database, 1, 0), take(database, 2, 500), take(database, 1, 900)]
    assert [False, True] == [take(database, 2, 1899), take(database, 2, 1900)]
    assert not take(database, 1, 2000)


def test_each_name_is_a_lease_of_its_own(database: Database) -> None:
    """Who does one thing does not keep others from another."""
    assert take(database, 1, 0, "one")
    assert take(database, 2, 0, "another")


def test_who_gives_it_back_has_it_no_longer(database: Database) -> None:
    """Only its own."""
    assert take(database, 1, 0)
    database.write_now(partial(leases.give_back, name="work", node=2))
    assert not take(database, 2, 1)
    database.write_now(partial(leases.give_back, name="work", node=1))
    assert take(database, 2, 2)


@postgresql_only
def test_of_many_at_once_one_has_it(database: Database) -> None:
    """The first time, and when it has expired."""
    with ThreadPoolExecutor(8) as threads:
        for round_ in range(5):
            tried = threads.map(lambda node, now_ms=round_ * 1000: take(database, node, now_ms), range(8))
            assert 1 == sum(tried)
