from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.clock import ManualClock
from receiver.ids import NODES, IdBlock, Ids, public_id

NOW_MS = 1_764_000_000_000
ids_of_any_kind = st.integers(min_value=0, max_value=2**63 - 1)


def test_an_id_holds_its_time_node_and_counter() -> None:
    """The layout is fixed: milliseconds, six bits of node, fourteen of counter."""
    ids = Ids(ManualClock(NOW_MS), node=5)
    given_ids = [ids.next(), ids.next()]
    assert [NOW_MS << 20 | 5 << 14, NOW_MS << 20 | 5 << 14 | 1] == given_ids


@given(
    moments=st.lists(st.integers(min_value=0, max_value=2**42), min_size=1, max_size=50),
    node=st.integers(min_value=0, max_value=NODES - 1),
    floor=st.integers(min_value=0, max_value=2**62),
)
def test_ids_only_rise_whatever_the_clock_does(moments: list[int], node: int, floor: int) -> None:
    """However the clock jumps, each id is above the one before and above the floor, and fits 63 bits."""
    clock = ManualClock(0)
    ids = Ids(clock, node, floor)
    made = [floor]
    for moment in moments:
        clock.set(moment)
        made.append(ids.next())
    assert sorted(set(made)) == made
    assert made[-1] < 2**63


def test_a_full_counter_runs_ahead_of_the_clock() -> None:
    """More ids in one millisecond than the counter holds take the next millisecond's."""
    ids = Ids(ManualClock(NOW_MS), node=63)
    made = [ids.next() for _ in range(2**14 + 1)]
    assert len(made) == len(set(made))
    assert NOW_MS + 1 == made[-1] >> 20


def test_nodes_never_give_the_same_id() -> None:
    """Two processes with different nodes share no id, even in the same millisecond."""
    clock = ManualClock(NOW_MS)
    first, second = Ids(clock, node=1), Ids(clock, node=2)
    assert set() == {first.next() for _ in range(500)} & {second.next() for _ in range(500)}


@given(
    moments=st.lists(st.tuples(st.integers(min_value=0, max_value=2**42), st.booleans()), min_size=1, max_size=50),
    node=st.integers(min_value=0, max_value=NODES - 1),
)
def test_a_block_stands_between_what_was_given_before_and_after(moments: list[tuple[int, bool]], node: int) -> None:
    """However the clock jumps: who has it may give its ids whenever he likes, all of them."""
    clock = ManualClock(0)
    ids = Ids(clock, node)
    made: list[int | IdBlock] = []
    for moment, apart in moments:
        clock.set(moment)
        made.append(ids.block() if apart else ids.next())
    given_ids = [one for each in made for one in ([each] if isinstance(each, int) else [each.next(), _last(each)])]
    assert sorted(set(given_ids)) == given_ids


def _last(block: IdBlock) -> int:
    """The last id of a block."""
    block.given = 2**14 - 1
    last = block.next()
    with pytest.raises(OverflowError, match="all ids of the block"):
        block.next()
    return last


def test_threads_never_get_the_same_id() -> None:
    """One `Ids` serves several threads."""
    ids = Ids(ManualClock(NOW_MS), node=0)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: ids.next(), range(4_000)))
    assert 4_000 == len(set(made))


def test_a_clock_beyond_the_ids_is_refused() -> None:
    """A time that 43 bits cannot hold makes no id that would sort wrongly."""
    with pytest.raises(OverflowError, match="year 2248"):
        Ids(ManualClock(2**43), node=0).next()


@pytest.mark.parametrize(("node", "floor"), [(-1, 0), (64, 0), (0, -1), (0, 2**63)])
def test_a_node_or_floor_out_of_range_is_refused(node: int, floor: int) -> None:
    """What does not fit its bits would break the order silently."""
    with pytest.raises(ValueError, match=r"is 0 to 63|is no id"):
        Ids(ManualClock(0), node, floor)


@given(st.lists(ids_of_any_kind, max_size=20))
def test_public_ids_sort_as_the_ids_do(seqs: list[int]) -> None:
    """A list sorted by what the outside sees is sorted by the id."""
    assert [public_id("dg", seq) for seq in sorted(seqs)] == sorted(public_id("dg", seq) for seq in seqs)


def test_a_public_id_is_written_in_crockfords_base_32() -> None:
    """Thirteen characters without i, l, o and u, whatever the size."""
    assert "dg_0000000000000" == public_id("dg", 0)
    assert "dg_0000000000010" == public_id("dg", 32)
    assert "dg_7zzzzzzzzzzzz" == public_id("dg", 2**63 - 1)


@pytest.mark.parametrize("seq", [-1, 2**63])
def test_what_is_no_id_has_no_public_form(seq: int) -> None:
    """Numbers that no id can be are a mistake in the caller."""
    with pytest.raises(ValueError, match="is no id"):
        public_id("dg", seq)
