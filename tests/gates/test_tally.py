from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from receiver.gates.decision import Decision, Outcome
from receiver.gates.tally import WINDOW_MS, Tallies, Tally

T0_MS = 1_726_153_200_000
OUTCOMES: tuple[Outcome, ...] = ("allowed", "denied", "failed", "slow", "no_key")


def decided(at_ms: int = T0_MS, outcome: Outcome = "allowed", playback_id: str | None = "a", **more: int) -> Decision:
    """A decision of the gate `main`."""
    status, ret, latency_ms = more.get("status"), more.get("ret"), more.get("latency_ms", 1)
    return Decision("main", at_ms, outcome, latency_ms, status, ret, playback_id)


def total(tallies: list[Tally]) -> Counter[str]:
    """How many of each outcome."""
    return Counter({name: sum(getattr(tally, name) for tally in tallies) for name in OUTCOMES})


def test_decisions_of_a_window_are_counted_together() -> None:
    """By gate and playback id, with the first and the last time, the longest latency, and the last answer."""
    tallies = Tallies()
    tallies.add(decided(T0_MS + 5, status=200, ret=0, latency_ms=7))
    tallies.add(decided(T0_MS + 1, "denied", status=403, latency_ms=9))
    tallies.add(decided(T0_MS + 9, "slow", latency_ms=3))
    assert [
        Tally("main", "a", T0_MS, T0_MS + 1, T0_MS + 9, 9, allowed=1, denied=1, slow=1, last_status=403)
    ] == tallies.take(T0_MS + WINDOW_MS)


def test_only_windows_that_are_over_are_taken() -> None:
    """The present one when all are asked for; each once."""
    tallies = Tallies()
    tallies.add(decided(T0_MS))
    tallies.add(decided(T0_MS + WINDOW_MS))
    assert [] == Tallies().take(T0_MS)
    assert [T0_MS] == [tally.from_ms for tally in tallies.take(T0_MS + 2 * WINDOW_MS - 1)]
    assert [] == tallies.take(T0_MS + 2 * WINDOW_MS - 1)
    assert [T0_MS + WINDOW_MS] == [tally.from_ms for tally in tallies.take(None)]


def test_a_clock_that_steps_back_keeps_nothing() -> None:
    """What was counted in the future is taken, not kept until then."""
    tallies = Tallies()
    tallies.add(decided(T0_MS + 3_600_000))
    assert 1 == len(tallies.take(T0_MS))


def test_invented_playback_ids_are_not_told_apart_for_ever() -> None:
    """Beyond a bound they are counted under none; room is there again once the others are taken."""
    tallies = Tallies(most_keys=3)
    for number in range(10):
        tallies.add(decided(playback_id=str(number)))
        tallies.add(decided(playback_id="0"))
    taken = tallies.take(None)
    assert [(None, 7), ("0", 11), ("1", 1), ("2", 1)] == [(tally.playback_id, tally.allowed) for tally in taken]
    tallies.add(decided(playback_id="9"))
    assert ["9"] == [tally.playback_id for tally in tallies.take(None)]


def test_only_a_signature_that_does_not_fit_counts_as_refused() -> None:
    """What is too large or too old says nothing of the secret."""
    tallies = Tallies()
    for code in ("signature_mismatch", "signature_missing", "body_too_large", "timestamp_out_of_tolerance"):
        tallies.add(Decision("main", T0_MS, "refused", 1, code=code))
    [tally] = tallies.take(None)
    assert (2, None) == (tally.refused, tally.playback_id)


@given(
    st.lists(st.tuples(st.integers(0, 60_000), st.sampled_from(OUTCOMES), st.sampled_from("abcdef") | st.none())),
    st.integers(0, 4),
    st.integers(0, 70_000),
)
def test_nothing_is_lost_and_nothing_doubled(
    rows: list[tuple[int, Outcome, str | None]], most_keys: int, now: int
) -> None:
    """Whatever comes in which order, however little is told apart, and whenever it is taken: the sums agree."""
    tallies, taken = Tallies(most_keys), list[Tally]()
    for at, outcome, playback_id in rows:
        tallies.add(decided(T0_MS + at, outcome, playback_id))
        taken += tallies.take(T0_MS + now)
        assert len({tally.playback_id for tally in tallies._open.values()} - {None}) <= most_keys
    taken += tallies.take(None)
    assert Counter(outcome for _, outcome, _ in rows) == +total(taken)
    assert all(tally.from_ms <= tally.first_ms <= tally.last_ms < tally.from_ms + WINDOW_MS for tally in taken)
