"""The log lines of decisions (docs/logs.md): never with the viewer's key, context, URL, or page; with the address only
where that was asked for."""

import asyncio
from typing import Final

from structlog.typing import EventDict

from receiver.gates.decision import Decision, Outcome
from receiver.logs import Level, log_all
from receiver.rates import STRANGERS, Gauge

GATHER_S: Final = 0.02
"""Lines of calls that come together are written together: each by itself would cost the next call more."""
_LOUD: Final[frozenset[Outcome]] = frozenset({"failed", "slow", "refused"})


class DecisionLog:
    """`gate.decided`, a moment after each decision. Anybody can send what is refused: beyond a rate that is only
    counted, and the next line of a refusal says how many."""

    def __init__(self) -> None:
        self._gauge = Gauge(*STRANGERS)
        self._lines: list[tuple[Level, EventDict]] = []

    def write(self, decision: Decision, *, request_id: str, viewer_ip: str | None = None, remote: str = "") -> None:
        """One call was decided. `remote` is where it came from, which is not logged."""
        refused = decision.outcome == "refused"
        if refused and not self._gauge.allows(remote, decision.at_ms):
            return
        if not self._lines:
            asyncio.get_running_loop().call_later(GATHER_S, self.flush)
        fields: EventDict = {
            "event": "gate.decided",
            "gate": decision.gate,
            "outcome": decision.outcome,
            "code": decision.code,
            "reason": decision.reason,
            "status": decision.status,
            "ret": decision.ret,
            "latency_ms": decision.latency_ms,
            "playback_id": decision.playback_id,
            "viewer_ip": viewer_ip,
            "request_id": request_id,
            "unrecorded": (self._gauge.take_left_out() or None) if refused else None,
        }
        self._lines.append(("warning" if decision.outcome in _LOUD else "info", fields))

    def flush(self) -> None:
        """Write what was gathered."""
        lines, self._lines = self._lines, []
        log_all(lines)
