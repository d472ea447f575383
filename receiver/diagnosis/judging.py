"""`judge`: what is to be said of a stream and its sessions at a moment, and when it must be judged again."""

from collections.abc import Iterable

from msgspec import Struct

from receiver.diagnosis.catalogue import reason_entry
from receiver.diagnosis.coverage import OPEN_END_MS
from receiver.diagnosis.folding import broadcast_at
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.rules.deliveries import (
    GAP_FADES_MS,
    Missing,
    judge_deliveries,
    missing_events,
    while_catching_up,
)
from receiver.diagnosis.rules.forbidden import judge_forbidden
from receiver.diagnosis.rules.manifest import judge_manifest
from receiver.diagnosis.rules.publish import judge_publish
from receiver.diagnosis.rules.recording import SessionVerdict, judge_session
from receiver.diagnosis.rules.rollup import judge_sessionless, roll_up
from receiver.diagnosis.state import BroadcastState, StreamState
from receiver.diagnosis.values import Condition, Subject
from receiver.diagnosis.verdicts import Surroundings, answer

Diagnosable = tuple[Subject, Condition]
_AWAITED = frozenset({"AwaitingStart", "AwaitingRecording"})


class Judgement(Struct, frozen=True, gc=False):
    """What is said of a stream at a moment.

    `conditions` are the five that the stream shows, none for an orphaned session; `diagnosable` are those that a
    diagnosis may follow, each with its subject: what is rolled up is diagnosed where it happens. `missing` is for the
    webhooks' own judgement. `deadline_ms` is when time alone may change any of it.
    """

    state: BroadcastState
    since_ms: int | None
    conditions: tuple[Condition, ...]
    sessions: tuple[SessionVerdict, ...]
    diagnosable: tuple[Diagnosable, ...]
    missing: tuple[Missing, ...]
    deadline_ms: int | None


def judge(state: StreamState, now_ms: int, around: Surroundings) -> Judgement:
    """Everything that is to be said of the stream, or of the orphaned session, at `now_ms`."""
    missing = missing_events(state, around)
    deliveries = judge_deliveries(state, missing, now_ms)
    muted = _deliveries_fail(state, deliveries, around)
    sessions = tuple(_session(state, index, now_ms, around, muted=muted) for index in range(len(state.sessions)))
    of_stream, own = (
        ((), ()) if state.stream_id is None else _stream(state, deliveries, sessions, now_ms, around, muted=muted)
    )
    if _awaits(of_stream, sessions, missing, now_ms):
        of_stream = (*of_stream[:-1], while_catching_up(of_stream[-1], now_ms, around))
    shown, since_ms, fades_ms = broadcast_at(state, now_ms)
    diagnosable = (*own, *((Subject("session", v.recording.session_id), v.condition) for v in sessions))
    checks = [condition.next_check_ms for condition in (*of_stream, *(c for _, c in diagnosable))]
    deadlines = [*checks, fades_ms, *(gap.due_ms for gap in missing), *(gap.due_ms + GAP_FADES_MS for gap in missing)]
    return Judgement(
        state=shown,
        since_ms=since_ms,
        conditions=tuple(_public(condition) for condition in of_stream),
        sessions=tuple(_saying(verdict, _public(verdict.condition)) for verdict in sessions),
        diagnosable=tuple((subject, _public(condition)) for subject, condition in diagnosable),
        missing=missing,
        deadline_ms=_deadline(deadlines, now_ms, around),
    )


def muted_by_deliveries(condition: Condition, *, failing: bool) -> Condition:
    """A conclusion from silence is muted while deliveries are known to fail (DESIGN 5, Muting)."""
    if not failing or condition.status != "true" or not reason_entry(condition.type, condition.reason).absence:
        return condition
    return replace(condition, muted_by="webhook_not_firing")


def _deliveries_fail(state: StreamState, deliveries: Condition, around: Surroundings) -> bool:
    if around.endpoint_failing or deliveries.status == "true":
        return True
    return any(caller.webhook_id in around.webhooks_failing for caller in state.callers)


def _awaits(
    of_stream: tuple[Condition, ...], sessions: tuple[SessionVerdict, ...], missing: tuple[Missing, ...], now_ms: int
) -> bool:
    """Whether anything of the stream waits for a delivery."""
    conditions = (*of_stream, *(verdict.condition for verdict in sessions))
    awaited = any(condition.reason in _AWAITED for condition in conditions)
    return bool(of_stream) and (awaited or any(gap.due_ms > now_ms for gap in missing))


def _session(state: StreamState, index: int, now_ms: int, around: Surroundings, *, muted: bool) -> SessionVerdict:
    verdict = judge_session(state, state.sessions[index], now_ms, around)
    return _saying(verdict, muted_by_deliveries(verdict.condition, failing=muted))


def _saying(verdict: SessionVerdict, condition: Condition) -> SessionVerdict:
    return verdict if condition is verdict.condition else replace(verdict, condition=condition)


def _stream(
    state: StreamState,
    deliveries: Condition,
    sessions: tuple[SessionVerdict, ...],
    now_ms: int,
    around: Surroundings,
    *,
    muted: bool,
) -> tuple[tuple[Condition, ...], tuple[Diagnosable, ...]]:
    """The five conditions that the stream shows, and those of them that are its own."""
    publish = muted_by_deliveries(judge_publish(state, now_ms, around), failing=muted)
    manifest = _follows(judge_manifest(state, publish, now_ms, around), publish)
    forbidden = judge_forbidden(state, now_ms, around)
    own = judge_sessionless(state, now_ms, around)
    if own is not None:
        own = _follows(muted_by_deliveries(own, failing=muted), publish)
    recording = roll_up(own, sessions)
    if own is None:
        own = answer("recording_not_available", "unknown", "NotObserved", "Its sessions tell of their recordings.")
    subject = Subject("stream", state.stream_id or "")
    diagnosable = tuple((subject, condition) for condition in (publish, manifest, forbidden, own))
    return (publish, manifest, forbidden, recording, deliveries), diagnosable


def _follows(condition: Condition, publish: Condition) -> Condition:
    """A rejected push explains an empty manifest and a missing recording (DESIGN 5, Muting)."""
    if publish.status != "true" or condition.status != "true":
        return condition
    return replace(condition, muted_by=condition.muted_by or publish.type)


def _public(condition: Condition) -> Condition:
    """A condition that waits for a gap in coverage to end has no time at which to look again."""
    waiting = condition.next_check_ms is not None and condition.next_check_ms >= OPEN_END_MS
    return replace(condition, next_check_ms=None) if waiting else condition


def _deadline(deadlines: Iterable[int | None], now_ms: int, around: Surroundings) -> int | None:
    """The next of these. What waits for a gap in coverage to end, of which nobody knows when, is looked at again after
    the grace."""
    soon_ms = now_ms + around.limits.delivery_grace_ms
    known = (at_ms if at_ms < OPEN_END_MS else soon_ms for at_ms in deadlines if at_ms is not None)
    return min((at_ms for at_ms in known if at_ms > now_ms), default=None)
