from collections.abc import Mapping
from itertools import product
from typing import TypeVar, get_args

from receiver.diagnosis.machines import (
    BROADCAST,
    BROADCAST_TIMERS,
    RECORDING,
    RECORDING_TIMERS,
    BroadcastArc,
    RecordingArc,
    next_broadcast,
    next_recording,
)
from receiver.diagnosis.state import BroadcastState, RecordingState

S = TypeVar("S", bound=str)
A = TypeVar("A", bound=str)
BROADCAST_ARCS: tuple[BroadcastArc, ...] = get_args(BroadcastArc)
BROADCAST_STATES: tuple[BroadcastState, ...] = get_args(BroadcastState)
RECORDING_ARCS: tuple[RecordingArc, ...] = get_args(RecordingArc)
RECORDING_STATES: tuple[RecordingState, ...] = get_args(RecordingState)

# One column for each arc, in the order of `BroadcastArc`; "." where nothing changes.
BROADCAST_TABLE = """
             attempted  started  session  idled  gone  deleted
  idle       announced  live     live     .      .     deleted
  announced  .          live     live     .      .     deleted
  live       .          .        .        idle   lost  deleted
  lost       .          live     live     idle   .     deleted
  deleted    .          .        .        .      .     .
"""
RECORDING_TABLE = """
              idled   back       newer_after_idle  queued      working     ready  failed  deleted  off
  recording   ending  .          ending            processing  processing  ready  failed  deleted  off
  ending      .       recording  .                 processing  processing  ready  failed  deleted  off
  processing  .       .          .                 .           .           ready  failed  deleted  .
  ready       .       .          .                 .           .           .      failed  deleted  .
  failed      .       .          .                 .           processing  ready  .       deleted  .
  missing     .       .          .                 processing  processing  ready  failed  deleted  off
  deleted     .       .          .                 .           .           ready  .       .        .
  off         .       .          .                 .           .           ready  .       .        .
"""


def read(table: str) -> Mapping[tuple[str, str], str]:
    """Which state follows on which state by which arc."""
    header, *rows = [line.split() for line in table.strip("\n").splitlines()]
    return {
        (row[0], arc): row[0] if after == "." else after
        for row in rows
        for arc, after in zip(header, row[1:], strict=True)
    }


def test_each_arc_moves_a_broadcast_as_the_table_says_and_nothing_else_does() -> None:
    """Every state and every arc of the broadcast's machine, driven one by one, gives exactly this table."""
    driven = {(s, arc): next_broadcast(s, arc) for s, arc in product(BROADCAST_STATES, BROADCAST_ARCS)}
    assert read(BROADCAST_TABLE) == driven


def test_each_arc_moves_a_recording_as_the_table_says_and_nothing_else_does() -> None:
    """Every state and every arc of the recording's machine, driven one by one, gives exactly this table."""
    driven = {(s, arc): next_recording(s, arc) for s, arc in product(RECORDING_STATES, RECORDING_ARCS)}
    assert read(RECORDING_TABLE) == driven


def test_every_state_has_a_row() -> None:
    """No state is left out of its table, not even one without a way out."""
    assert set(BROADCAST_STATES) == set(BROADCAST)
    assert set(RECORDING_STATES) == set(RECORDING)


def test_time_alone_takes_two_ways() -> None:
    """An announced broadcast is idle again in time, an ending recording is missing; nothing else happens by itself."""
    assert {"announced": "idle"} == {state: after for state, (_, after) in BROADCAST_TIMERS.items()}
    assert {"ending": "missing"} == {state: after for state, (_, after) in RECORDING_TIMERS.items()}


def test_every_state_can_be_reached() -> None:
    """From its first state a machine reaches each of its states, by signals or by time."""
    assert set(BROADCAST_STATES) == reached("idle", BROADCAST, BROADCAST_TIMERS)
    assert set(RECORDING_STATES) == reached("recording", RECORDING, RECORDING_TIMERS)


def reached(first: S, table: Mapping[S, Mapping[A, S]], timers: Mapping[S, tuple[str, S]]) -> set[S]:
    """All states that follow on `first`, and itself."""
    found, ahead = {first}, [first]
    while ahead:
        state = ahead.pop()
        following = {*table[state].values(), *([timers[state][1]] if state in timers else [])}
        ahead += following - found
        found |= following
    return found
