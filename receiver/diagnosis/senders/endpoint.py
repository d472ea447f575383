"""Our endpoint: whether deliveries in Livepeer's shape are refused, why, and since when."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct

from receiver.diagnosis.coverage import OPEN_END_MS, Interval
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.senders.receipt import Receipt, is_accepted, is_verified
from receiver.diagnosis.values import Certainty, Condition, Evidence
from receiver.diagnosis.verdicts import answer, clock, span, true

TYPE: Final = "webhook_not_firing"
SEVERAL = 3
"""How many refusals in Livepeer's shape, none accepted in between, make a diagnosis: one may be anybody's."""
REFUSALS_FADE_MS = 86_400_000
MOST_REMEMBERED = 64
_REASONS: Mapping[str, str] = {
    "signature_missing": "SignatureMissing",
    "signature_malformed": "SignatureMalformed",
    "signature_mismatch": "SignatureMismatch",
    "timestamp_mismatch": "TimestampMismatch",
    "body_altered": "BodyAltered",
    "timestamp_out_of_tolerance": "TimestampOutOfTolerance",
    "timestamp_in_seconds": "TimestampInSeconds",
}
_SIGNED = frozenset({"TimestampOutOfTolerance", "TimestampInSeconds"})
"""Direct evidence: whoever sent these knows the secret."""
_WHY: Mapping[str, str] = {
    "SignatureMissing": "they carry no signature",
    "SignatureMalformed": "their Livepeer-Signature header cannot be read",
    "SignatureMismatch": "their signature fits none of the configured secrets",
    "BodyAltered": "their body was rewritten on its way here",
    "TimestampInSeconds": "their time is given in seconds, where Livepeer gives milliseconds",
    "TimestampMismatch": "their signature fits, but `t` in its header is not the `timestamp` of the body",
}


class Refused(Struct, frozen=True, gc=False):
    """A refused delivery in Livepeer's shape. `offset_ms` is how far its time was ahead of ours; None where it claimed
    none, or one that is given in seconds."""

    id: str
    at_ms: int
    reason: str
    offset_ms: int | None
    seq: int = 0


class EndpointState(Struct, frozen=True, gc=False):
    """What our endpoint remembers: the run of refusals since the last accepted delivery, and the closed runs."""

    accepted: int = 0
    repeated: int = 0
    refused: int = 0
    first_accepted_ms: int | None = None
    last_accepted_ms: int | None = None
    last_refused_ms: int | None = None
    accepting_since_ms: int | None = None
    run_first_ms: int | None = None
    run_count: int = 0
    run: tuple[Refused, ...] = ()
    refusing: tuple[Interval, ...] = ()


def fold_endpoint(state: EndpointState, receipts: Iterable[Receipt]) -> EndpointState:
    """The endpoint after these deliveries, in the order of their receipt."""
    for verified, alike in groupby(receipts, key=is_verified):
        if verified:
            left = (receipt for receipt in alike if is_accepted(receipt))
            while (
                state.run and (one := next(left, None)) is not None
            ):  # what follows the end of a run is folded at once
                state = _accepted(state, [one])
            state = _accepted(state, list(left))
        else:
            for receipt in alike:
                state = _rejected(state, receipt)
    return state


def _accepted(state: EndpointState, receipts: Sequence[Receipt]) -> EndpointState:
    """After accepted deliveries, or after one where there is a run of refusals; what was released from quarantine, or
    read in the sender's own log, was not accepted when it came. One that came before the last refusal, and is only now
    told of, says nothing of what was refused since."""
    if not receipts:
        return state
    received_ms = [receipt.received_ms for receipt in receipts]
    first_ms, last_ms = min(received_ms), max(received_ms)
    new = sum(1 for receipt in receipts if receipt.verdict == "accepted")
    counted = replace(
        state,
        accepted=state.accepted + new,
        repeated=state.repeated + len(receipts) - new,
        first_accepted_ms=first_ms if state.first_accepted_ms is None else min(state.first_accepted_ms, first_ms),
        last_accepted_ms=max(state.last_accepted_ms or 0, last_ms),
        accepting_since_ms=_since(state, first_ms),
    )
    if state.run and _came_before(receipts[0], state.run[-1]):
        return counted
    return _accepting(counted, received_ms[0] if state.refusing else first_ms)


def _since(state: EndpointState, first_ms: int) -> int | None:
    """Of several processes one may tell of what it took in before another did, which has told already."""
    since_ms = state.accepting_since_ms
    return since_ms if since_ms is None or state.refusing else min(since_ms, first_ms)


def _came_before(receipt: Receipt, refused: Refused) -> bool:
    """By the clock only where nothing else tells: it may have been wrong."""
    if receipt.seq and refused.seq:
        return receipt.seq < refused.seq
    return receipt.received_ms < refused.at_ms


def _accepting(state: EndpointState, at_ms: int) -> EndpointState:
    """What was accepted ends a run of refusals."""
    resumed = state.accepting_since_ms is None or state.run_count >= SEVERAL
    closed = _closed(state, at_ms) if state.run_count else state
    return replace(closed, accepting_since_ms=at_ms) if resumed else closed


def _rejected(state: EndpointState, receipt: Receipt) -> EndpointState:
    state = replace(state, refused=state.refused + 1, last_refused_ms=receipt.received_ms)
    reason = _REASONS.get(receipt.code)
    return state if reason is None or not receipt.shaped else _refused(state, receipt, reason)


def _refused(state: EndpointState, receipt: Receipt, reason: str) -> EndpointState:
    if state.run and receipt.received_ms - state.run[-1].at_ms >= REFUSALS_FADE_MS:
        accepting_since_ms = None if state.run_count >= SEVERAL else state.accepting_since_ms
        state = replace(_closed(state, receipt.received_ms), accepting_since_ms=accepting_since_ms)
    offset_ms = None if receipt.timestamp_ms is None else receipt.timestamp_ms - receipt.received_ms
    if receipt.code == "timestamp_in_seconds":
        offset_ms = None
    refused = Refused(receipt.id, receipt.received_ms, reason, offset_ms, receipt.seq)
    return replace(
        state,
        run_first_ms=receipt.received_ms if state.run_first_ms is None else state.run_first_ms,
        run_count=state.run_count + 1,
        run=(*state.run, refused)[-MOST_REMEMBERED:],
    )


def _closed(state: EndpointState, now_ms: int) -> EndpointState:
    """The run is over; the time that it took is remembered if it was one of refusing."""
    ended = ((from_ms, min(until_ms, now_ms)) for from_ms, until_ms in refusing_intervals(state, now_ms))
    refusing = tuple((from_ms, until_ms) for from_ms, until_ms in ended if from_ms < until_ms)
    return replace(state, run_first_ms=None, run_count=0, run=(), refusing=refusing[-MOST_REMEMBERED:])


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
    if state.accepting_since_ms is None and state.refusing:
        return _past(state.refusing[-1][1])
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
        return _past(fades_ms, evidence)
    reason = _commonest(state.run)
    certainty: Certainty = "confirmed" if reason in _SIGNED else "suspected"
    happened = (
        f"{state.run_count} deliveries in Livepeer's shape were refused since {clock(since_ms)}, the last at "
        f"{clock(last.at_ms)}, and none has been accepted since: {_why(reason, state.run)}. "
        "What happens to the streams meanwhile goes unseen."
    )
    return true(
        TYPE, reason, happened, certainty=certainty, since_ms=since_ms, evidence=evidence, next_check_ms=fades_ms
    )


def _past(fades_ms: int, evidence: tuple[Evidence, ...] = ()) -> Condition:
    message = "Deliveries were refused more than a day ago, and none has been accepted since."
    return answer(TYPE, "unknown", "RefusalsExpired", message, since_ms=fades_ms, evidence=evidence)


def _commonest(run: Sequence[Refused]) -> str:
    counts = Counter(refused.reason for refused in run)
    return max(counts, key=lambda reason: (counts[reason], reason))


def _why(reason: str, run: Sequence[Refused]) -> str:
    """Of those that were refused for different reasons, how many for this one."""
    count = sum(1 for refused in run if refused.reason == reason)
    why = _WHY.get(reason) or _offset(next(r.offset_ms or 0 for r in reversed(run) if r.reason == reason))
    return why if count == len(run) else f"of the last {len(run)}, {count} because {why}"


def _offset(offset_ms: int) -> str:
    return f"their time is {span(abs(offset_ms))} {'ahead of' if offset_ms > 0 else 'behind'} the clock here"
