"""The two machines as Mermaid state diagrams, drawn from their tables: what the README shows."""

from collections.abc import Mapping
from typing import TypeVar

from receiver.diagnosis.machines import (
    BROADCAST,
    BROADCAST_TIMERS,
    RECORDING,
    RECORDING_TIMERS,
    BroadcastArc,
    RecordingArc,
)

State = TypeVar("State", bound=str)
Arc = TypeVar("Arc", bound=str)

_BROADCAST_LABELS: Mapping[BroadcastArc, str] = {
    "attempted": "an attempt to publish is reported",
    "started": "stream.started",
    "session": "recording.started",
    "idled": "stream.idle",
    "gone": "recording.waiting without an idle",
    "deleted": "the stream is deleted",
}
_RECORDING_LABELS: Mapping[RecordingArc, str] = {
    "idled": "stream.idle",
    "back": "stream.started, soon after",
    "newer_after_idle": "a newer session begins after the idle",
    "queued": "recording.waiting",
    "working": "its asset or task is at work",
    "ready": "recording.ready or its asset",
    "failed": "its asset or task failed",
    "deleted": "its asset is deleted",
    "off": "it does not record",
}


def broadcast_diagram() -> str:
    """The broadcast's machine, one line for each pair of states; ends without a line break."""
    return _diagram("idle", BROADCAST, BROADCAST_TIMERS, _BROADCAST_LABELS)


def recording_diagram() -> str:
    """The recording's machine, one line for each pair of states; ends without a line break."""
    return _diagram("recording", RECORDING, RECORDING_TIMERS, _RECORDING_LABELS)


def _diagram(
    first: State,
    table: Mapping[State, Mapping[Arc, State]],
    timers: Mapping[State, tuple[str, State]],
    labels: Mapping[Arc, str],
) -> str:
    lines = ["stateDiagram-v2", _line("[*]", first)]
    for state, arcs in table.items():
        lines += [_line(state, after, _causes(arcs, after, labels)) for after in dict.fromkeys(arcs.values())]
        if state in timers:
            cause, after = timers[state]
            lines.append(_line(state, after, f"(time) {cause}"))
        if not arcs:
            lines.append(_line(state, "[*]"))
    return "\n".join(lines)


def _causes(arcs: Mapping[Arc, State], after: State, labels: Mapping[Arc, str]) -> str:
    return ", ".join(labels[arc] for arc, target in arcs.items() if target == after)


def _line(state: str, after: str, cause: str = "") -> str:
    return f"    {state} --> {after}: {cause}" if cause else f"    {state} --> {after}"
