"""`webhook_not_firing` of our endpoint and of each webhook: what arrives, what is refused, what comes late.

These rest on receipts, so they are folded in the order of receipt.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from receiver.diagnosis.coverage import OPEN_END_MS, Coverage, Interval
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.rules.deliveries import GAP_FADES_MS, Missing, gap_condition
from receiver.diagnosis.values import Certainty, Condition, Evidence
from receiver.diagnosis.verdicts import answer, clock, span, true

TYPE: Final = "webhook_not_firing"
SEVERAL = 3
"""How many refusals in Livepeer's shape, none accepted in between, make a diagnosis: one may be anybody's."""
REFUSALS_FADE_MS = 86_400_000
DELAY_FADES_MS = 3_600_000
LATE_MS = 120_000
"""Queueing behind slow endpoints delays by up to half a minute (FACTS 12), and our own short faults by 75 s of "
"retries."""
MOST_REMEMBERED = 64
_LATE_BY_NATURE = frozenset({"recording.waiting", "asset.created"})
_REASONS: Mapping[str, str] = {
    "signature_missing": "SignatureMissing",
    "signature_malformed": "SignatureMismatch",
    "signature_mismatch": "SignatureMismatch",
    "timestamp_mismatch": "SignatureMismatch",
    "body_altered": "BodyAltered",
    "timestamp_out_of_tolerance": "TimestampOutOfTolerance",
    "timestamp_in_seconds": "TimestampOutOfTolerance",
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """One delivery and its verdict, as `receiver.storage` keeps it. `id` is the delivery's own."""

    id: str
    received_ms: int
    verdict: str
    code: str
    shaped: bool
    webhook_id: str | None = None
    event_id: str | None = None
    event: str | None = None
    created_ms: int | None = None
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused delivery in Livepeer's shape; `offset_ms` is how far its time was from ours, where that was why."""

    id: str
    at_ms: int
    reason: str
    offset_ms: int | None


@dataclass(frozen=True)
class EndpointState:
    """What our endpoint remembers: the run of refusals since the last accepted delivery, and the closed runs."""

    accepted: int = 0
    repeated: int = 0
    refused: int = 0
    last_accepted_ms: int | None = None
    last_refused_ms: int | None = None
    accepting_since_ms: int | None = None
    run_first_ms: int | None = None
    run_count: int = 0
    run: tuple[Refused, ...] = ()
    refusing: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True)
class Late:
    """An event that was delivered long after it was made."""

    event_id: str
    event: str
    created_ms: int
    timestamp_ms: int


@dataclass(frozen=True)
class WebhookState:
    """What we remember of a webhook that has called us."""

    webhook_id: str
    accepted: int = 0
    repeated: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    last_event_id: str | None = None
    last_event: str | None = None
    events: tuple[str, ...] = ()
    late: tuple[Late, ...] = ()
    prompt_ms: int = 0
    missing: tuple[Missing, ...] = ()


def step_endpoint(state: EndpointState, receipt: Receipt) -> EndpointState:
    """The endpoint after one more delivery. What was released from quarantine was not accepted when it came."""
    if receipt.verdict in {"accepted", "duplicate"}:
        return state if receipt.code == "released" else _accepted(state, receipt)
    state = replace(state, refused=state.refused + 1, last_refused_ms=receipt.received_ms)
    reason = _REASONS.get(receipt.code)
    if reason is None or not receipt.shaped:
        return state
    offset_ms = None if receipt.timestamp_ms is None else receipt.timestamp_ms - receipt.received_ms
    refused = Refused(receipt.id, receipt.received_ms, reason, offset_ms)
    return replace(
        state,
        run_first_ms=state.run_first_ms or receipt.received_ms,
        run_count=state.run_count + 1,
        run=(*state.run, refused)[-MOST_REMEMBERED:],
    )


def _accepted(state: EndpointState, receipt: Receipt) -> EndpointState:
    closed = refusing_intervals(state, receipt.received_ms)
    resumed = state.accepting_since_ms is None or len(closed) > len(state.refusing)
    new = receipt.verdict == "accepted"
    return replace(
        state,
        accepted=state.accepted + (1 if new else 0),
        repeated=state.repeated + (0 if new else 1),
        last_accepted_ms=receipt.received_ms,
        accepting_since_ms=receipt.received_ms if resumed else state.accepting_since_ms,
        run_first_ms=None,
        run_count=0,
        run=(),
        refusing=tuple((from_ms, min(until_ms, receipt.received_ms)) for from_ms, until_ms in closed)[
            -MOST_REMEMBERED:
        ],
    )


def refusing_intervals(state: EndpointState, now_ms: int) -> tuple[Interval, ...]:
    """The times in which we refused the sender's signature; the last is open while we still do."""
    if state.run_count < SEVERAL or state.run_first_ms is None:
        return state.refusing
    fades_ms = state.run[-1].at_ms + REFUSALS_FADE_MS
    return (*state.refusing, (state.run_first_ms, OPEN_END_MS if now_ms < fades_ms else fades_ms))


def judge_endpoint(state: EndpointState, now_ms: int) -> Condition:
    """Whether deliveries in Livepeer's shape are being refused."""
    if state.run_count >= SEVERAL:
        return _refusing(state, state.run_first_ms or 0, now_ms)
    if state.last_accepted_ms is None:
        return answer(TYPE, "unknown", "NothingReceived", "No delivery has been accepted yet.")
    message = f"Deliveries are accepted, the last at {clock(state.last_accepted_ms)}."
    return answer(TYPE, "false", "DeliveriesArriving", message, since_ms=state.accepting_since_ms)


def _refusing(state: EndpointState, since_ms: int, now_ms: int) -> Condition:
    last, fades_ms = state.run[-1], state.run[-1].at_ms + REFUSALS_FADE_MS
    evidence = tuple(
        Evidence("delivery", r.id, r.at_ms, f"Refused at {clock(r.at_ms)}: {r.reason}.") for r in state.run[-3:]
    )
    if now_ms >= fades_ms:
        message = f"The last refused delivery came at {clock(last.at_ms)}; nothing has come since."
        return answer(TYPE, "unknown", "RefusalsExpired", message, since_ms=fades_ms, evidence=evidence)
    reason = _commonest(state.run)
    offset = _offset(state.run) if reason == "TimestampOutOfTolerance" else ""
    certainty: Certainty = "confirmed" if reason == "TimestampOutOfTolerance" else "suspected"
    happened = (
        f"{state.run_count} deliveries in Livepeer's shape were refused since {clock(since_ms)}, the last at "
        f"{clock(last.at_ms)}, and none was accepted in between.{offset} Whatever happens to the streams "
        "meanwhile goes unseen."
    )
    return true(
        TYPE, reason, happened, certainty=certainty, since_ms=since_ms, evidence=evidence, next_check_ms=fades_ms
    )


def _commonest(run: Sequence[Refused]) -> str:
    counts = Counter(refused.reason for refused in run)
    return max(counts, key=lambda reason: (counts[reason], reason))


def _offset(run: Sequence[Refused]) -> str:
    offset_ms = next((r.offset_ms for r in reversed(run) if r.reason == "TimestampOutOfTolerance"), None) or 0
    way = "ahead of" if offset_ms > 0 else "behind"
    return f" Their time is {span(abs(offset_ms))} {way} the clock here."


def step_webhook(state: WebhookState, receipt: Receipt) -> WebhookState:
    """A webhook after one more delivery that was verified."""
    new = receipt.verdict == "accepted"
    first_ms = receipt.received_ms if state.first_ms is None else min(state.first_ms, receipt.received_ms)
    state = replace(
        state,
        accepted=state.accepted + (1 if new else 0),
        repeated=state.repeated + (0 if new else 1),
        first_ms=first_ms,
        last_ms=max(state.last_ms or 0, receipt.received_ms),
        last_event_id=receipt.event_id,
        last_event=receipt.event,
    )
    event = receipt.event
    if event is None:
        return state
    if event not in state.events:
        state = replace(state, events=tuple(sorted({*state.events, event}))[:MOST_REMEMBERED])
    return _timed(state, receipt, event) if new else state


def _timed(state: WebhookState, receipt: Receipt, event: str) -> WebhookState:
    created_ms, timestamp_ms = receipt.created_ms, receipt.timestamp_ms
    if created_ms is None or timestamp_ms is None or event in _LATE_BY_NATURE:
        return state
    if timestamp_ms - created_ms < LATE_MS:
        return replace(state, prompt_ms=max(state.prompt_ms, timestamp_ms))
    late = (*state.late, Late(receipt.event_id or "", event, created_ms, timestamp_ms))
    return replace(state, late=tuple(sorted(late, key=lambda item: (item.timestamp_ms, item.event_id)))[-8:])


def with_missing(state: WebhookState, stream_id: str, missing: Sequence[Missing]) -> WebhookState:
    """The webhook with the gaps that a stream has just been found to have, in place of those it had before."""
    others = [gap for gap in state.missing if gap.stream_id != stream_id]
    own = [gap for gap in missing if gap.webhook_id == state.webhook_id and gap.due_ms < OPEN_END_MS]
    gaps = sorted([*others, *own], key=lambda gap: (gap.due_ms, gap.stream_id, gap.session_id, gap.event))
    return state if tuple(gaps) == state.missing else replace(state, missing=tuple(gaps[-MOST_REMEMBERED:]))


def judge_webhook(state: WebhookState, now_ms: int, coverage: Coverage) -> Condition:
    """Whether what this webhook delivers is whole and in time."""
    current = [gap for gap in state.missing if gap.due_ms <= now_ms < gap.due_ms + GAP_FADES_MS]
    if current:
        return gap_condition(current)
    late = [item for item in state.late if item.timestamp_ms > state.prompt_ms and not _ours(item, coverage)]
    if late and now_ms < late[-1].timestamp_ms + DELAY_FADES_MS:
        return _delayed(late)
    ended_ms = [gap.due_ms + GAP_FADES_MS for gap in state.missing if gap.due_ms + GAP_FADES_MS <= now_ms]
    ended_ms += [item.timestamp_ms + DELAY_FADES_MS for item in late]
    if ended_ms and (state.last_ms or 0) < max(ended_ms):
        message = "Events were missing or late; that is too long ago to say anything of now."
        return answer(TYPE, "unknown", "GapExpired", message, since_ms=max(ended_ms))
    pending = [gap.due_ms for gap in state.missing if gap.due_ms > now_ms]
    message = f"Deliveries of this webhook are accepted, the last at {clock(state.last_ms or 0)}."
    return answer(
        TYPE, "false", "DeliveriesArriving", message, since_ms=state.first_ms, next_check_ms=min(pending, default=None)
    )


def _ours(item: Late, coverage: Coverage) -> bool:
    """Whether the delay is explained by a time in which we were not accepting, or not there yet."""
    began_ms = coverage.intervals[0][0] if coverage.intervals else OPEN_END_MS
    return item.created_ms < began_ms or coverage.gap_within(item.created_ms, item.timestamp_ms)


def _delayed(late: Sequence[Late]) -> Condition:
    last = late[-1]
    happened = (
        f"`{last.event}` of {clock(last.created_ms)} was first delivered at {clock(last.timestamp_ms)}, "
        f"{span(last.timestamp_ms - last.created_ms)} late"
        f"{f', as were {len(late) - 1} others' if len(late) > 1 else ''}. What this service says of the streams "
        "lags behind by as much."
    )
    evidence = tuple(
        Evidence(item.event, item.event_id, item.timestamp_ms, f"{span(item.timestamp_ms - item.created_ms)} late.")
        for item in late[-3:]
    )
    return true(
        TYPE, "DeliveriesDelayed", happened, certainty="confirmed", since_ms=late[0].timestamp_ms, evidence=evidence,
        next_check_ms=last.timestamp_ms + DELAY_FADES_MS, severity="warning" if len(late) >= SEVERAL else "info",
    )  # fmt: skip
