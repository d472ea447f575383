"""Which process makes which ids."""

from functools import partial

import pytest

from receiver.clock import ManualClock
from receiver.errors import StoreUnavailable
from receiver.ids import NODES
from receiver.membership import SERVING_MS, Membership
from receiver.storage import coverage, nodes
from receiver.storage.engine import Database
from tests.sender import T0_MS


def node_of(member: Membership) -> int:
    """What its ids are made with."""
    return member.ids.next() >> 14 & NODES - 1


def test_each_process_has_a_node_of_its_own(database: Database) -> None:
    """What one gives back another may have."""
    clock = ManualClock(T0_MS)
    with Membership(database, clock) as first, Membership(database, clock) as second:
        assert [0, 1] == [node_of(first), node_of(second)]
    with Membership(database, clock) as third:
        assert 0 == node_of(third)


def test_as_many_as_there_are_nodes(database: Database) -> None:
    """One more is refused; once one has not been heard of for a minute it has that one's node."""
    clock = ManualClock(T0_MS)
    members = []
    for _ in range(NODES):
        members.append(Membership(database, clock))
        clock.advance(1)
    with pytest.raises(StoreUnavailable, match="64 processes use this database already"):
        Membership(database, clock)
    clock.advance(SERVING_MS - NODES + 1)
    assert 0 == node_of(Membership(database, clock))


def test_who_was_silent_for_too_long_gets_another_node(database: Database) -> None:
    """Its ids go on above those it has given; who goes on in time keeps its own."""
    clock = ManualClock(T0_MS)
    slept, awake = Membership(database, clock), Membership(database, clock)
    last = slept.ids.next()
    others = [Membership(database, clock) for _ in range(NODES - 2)]
    clock.advance(SERVING_MS)
    database.write_now(awake.keep)
    clock.advance(1)
    late = Membership(database, clock)
    assert (0, 1) == (node_of(late), node_of(awake))
    others[0].end()
    database.write_now(slept.keep)
    assert 2 == node_of(slept)
    assert last < slept.ids.next()


def test_ids_go_on_above_those_of_all(database: Database) -> None:
    """A process whose clock is behind makes none that would stand before what is stored."""
    ahead = Membership(database, ManualClock(T0_MS + 60_000))
    database.write_now(partial(coverage.begin, ids=ahead.ids, now_ms=T0_MS))
    behind = Membership(database, ManualClock(T0_MS))
    assert T0_MS + 60_000 <= behind.ids.next() >> 20


def test_a_shared_key_is_the_first_that_was_proposed(database: Database) -> None:
    """Whoever comes later has that one."""
    proposed = [partial(nodes.shared_key, name="digest_key", proposed=key) for key in ("one", "two")]
    assert ["one", "one", "one"] == [database.write_now(share) for share in (*proposed, proposed[1])]
