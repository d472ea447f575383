"""The log line of a decision (docs/logs.md): never with the viewer's key, context, URL, or page; with the address only
where that was asked for."""

from typing import Final

from receiver.gates.decision import Decision, Outcome
from receiver.logs import get_logger
from receiver.rates import STRANGERS, Gauge

_LOUD: Final[frozenset[Outcome]] = frozenset({"failed", "slow", "refused"})
_log = get_logger(__name__)


class DecisionLog:
    """`gate.decided`. Anybody can send what is refused: beyond a rate that is only counted, and the next line of a
    refusal says how many."""

    def __init__(self) -> None:
        self._gauge = Gauge(*STRANGERS)

    def write(self, decision: Decision, *, viewer_ip: str | None = None, remote: str = "") -> None:
        """One call was decided. `remote` is where it came from, which is not logged."""
        refused = decision.outcome == "refused"
        if refused and not self._gauge.allows(remote, decision.at_ms):
            return
        log = _log.warning if decision.outcome in _LOUD else _log.info
        log(
            "gate.decided",
            gate=decision.gate,
            outcome=decision.outcome,
            code=decision.code,
            reason=decision.reason,
            status=decision.status,
            ret=decision.ret,
            latency_ms=decision.latency_ms,
            playback_id=decision.playback_id,
            viewer_ip=viewer_ip,
            unrecorded=(self._gauge.take_left_out() or None) if refused else None,
        )
