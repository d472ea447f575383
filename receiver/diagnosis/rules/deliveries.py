"""`webhook_not_firing` as one stream shows it: sequences of events that cannot be complete."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from receiver.diagnosis.rules.looked import fades_ms, seen_in_studio, snapshot_of
from receiver.diagnosis.state import Caller, Mark, Recording, StreamState
from receiver.diagnosis.values import Condition, Severity
from receiver.diagnosis.verdicts import Surroundings, answer, clock, overdue, seen, true

TYPE: Final = "webhook_not_firing"
GAP_FADES_MS = 86_400_000
UNHEARD_AFTER_MS = 60_000
"""What the Studio API shows may be told of as much later (RECEIVER_DELIVERY_GRACE_S's default)."""
STALE_MS = 3 * 3_600_000
"""A stream that was lost for longer is ended without an event (FACTS 4, STALE_SESSION_TIMEOUT)."""


class Missing(Struct, frozen=True, gc=False):
    """An event that a webhook should have delivered before one that it did deliver. `subscribed` is false where that
    webhook has never delivered such an event for this stream."""

    webhook_id: str
    stream_id: str
    session_id: str
    event: str
    because: Mark
    due_ms: int
    subscribed: bool


def missing_events(state: StreamState, around: Surroundings) -> tuple[Missing, ...]:
    """Every gap in the sequences of this stream, those whose time has not come yet and faded ones too."""
    return tuple(gap for session in state.sessions for gap in _gaps(state, session, around))


def never_delivered(state: StreamState, event: str) -> str:
    """A hint for conclusions from the silence of an event that no webhook has ever delivered for this stream; empty
    where one has."""
    if not state.callers:
        return " Nothing about this stream has ever been delivered here; check that a webhook is registered for it."
    if any(event in caller.events for caller in state.callers):
        return ""
    return f" No webhook has ever delivered `{event}` for this stream; it may not be subscribed to it."


def judge_deliveries(state: StreamState, missing: tuple[Missing, ...], now_ms: int) -> Condition:
    """Whether what the webhooks delivered of this stream is whole, as far as it can be told from itself."""
    last = state.last_event
    if last is None:
        message = "No delivery about this stream has been accepted yet."
        return answer(TYPE, "unknown", "NothingReceived", message)
    current = [gap for gap in missing if gap.due_ms <= now_ms < gap.due_ms + GAP_FADES_MS]
    if current:
        return gap_condition(current)
    unheard = _unheard(state, now_ms)
    if unheard is not None and unheard.status == "true":
        return unheard
    faded_ms = [gap.due_ms + GAP_FADES_MS for gap in missing if gap.due_ms <= now_ms]
    if faded_ms and last.at_ms < max(faded_ms):
        message = "Events were missing; that is too long ago to say anything of now."
        return answer(TYPE, "unknown", "GapExpired", message, since_ms=max(faded_ms), evidence=seen(last))
    pending = [gap.due_ms for gap in missing if gap.due_ms > now_ms]
    message = f"Deliveries about this stream are accepted, the last of an event of {clock(last.at_ms)}."
    return answer(
        TYPE, "false", "DeliveriesArriving", message,
        since_ms=max([min(caller.first_ms for caller in state.callers), *faded_ms]), evidence=seen(last),
        next_check_ms=min([*pending, *([] if unheard is None else [unheard.next_check_ms or 0])], default=None),
    )  # fmt: skip


def _unheard(state: StreamState, now_ms: int) -> Condition | None:
    """Whether the Studio API shows a start or an end that nobody told us of, a grace after it did (DESIGN 5); unknown
    until then, and until a second look: a replica of the API may lag (FACTS 9)."""
    studio, live = snapshot_of(state, now_ms), state.broadcast == "live"
    if studio is None or studio.look.is_active in {None, live} or state.since_ms is None:
        return None
    look, since_ms = studio.look, state.since_ms
    last_ms = look.last_seen_ms or 0
    if studio.last.at_ms <= since_ms or (not live and last_ms <= since_ms + UNHEARD_AFTER_MS):
        return None
    due_ms, event = studio.first.at_ms + UNHEARD_AFTER_MS, "stream.idle" if live else "stream.started"
    evidence = seen_in_studio(studio) + seen(state.started if live else state.idled)
    if now_ms < due_ms or studio.last.at_ms < due_ms:
        message = f"The Studio API shows the stream {'inactive' if live else 'active'}; `{event}` may still come."
        check_ms = due_ms if now_ms < due_ms else fades_ms(studio)
        return answer(
            TYPE, "unknown", "RetriesPending", message, since_ms=since_ms, evidence=evidence, next_check_ms=check_ms
        )
    reason = "EventsMissing"
    happened = (
        f"The Studio API shows the stream {'inactive' if live else 'active'} at {clock(studio.last.at_ms)}, but no "
        f"`{event}` has come. What is concluded from silence is not reliable until this is mended."
    )
    if live and look.last_seen_ms is not None and studio.first.at_ms - last_ms > STALE_MS:
        reason = "IdleNeverSent"
        happened = f"Livepeer ended the stream in silence: it had not seen it since {clock(last_ms)}."
    return true(
        TYPE, reason, happened, certainty="confirmed", since_ms=due_ms, evidence=evidence,
        next_check_ms=fades_ms(studio),
    )  # fmt: skip


def while_catching_up(condition: Condition, now_ms: int, around: Surroundings) -> Condition:
    """The condition of a stream in which something is awaited: after a time in which nothing could come in it says so,
    for that is why the wait is longer (DESIGN 5, Absence)."""
    found = around.coverage.catching_up(now_ms, around.limits.delivery_grace_ms)
    if condition.status == "true" or found is None:
        return condition
    (from_ms, back_ms), until_ms = found
    message = (
        f"Nothing could be taken in from {clock(from_ms)} to {clock(back_ms)}. Livepeer tries again what it could not "
        f"deliver; until {clock(until_ms)} silence means nothing."
    )
    return answer(
        TYPE, "unknown", "RetriesPending", message,
        since_ms=back_ms, evidence=condition.evidence, next_check_ms=until_ms,
    )  # fmt: skip


def gap_condition(gaps: list[Missing], where: str = " for this stream") -> Condition:
    """The condition that these gaps, of one stream or of one webhook, make true; `where` says what `subscribed` of them
    was judged by."""
    latest = max(gaps, key=lambda gap: (gap.due_ms, gap.stream_id, gap.session_id, gap.event, gap.webhook_id))
    hint = (
        ""
        if latest.subscribed
        else f" That webhook has never delivered `{latest.event}`{where}; it may not be subscribed to it."
    )
    others = len(gaps) - 1
    more = "" if others == 0 else " One more event is missing." if others == 1 else f" {others} more are missing."
    happened = (
        f"Webhook {latest.webhook_id} delivered `{latest.because.kind}` of session {latest.session_id} at "
        f"{clock(latest.because.at_ms)}, but never the `{latest.event}` that comes before it.{hint}{more} "
        "What is concluded from silence is not reliable until this is mended."
    )
    severity: Severity = "warning" if latest.subscribed else "info"
    return true(
        TYPE, "EventsMissing", happened, certainty="suspected", since_ms=min(gap.due_ms for gap in gaps),
        evidence=seen(latest.because) + overdue(latest.event, latest.due_ms),
        next_check_ms=min(gap.due_ms + GAP_FADES_MS for gap in gaps), severity=severity,
    )  # fmt: skip


def _gaps(state: StreamState, session: Recording, around: Surroundings) -> Iterator[Missing]:
    if session.ready is not None and session.queued is None:
        before_ms = session.idled.at_ms if session.idled else session.started_ms or session.ready.at_ms
        due_ms = around.conclusive_ms(session.ready_ms or session.ready.at_ms, 0)
        callers = [caller for caller in state.callers if caller.webhook_id in session.ready_by]
        yield from _told(state, session, "recording.waiting", session.ready, due_ms, before_ms, callers)
    if session.unannounced is not None:
        due_ms = around.conclusive_ms(session.unannounced.at_ms, 0)
        callers = [caller for caller in state.callers if session.unannounced.kind in caller.events]
        before_ms = session.unannounced.at_ms
        yield from _told(state, session, "stream.started", session.unannounced, due_ms, before_ms, callers)


def _told(
    state: StreamState,
    session: Recording,
    event: str,
    because: Mark,
    due_ms: int,
    before_ms: int,
    callers: list[Caller],
) -> Iterator[Missing]:
    """One gap for each of the callers that had told of the stream before the missing event was due."""
    for caller in callers:
        if caller.first_ms < before_ms:
            subscribed = event in caller.events
            yield Missing(
                caller.webhook_id, state.stream_id or "", session.session_id, event, because, due_ms, subscribed
            )
