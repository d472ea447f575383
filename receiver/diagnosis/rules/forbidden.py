"""`playback_forbidden`: whether viewers are refused, as players, probes, the Studio API and our own gates tell."""

from typing import Final

from receiver.diagnosis.rules.looked import (
    decisions_of,
    fades_ms,
    finding_of,
    findings_of,
    found,
    is_gone,
    seen_at_gate,
    seen_by_probe,
    seen_in_studio,
    snapshot_of,
)
from receiver.diagnosis.rules.players import expired, played, reported, told
from receiver.diagnosis.rules.refused import Sight, cause_of
from receiver.diagnosis.state import Decided, StreamState
from receiver.diagnosis.values import Condition
from receiver.diagnosis.verdicts import Surroundings, answer, clock, true

TYPE: Final = "playback_forbidden"
DENIALS_THAT_COUNT: Final = 10
"""A gate that says no is doing its job; one that says so to most of at least so many viewers is worth a look."""
FAULTS_THAT_COUNT: Final = 3
"""Nor is a gate that fails once in a great many calls, unless players are refused: so many faults, or one in ten."""


def judge_forbidden(state: StreamState, now_ms: int, around: Surroundings) -> Condition:
    """Whether viewers are refused, and by which rule, as far as anything tells."""
    reports, ttl_ms = state.forbidden, around.limits.report_ttl_ms
    ends_ms = None if reports is None else reports.last.at_ms + ttl_ms
    current = reports if ends_ms is not None and now_ms < ends_ms else None
    if current is None and not state.probed and state.gate is None:
        return _unseen(state, now_ms, around)
    sight = Sight(
        state=state,
        now_ms=now_ms,
        reports=current,
        probed=finding_of(state, now_ms),
        ways=findings_of(state, now_ms),
        studio=snapshot_of(state, now_ms),
        gate=decisions_of(state, now_ms, around),
    )
    if _refused(sight):
        return _why(sight, ends_ms if current else None, around)
    if sight.denied and reports is None and state.played is None:
        message = (
            "A probe was refused. Whether viewers are is not known: none has reported, and the probe may lack the "
            "credential or the origin that they have."
        )
        return answer(TYPE, "unknown", "NotObserved", message, evidence=seen_by_probe(sight.probed))
    return _unseen(state, now_ms, around)


def _unseen(state: StreamState, now_ms: int, around: Surroundings) -> Condition:
    """Nobody is refused now, as far as is known."""
    if state.forbidden is not None:
        return expired(TYPE, state.forbidden, state.forbidden.last.at_ms + around.limits.report_ttl_ms)
    if state.played is not None:
        return played(TYPE, "PlaybackAllowed", state.played, state.allowed_since_ms or 0, now_ms, around)
    probed = "probes do not tell" if state.probed else "nothing was probed"
    return answer(TYPE, "unknown", "NotObserved", f"No player has reported and {probed}.")


def _refused(sight: Sight) -> bool:
    """Whether somebody is refused who should not be: a player, a probe of public content or with a credential, or the
    viewers of a gate that fails."""
    if sight.reports is not None or _is_faulty(sight.gate) or _mostly_denies(sight.gate):
        return True
    if not sight.denied or sight.probed is None:
        return False
    return sight.gated is False or sight.probed.finding.credential != "none" or bool(sight.look and is_gone(sight.look))


def _is_faulty(gate: Decided | None) -> bool:
    if gate is None:
        return False
    tally = gate.tally
    asked = tally.allowed + tally.denied + tally.no_key + tally.faults
    return tally.faults >= FAULTS_THAT_COUNT or tally.faults * 10 >= max(asked, 1)


def _mostly_denies(gate: Decided | None) -> bool:
    if gate is None:
        return False
    no = gate.tally.denied + gate.tally.no_key
    return no >= DENIALS_THAT_COUNT and no > gate.tally.allowed


def _why(sight: Sight, ends_ms: int | None, around: Surroundings) -> Condition:
    reason, sure = cause_of(sight)
    gate_ends_ms = None if sight.gate is None else sight.gate.last.at_ms + around.limits.report_ttl_ms
    ends = [at_ms for at_ms in (ends_ms, gate_ends_ms, fades_ms(sight.probed, sight.studio)) if at_ms is not None]
    return true(
        TYPE, reason, f"{_happened(sight)} Such viewers cannot watch.", certainty=sure, since_ms=_since_ms(sight),
        evidence=(
            *reported(sight.reports),
            *seen_by_probe(sight.probed if sight.denied else None),
            *seen_in_studio(sight.studio),
            *seen_at_gate(sight.gate),
        ),
        next_check_ms=min(ends),
    )  # fmt: skip


def _happened(sight: Sight) -> str:
    said = []
    if sight.reports is not None:
        said.append(told(sight.reports))
    if sight.denied and sight.probed is not None:
        said.append(f"A probe found at {clock(sight.probed.last.at_ms)}: {found(sight.probed.finding)}.")
    if not said or _is_faulty(sight.gate) or _mostly_denies(sight.gate):
        said += [item.text for item in seen_at_gate(sight.gate)]
    return " ".join(said)


def _since_ms(sight: Sight) -> int:
    """Since the first that was refused."""
    firsts = [run.first.at_ms for run in (sight.reports, sight.probed if sight.denied else None) if run is not None]
    if not firsts and sight.gate is not None:
        failing = sight.gate.failing
        firsts.append(sight.gate.first.at_ms if failing is None else failing[0].at_ms)
    return min(firsts)
