"""`playback_forbidden`: why viewers are refused, as players, probes, the Studio API and our own gates tell."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from receiver.diagnosis.looks import StreamLook
from receiver.diagnosis.players import gate_reason
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
from receiver.diagnosis.rules.players import certainty, expired, played, reported, told
from receiver.diagnosis.state import Decided, Probed, Reports, StreamState, StudioSeen
from receiver.diagnosis.values import Certainty, Condition
from receiver.diagnosis.verdicts import Surroundings, answer, clock, true

TYPE: Final = "playback_forbidden"
CACHED_MS: Final = 600_000
"""For so long a playback node may serve a decision again without asking (FACTS 7.4)."""
TOLD_MS: Final = 60_000
"""When a webhook was called is written once a minute (FACTS 1.5)."""
DENIALS_THAT_COUNT: Final = 10
"""A gate that says no is doing its job; one that says so to most of at least so many viewers is worth a look."""


_DENIALS: Final = frozenset({"HTTP 401", "HTTP 403"})
"""What Livepeer counts as a failure of a gate that said no (FACTS 1.5, 7.1)."""


class Sight(Struct, frozen=True, gc=False):
    """All that is known of who may play, as long as it says something of now."""

    state: StreamState
    now_ms: int
    reports: Reports | None
    probed: Probed | None
    ways: Sequence[Probed]
    studio: StudioSeen | None
    gate: Decided | None

    @property
    def look(self) -> StreamLook | None:
        """What the last snapshot shows."""
        return None if self.studio is None else self.studio.look

    @property
    def denied(self) -> bool:
        """Whether the newest probe was refused."""
        return self.probed is not None and self.probed.finding.verdict == "denied"

    @property
    def gated(self) -> bool | None:
        """Whether the stream's policy keeps anybody away; None where that is not known, or was not looked at since
        the probe was refused: it may be new."""
        if self.studio is None or self.studio.look.policy is None:
            return None
        stale = self.probed is not None and self.studio.last.at_ms < self.probed.first.at_ms
        return None if stale else is_gated(self.studio.look)


Cause = tuple[str, Certainty]


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
    return answer(TYPE, "unknown", "NotObserved", "No player has reported and nothing was probed.")


def is_gated(look: StreamLook) -> bool:
    """Whether a policy keeps anybody away: allowed origins do so for public content too (FACTS 7.2)."""
    return look.policy not in {None, "public"} or bool(look.origins and "*" not in look.origins)


def _refused(sight: Sight) -> bool:
    """Whether somebody is refused who should not be: a player, a probe of public content or with a credential, or the
    viewers of a gate that fails."""
    if sight.reports is not None or _is_faulty(sight.gate) or _mostly_denies(sight.gate):
        return True
    if not sight.denied or sight.probed is None:
        return False
    return sight.gated is False or sight.probed.finding.credential != "none" or bool(sight.look and is_gone(sight.look))


def _is_faulty(gate: Decided | None) -> bool:
    """Calls that were refused are no fault of it: anybody can make such (FACTS 12)."""
    return gate is not None and gate.tally.failed + gate.tally.slow > 0


def _mostly_denies(gate: Decided | None) -> bool:
    if gate is None:
        return False
    no = gate.tally.denied + gate.tally.no_key
    return no >= DENIALS_THAT_COUNT and no > gate.tally.allowed


def _why(sight: Sight, ends_ms: int | None, around: Surroundings) -> Condition:
    reason, sure = next(cause for rule in _RULES if (cause := rule(sight)) is not None)
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
        firsts.append(sight.gate.first.at_ms)
    return min(firsts)


def _gone(sight: Sight) -> Cause | None:
    if sight.look is not None and is_gone(sight.look):
        return "ContentSuspended", "confirmed"
    if sight.denied and sight.gated is False:
        return "ContentSuspended", "suspected"
    return None


def _elsewhere(sight: Sight) -> Cause | None:
    return _named_by_probe(sight, {"ForbiddenElsewhere"})


def _credential(sight: Sight) -> Cause | None:
    return _named_by_probe(sight, _OF_CREDENTIALS)


def _named_by_probe(sight: Sight, names: frozenset[str] | set[str]) -> Cause | None:
    probed = sight.probed
    if not sight.denied or probed is None or probed.finding.reason not in names:
        return None
    return probed.finding.reason or "", "confirmed"


def _said(sight: Sight) -> Cause | None:
    """The player's message is one of the gate's own (FACTS 7.2)."""
    reason = gate_reason(sight.reports.report.message) if sight.reports else None
    return None if reason is None or sight.reports is None else (reason, certainty(sight.reports))


def _no_webhook(sight: Sight) -> Cause | None:
    look = sight.look
    return ("GateWebhookMissing", "confirmed") if look is not None and look.gate_exists is False else None


def _gate_fails(sight: Sight) -> Cause | None:
    """What our own gate saw comes before what Livepeer saw of it; a gate that was reached after its last failure is
    well again (FACTS 1.5)."""
    tally = sight.gate.tally if sight.gate is not None else None
    if tally is not None and tally.failed + tally.slow:
        return "GateEndpointFailed" if tally.failed >= tally.slow else "GateEndpointSlow", "confirmed"
    if tally is not None and tally.refused:
        return "GateSignatureRejected", "suspected"
    look = sight.look
    if tally is not None or look is None or look.policy != "webhook" or look.gate_failed_ms is None:
        return None
    lately = sight.now_ms - look.gate_failed_ms < CACHED_MS
    if not lately or (look.gate_triggered_ms or 0) > look.gate_failed_ms:
        return None
    return ("GateDenied", "suspected") if look.gate_failure in _DENIALS else ("GateEndpointFailed", "confirmed")


def _origin(sight: Sight) -> Cause | None:
    """A listed origin plays, none at all does not."""
    origins = sight.look.origins if sight.look is not None else ()
    if not origins or "*" in origins:
        return None
    plays = _allowed(sight.ways, lambda probed: probed.finding.origin)
    refused = any(probed.finding.verdict == "denied" and not probed.finding.origin for probed in sight.ways)
    return ("OriginNotAllowed", "confirmed") if plays and refused else None


def _no_credential(sight: Sight) -> Cause | None:
    bare_refused = any(
        probed.finding.verdict == "denied" and probed.finding.credential == "none" for probed in sight.ways
    )
    if bare_refused and _allowed(sight.ways, lambda probed: probed.finding.credential != "none"):
        return "AccessKeyMissing", "confirmed"
    tally = sight.gate.tally if sight.gate is not None else None
    if tally is not None and tally.no_key > tally.denied:
        return "AccessKeyMissing", "confirmed"
    return None


def _denies(sight: Sight) -> Cause | None:
    tally = sight.gate.tally if sight.gate is not None else None
    return ("GateDenied", "confirmed") if tally is not None and tally.denied else None


def _not_asked(sight: Sight) -> Cause | None:
    """The policy asks a webhook, and it was not asked since before anybody was refused (FACTS 10.3)."""
    look = sight.look
    if look is None or look.policy != "webhook" or sight.gate is not None or sight.reports is None:
        return None
    if sight.studio is None or sight.studio.last.at_ms < sight.reports.first.at_ms + TOLD_MS:
        return None
    asked_ms = look.gate_triggered_ms
    return ("GateNotCalled", "suspected") if asked_ms is None or asked_ms < sight.reports.first.at_ms else None


def _crowded(sight: Sight) -> Cause | None:
    """Some play, others are refused, and the gate has allowed all: a limit is enforced behind it (FACTS 7.2)."""
    tally = sight.gate.tally if sight.gate is not None else None
    allowed_all = tally is not None and tally.allowed > 0 and tally.denied + tally.no_key == 0
    played_ms = sight.state.played.at_ms if sight.state.played is not None else None
    lately = played_ms is not None and sight.now_ms - played_ms < CACHED_MS
    return ("ViewerLimit", "suspected") if allowed_all and lately and sight.reports is not None else None


def _otherwise(sight: Sight) -> Cause:
    if sight.state.suspended or sight.state.deleted is not None:
        return "ContentSuspended", "suspected" if sight.reports is None else certainty(sight.reports)
    if sight.denied and sight.reports is not None:
        return "Forbidden", "confirmed"
    return "Forbidden", "suspected" if sight.reports is None else certainty(sight.reports)


_OF_CREDENTIALS: Final = frozenset(
    {
        "JwtExpired",
        "JwtLifetimeTooLong",
        "JwtSubjectMismatch",
        "JwtAlgorithm",
        "JwtMalformed",
        "JwtKeyUnknown",
        "JwtNotYetValid",
        "JwtSignatureInvalid",
        "BothCredentials",
    }
)
_RULES: Final[Sequence[Callable[[Sight], Cause | None]]] = (
    _gone,
    _elsewhere,
    _credential,
    _said,
    _no_webhook,
    _gate_fails,
    _origin,
    _no_credential,
    _denies,
    _not_asked,
    _crowded,
    _otherwise,
)
"""The surer, and the more general, the earlier."""


def _allowed(ways: Sequence[Probed], asked: Callable[[Probed], bool]) -> bool:
    return any(probed.finding.verdict == "plays" and asked(probed) for probed in ways)
