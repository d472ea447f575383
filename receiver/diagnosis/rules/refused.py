"""Why viewers are refused, cause by cause: what is known of who may play, and what it means (FACTS 7, 10.3)."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from receiver.diagnosis.looks import StreamLook
from receiver.diagnosis.players import gate_reason
from receiver.diagnosis.rules.looked import is_gone
from receiver.diagnosis.rules.players import certainty
from receiver.diagnosis.state import Decided, Probed, Reports, StreamState, StudioSeen
from receiver.diagnosis.values import Certainty

CACHED_MS: Final = 600_000
"""For so long a playback node may serve a decision again without asking (FACTS 7.4)."""
TOLD_MS: Final = 60_000
"""When a webhook was called is written once a minute (FACTS 1.5)."""
_DENIALS: Final = frozenset({"HTTP 401", "HTTP 403"})
"""What Livepeer counts as a failure of a gate that said no (FACTS 1.5, 7.1)."""
Cause = tuple[str, Certainty]


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


def is_gated(look: StreamLook) -> bool:
    """Whether a policy keeps anybody away: allowed origins do so for public content too (FACTS 7.2)."""
    return look.policy not in {None, "public"} or bool(look.origins and "*" not in look.origins)


def cause_of(sight: Sight) -> Cause:
    """The first cause that any rule finds; the last one always does."""
    return next(cause for rule in RULES if (cause := rule(sight)) is not None)


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
RULES: Final[Sequence[Callable[[Sight], Cause | None]]] = (
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
