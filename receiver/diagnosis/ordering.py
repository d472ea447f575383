"""The one order in which signals are folded, whatever order they arrived in (P4): by the time at the source, then by
the causal rank of the kind, then by id."""

from collections.abc import Mapping

_RANKS: Mapping[str, int] = {
    "observation.publish_intent": 5,
    "observation.publish_rejected": 6,
    "stream.started": 10,
    "recording.started": 20,
    "multistream.connected": 25,
    "stream.idle": 30,
    "recording.waiting": 40,
    "asset.created": 50,
    "task.spawned": 51,
    "task.updated": 52,
    "asset.updated": 53,
    "task.failed": 60,
    "asset.failed": 61,
    "asset.ready": 62,
    "recording.ready": 63,
    "task.completed": 64,
    "asset.deleted": 70,
    "snapshot.stream": 75,
    "snapshot.session": 76,
    "finding.playback": 77,
    "gate.tally": 78,
    "observation.playback_error": 80,
    "observation.playback_ok": 81,
    "observation.recording_requested": 82,
}
_PLACES = {kind: f":{rank:02d}:" for kind, rank in _RANKS.items()}
_UNRANKED = ":45:"


def position(at_ms: int, kind: str, signal_id: str) -> str:
    """A text that sorts as the signals must be folded; `at_ms` is not negative and below 10**15."""
    return f"{at_ms:015d}{_PLACES.get(kind, _UNRANKED)}{signal_id}"


def standing_ms(position: str) -> int:
    """The time at which a signal of this position stands."""
    return int(position.partition(":")[0])


def first_position(at_ms: int) -> str:
    """What is not above any position of a signal that stands at that time or later, and above all others."""
    return f"{max(at_ms, 0):015d}"
