"""The two state machines.

Everything that decides which state follows which lives in this file, as data. The machines do not know what a signal
looks like, what the time is, or what is concluded from a state.

An arc that is not written is no change: the sender repeats itself, and every signal may come late. A state that has
no way out has an empty row. Arcs that only the passing of time takes stand apart from those that signals take;
`judging` decides when they are due. `diagrams` draws both machines.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from receiver.diagnosis.state import BroadcastState, RecordingState

BroadcastArc: TypeAlias = Literal["attempted", "started", "session", "idled", "gone", "deleted"]
RecordingArc: TypeAlias = Literal[
    "idled", "back", "newer_after_idle", "queued", "working", "ready", "failed", "deleted", "off"
]

BROADCAST: Mapping[BroadcastState, Mapping[BroadcastArc, BroadcastState]] = {
    "idle": {"attempted": "announced", "started": "live", "session": "live", "deleted": "deleted"},
    "announced": {"started": "live", "session": "live", "deleted": "deleted"},
    "live": {"idled": "idle", "gone": "lost", "deleted": "deleted"},
    "lost": {"started": "live", "session": "live", "idled": "idle", "deleted": "deleted"},
    "deleted": {},
}
BROADCAST_TIMERS: Mapping[BroadcastState, tuple[str, BroadcastState]] = {
    "announced": ("the attempt has faded", "idle"),
}

_TOLD: Mapping[RecordingArc, RecordingState] = {
    "queued": "processing",
    "working": "processing",
    "ready": "ready",
    "failed": "failed",
    "deleted": "deleted",
    "off": "off",
}
"""What is told of a session before its recording is being processed: facts about it, whenever they come."""

RECORDING: Mapping[RecordingState, Mapping[RecordingArc, RecordingState]] = {
    "recording": {"idled": "ending", "newer_after_idle": "ending", **_TOLD},
    "ending": {"back": "recording", **_TOLD},
    "missing": _TOLD,
    "processing": {"ready": "ready", "failed": "failed", "deleted": "deleted"},
    "ready": {"failed": "failed", "deleted": "deleted"},
    "failed": {"working": "processing", "ready": "ready", "deleted": "deleted"},
    "deleted": {"ready": "ready"},
    "off": {"ready": "ready"},
}
RECORDING_TIMERS: Mapping[RecordingState, tuple[str, RecordingState]] = {
    "ending": ("recording.waiting is overdue", "missing"),
}
"""`missing` is shown, never stored: a session is missing for as long as it is `ending` and its time is over."""


def next_broadcast(state: BroadcastState, arc: BroadcastArc) -> BroadcastState:
    """The state after `arc`; `state` itself where the table has no such arc."""
    return BROADCAST[state].get(arc, state)


def next_recording(state: RecordingState, arc: RecordingArc) -> RecordingState:
    """The state after `arc`; `state` itself where the table has no such arc."""
    return RECORDING[state].get(arc, state)
