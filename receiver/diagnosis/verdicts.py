"""How rules put a verdict: conditions with the catalogue's severity, evidence that leads back to signals, times as
people read them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from msgspec import Struct

from receiver.diagnosis.catalogue import reason_entry
from receiver.diagnosis.coverage import OPEN_END_MS, Coverage
from receiver.diagnosis.looks import FINDING, SNAPSHOT_OF_SESSION, SNAPSHOT_OF_STREAM
from receiver.diagnosis.state import Mark
from receiver.diagnosis.values import Certainty, Condition, ConditionType, Evidence, Limits, Severity, Status

LONGEST_QUOTE = 200
_SEEN_OURSELVES: Mapping[str, str] = {
    SNAPSHOT_OF_STREAM: "The stream in the Studio API",
    SNAPSHOT_OF_SESSION: "The session in the Studio API",
    FINDING: "A probe",
}
"""How what we saw ourselves is told of; events and observations are called by their names."""
_HALF_A_DAY_MS = 43_200_000
_LATEST_MS = 253_402_300_799_999
"""The last moment that a calendar can show; an event may claim any."""


class Surroundings(Struct, frozen=True, gc=False):
    """What a stream is judged in, besides its own signals: the settings, the coverage, and which of the senders'
    ways to us are known to fail (`webhook_not_firing` is true of the endpoint, or of these webhooks)."""

    limits: Limits
    coverage: Coverage
    endpoint_failing: bool = False
    webhooks_failing: frozenset[str] = frozenset()

    def conclusive_ms(self, start_ms: int, wait_ms: int) -> int:
        """When silence since `start_ms` means something; `OPEN_END_MS` while that cannot be told."""
        due_ms = self.coverage.conclusive_ms(start_ms, wait_ms, self.limits.delivery_grace_ms)
        return OPEN_END_MS if due_ms is None else due_ms


def true(  # noqa: PLR0913 -- what makes a verdict, each named by its caller
    condition: ConditionType,
    reason: str,
    happened: str,
    *,
    certainty: Certainty,
    since_ms: int,
    evidence: tuple[Evidence, ...],
    next_check_ms: int | None,
    severity: Severity | None = None,
) -> Condition:
    """A condition that is failing. `happened` says what happened and what it means for viewers; the catalogue's next
    step is put behind it."""
    entry = reason_entry(condition, reason)
    return Condition(
        type=condition,
        status="true",
        reason=reason,
        message=f"{happened} {entry.next_step}",
        certainty=certainty,
        severity=severity or entry.severity,
        since_ms=since_ms,
        observed_at_ms=max([since_ms, *(item.at_ms for item in evidence)]),
        evidence=evidence,
        next_check_ms=next_check_ms,
    )


def answer(
    condition: ConditionType,
    status: Status,
    reason: str,
    message: str,
    *,
    since_ms: int | None = None,
    evidence: tuple[Evidence, ...] = (),
    next_check_ms: int | None = None,
) -> Condition:
    """A condition that is not failing, or of which we do not know."""
    reason_entry(condition, reason)
    times = [item.at_ms for item in evidence] + ([] if since_ms is None else [since_ms])
    return Condition(
        type=condition,
        status=status,
        reason=reason,
        message=message,
        severity="info",
        since_ms=since_ms,
        observed_at_ms=max(times, default=None),
        evidence=evidence,
        next_check_ms=next_check_ms,
    )


def seen(mark: Mark | None, text: str = "") -> tuple[Evidence, ...]:
    """The evidence that a mark is; none where there is no mark."""
    if mark is None:
        return ()
    named = _SEEN_OURSELVES.get(mark.kind, f"`{mark.kind}`")
    return (Evidence(mark.kind, mark.id, mark.at_ms, text or f"{named} at {clock(mark.at_ms)}."),)


def overdue(what: str, due_ms: int) -> tuple[Evidence, ...]:
    """The evidence that something did not come."""
    return (Evidence("deadline", what, due_ms, f"Nothing of `{what}` by {clock(due_ms)}."),)


def quoted(said: str) -> str:
    """What somebody said, in quotation marks, without its full stop and not too long."""
    text = " ".join(said.split())
    short = text if len(text) <= LONGEST_QUOTE else f"{text[: LONGEST_QUOTE - 1]}…"
    return f'"{short.rstrip(".")}"'


def clock(at_ms: int) -> str:
    """The time of day in UTC, as people write it."""
    return _time_of_day(min(max(at_ms, 0), _LATEST_MS) // 1000 % 86_400)


def moment(at_ms: int, beside_ms: int) -> str:
    """A time as `clock` has it, with its date where it is not about that of `beside_ms`."""
    bounded_ms = min(max(at_ms, 0), _LATEST_MS)
    if abs(beside_ms - at_ms) < _HALF_A_DAY_MS:
        return clock(at_ms)
    return f"{datetime.fromtimestamp(bounded_ms // 1000, UTC):%Y-%m-%d} {clock(at_ms)}"


@lru_cache(maxsize=1024)
def _time_of_day(second: int) -> str:
    minutes, seconds = divmod(second, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}Z"


def span(duration_ms: int) -> str:
    """A duration, as people say it."""
    seconds = max(duration_ms, 0) // 1000
    if seconds < 1:
        return "less than a second"
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h"
