"""How a gate decided within ten seconds: decisions are too many to be kept one by one. Pure.

Anybody can have calls signed with any playback id in them (FACTS 12): only so many are told apart.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from receiver.gates.decision import Decision

WINDOW_MS: Final = 10_000
MOST_KEYS: Final = 1000
"""Playback ids that are told apart; the decisions about more are counted under none."""


class Tally(Struct, frozen=True, gc=False):
    """What one gate decided about one playback id from `from_ms` until ten seconds later. `playback_id` is None for
    calls that name none, are not genuine, or came when too many were told apart already.

    `refused` counts only calls whose signature did not fit. `first_ms` and `last_ms` are the times of the first and the
    last decision; `last_status` and `last_ret` are those of the last that was answered. Two tallies of one window add
    up.
    """

    gate: str
    playback_id: str | None
    from_ms: int
    first_ms: int
    last_ms: int
    latency_max_ms: int
    allowed: int = 0
    denied: int = 0
    failed: int = 0
    slow: int = 0
    refused: int = 0
    no_key: int = 0
    last_status: int | None = None
    last_ret: int | None = None


_Key = tuple[int, str, str | None]


class Tallies:
    """Counts decisions until they are taken."""

    def __init__(self, most_keys: int = MOST_KEYS) -> None:
        self._most_keys = most_keys
        self._open: dict[_Key, Tally] = {}
        self._told_apart = 0

    def add(self, decision: Decision) -> None:
        """Count one."""
        if decision.outcome == "refused" and decision.reason is None:
            return
        key = self._key(decision)
        before = self._open.get(key)
        if before is None:
            self._told_apart += key[2] is not None
            before = Tally(*key[1:], key[0], decision.at_ms, decision.at_ms, 0)
        self._open[key] = _counted(before, decision)

    def take(self, now_ms: int | None) -> Sequence[Tally]:
        """Those of all windows but the present one, oldest first, which are then forgotten; None takes the present one
        too. What a clock that stepped back left in the future is taken as well."""
        present = None if now_ms is None else now_ms // WINDOW_MS * WINDOW_MS
        taken = {key: tally for key, tally in self._open.items() if key[0] != present}
        for key in taken:
            del self._open[key]
        self._told_apart = sum(key[2] is not None for key in self._open)
        return sorted(taken.values(), key=lambda tally: (tally.from_ms, tally.gate, tally.playback_id or ""))

    def _key(self, decision: Decision) -> _Key:
        from_ms = decision.at_ms // WINDOW_MS * WINDOW_MS
        key = from_ms, decision.gate, decision.playback_id
        if key not in self._open and self._told_apart >= self._most_keys:
            return from_ms, decision.gate, None
        return key


def _counted(before: Tally, decision: Decision) -> Tally:
    answered = decision.status is not None
    changed = {
        decision.outcome: getattr(before, decision.outcome) + 1,
        "first_ms": min(before.first_ms, decision.at_ms),
        "last_ms": max(before.last_ms, decision.at_ms),
        "latency_max_ms": max(before.latency_max_ms, decision.latency_ms),
        "last_status": decision.status if answered else before.last_status,
        "last_ret": decision.ret if answered else before.last_ret,
    }
    return replace(before, **changed)
