"""A webhook that has called us: whether what it delivers is whole and in time."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from receiver.diagnosis.coverage import OPEN_END_MS, Coverage
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.rules.deliveries import GAP_FADES_MS, Missing, gap_condition
from receiver.diagnosis.senders.receipt import Receipt, is_read
from receiver.diagnosis.senders.registration import Registered, judge_registration
from receiver.diagnosis.values import Condition, Evidence
from receiver.diagnosis.verdicts import answer, clock, span, true

TYPE: Final = "webhook_not_firing"
DELAY_FADES_MS = 3_600_000
LATE_MS = 120_000
"""Queueing behind slow endpoints delays by up to half a minute (FACTS 12), and our own short faults by 75 s of
retries."""
SENT_AGAIN_MS = 90_000_000
"""The sender tries for 24.4 h (FACTS 1.3). What is first heard of later than that was sent again by hand (FACTS 1.4),
perhaps long after it was delivered and removed here: it says nothing of how deliveries are."""
LATE_THAT_WARN = 3
MOST_REMEMBERED = 64
_LATE_BY_NATURE = frozenset({"recording.waiting", "asset.created"})
"""Their `createdAt` is not when they were made (FACTS 12)."""


class Late(Struct, frozen=True, gc=False):
    """An event that was delivered long after it was made."""

    event_id: str
    event: str
    created_ms: int
    timestamp_ms: int


class WebhookState(Struct, frozen=True, gc=False):
    """What we remember of a webhook that has called us, or should. `late` came after the last prompt delivery,
    `prompt_ms`; `last_late_ms` is when the last late one was sent. `delaying` is what the streams were last judged by:
    a webhook whose condition tells of missing events may be late as well."""

    webhook_id: str
    accepted: int = 0
    repeated: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    events: tuple[str, ...] = ()
    late: tuple[Late, ...] = ()
    prompt_ms: int = 0
    last_late_ms: int = 0
    missing: tuple[Missing, ...] = ()
    delaying: bool = False
    registered: Registered | None = None


def fold_webhook(state: WebhookState, receipts: Sequence[Receipt]) -> WebhookState:
    """A webhook after these deliveries, all of them verified, in the order of their receipt. What was read in the
    sender's own log tells which events the webhook is called for, and nothing of how its deliveries are."""
    events = {receipt.event for receipt in receipts if receipt.event is not None}
    if not events.issubset(state.events):
        state = replace(state, events=tuple(sorted(events.union(state.events))[:MOST_REMEMBERED]))
    receipts = [receipt for receipt in receipts if not is_read(receipt)]
    if not receipts:
        return state
    received_ms = [receipt.received_ms for receipt in receipts]
    first_ms, last_ms = min(received_ms), max(received_ms)
    new = [receipt for receipt in receipts if receipt.verdict == "accepted"]
    state = replace(
        state,
        accepted=state.accepted + len(new),
        repeated=state.repeated + len(receipts) - len(new),
        first_ms=first_ms if state.first_ms is None else min(state.first_ms, first_ms),
        last_ms=max(state.last_ms or 0, last_ms),
    )
    return _timed(state, new)


def _timed(state: WebhookState, receipts: Sequence[Receipt]) -> WebhookState:
    """What is late, until something prompt that was sent later ends it, whichever is told of first."""
    prompt_ms, last_late_ms, late = state.prompt_ms, state.last_late_ms, state.late
    for receipt in receipts:
        event, created_ms, timestamp_ms = receipt.event, receipt.created_ms, receipt.timestamp_ms
        if event is None or created_ms is None or timestamp_ms is None or event in _LATE_BY_NATURE:
            continue
        took_ms = timestamp_ms - created_ms
        if LATE_MS <= took_ms < SENT_AGAIN_MS:
            last_late_ms = max(last_late_ms, timestamp_ms)
            if timestamp_ms > prompt_ms:
                late = _with(late, Late(receipt.event_id or "", event, created_ms, timestamp_ms))
        elif took_ms < LATE_MS and timestamp_ms > prompt_ms:
            prompt_ms = timestamp_ms
            late = tuple(item for item in late if item.timestamp_ms > timestamp_ms)
    return replace(state, prompt_ms=prompt_ms, last_late_ms=last_late_ms, late=late)


def _with(late: Sequence[Late], more: Late) -> tuple[Late, ...]:
    """The first, and the last ones, by when they were sent."""
    ordered = sorted((*late, more), key=lambda item: (item.timestamp_ms, item.event_id))
    return (*ordered[:1], *ordered[1:][1 - MOST_REMEMBERED :])


def with_missing(state: WebhookState, stream_id: str, missing: Sequence[Missing]) -> WebhookState:
    """The webhook with the gaps that a stream has just been found to have, in place of those it had before."""
    others = [gap for gap in state.missing if gap.stream_id != stream_id]
    own = [gap for gap in missing if gap.webhook_id == state.webhook_id and gap.due_ms < OPEN_END_MS]
    gaps = sorted([*others, *own], key=lambda gap: (gap.due_ms, gap.stream_id, gap.session_id, gap.event))
    return state if tuple(gaps) == state.missing else replace(state, missing=tuple(gaps[-MOST_REMEMBERED:]))


def judge_webhook(state: WebhookState, now_ms: int, coverage: Coverage) -> Condition:
    """Whether this webhook is called, and what it delivers is whole and in time."""
    registered = judge_registration(state.registered, state.last_ms, now_ms)
    if registered is not None and registered.status == "true":
        return registered
    current = [gap for gap in state.missing if gap.due_ms <= now_ms < gap.due_ms + GAP_FADES_MS]
    if current:
        return gap_condition([_as_subscribed(gap, state) for gap in current], where="")
    late = [item for item in state.late if not _ours(item, coverage)]
    if late and now_ms < late[-1].timestamp_ms + DELAY_FADES_MS:
        return _delayed(late)
    faded_ms = [gap.due_ms + GAP_FADES_MS for gap in state.missing if gap.due_ms <= now_ms]
    faded_ms += [item.timestamp_ms + DELAY_FADES_MS for item in late]
    if faded_ms and (state.last_ms or 0) < max(faded_ms):
        message = "Events were missing or late; that is too long ago to say anything of now."
        return answer(TYPE, "unknown", "GapExpired", message, since_ms=max(faded_ms))
    if state.last_ms is None:
        nothing = answer(TYPE, "unknown", "NothingReceived", "This webhook has not called us yet.")
        return registered or nothing
    pending = [gap.due_ms for gap in state.missing if gap.due_ms > now_ms]
    message = f"Deliveries of this webhook are accepted, the last at {clock(state.last_ms)}."
    return answer(
        TYPE, "false", "DeliveriesArriving", message,
        since_ms=max([state.first_ms or 0, state.last_late_ms, *faded_ms]), next_check_ms=min(pending, default=None),
    )  # fmt: skip


def _as_subscribed(gap: Missing, state: WebhookState) -> Missing:
    """A webhook that has delivered such an event of any stream is subscribed to it."""
    return replace(gap, subscribed=gap.event in state.events)


def _ours(item: Late, coverage: Coverage) -> bool:
    """Whether the delay is explained by a time in which we were not accepting, or not there yet."""
    began_ms = coverage.intervals[0][0] if coverage.intervals else OPEN_END_MS
    return item.created_ms < began_ms or coverage.gap_within(item.created_ms, item.timestamp_ms)


def _delayed(late: Sequence[Late]) -> Condition:
    last, others = late[-1], len(late) - 1
    more = "" if others == 0 else ", as was one other" if others == 1 else f", as were {others} others"
    happened = (
        f"`{last.event}` of {clock(last.created_ms)} was first delivered at {clock(last.timestamp_ms)}, "
        f"{span(last.timestamp_ms - last.created_ms)} late{more}. "
        "What is said here of the streams lags behind by as much."
    )
    evidence = tuple(
        Evidence(item.event, item.event_id, item.timestamp_ms, f"{span(item.timestamp_ms - item.created_ms)} late.")
        for item in late[-3:]
    )
    return true(
        TYPE, "DeliveriesDelayed", happened, certainty="confirmed", since_ms=late[0].timestamp_ms, evidence=evidence,
        next_check_ms=last.timestamp_ms + DELAY_FADES_MS, severity="warning" if len(late) >= LATE_THAT_WARN else "info",
    )  # fmt: skip
