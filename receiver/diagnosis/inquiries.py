"""What we should go and look at ourselves, and when: objects of the Studio API, and what viewers get.

Pure, as the rules are: what is asked follows from what is known and what is said of it. A look that brought nothing new
is repeated ever more seldom, so no stream costs more than its share of the API's patience.
"""

from collections.abc import Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from receiver.diagnosis.folding import ATTEMPT_FADES_MS, answered
from receiver.diagnosis.judging import Judgement
from receiver.diagnosis.rules.deliveries import UNHEARD_AFTER_MS
from receiver.diagnosis.state import Probed, Recording, StreamState
from receiver.diagnosis.values import Condition, ConditionType, Limits

What: TypeAlias = Literal["stream", "sessions", "session", "probe", "recording"]
"""`sessions` is the stream with the list of its sessions, `recording` a probe of a session's recording."""

FIRST_PROBE_AFTER_MS = 5_000
"""The first segment needs 5 to 10 seconds (the guide's own words)."""
SOON_MS = 2_000
LEAST_MS, MOST_MS = 5_000, 300_000
"""Between two looks at the same thing while it fails: as long as it has been failing, within these."""
LIVE_EVERY_MS = 600_000
"""A live stream sends nothing while it is well, nor when it is lost: so often we ask."""
PROBE_EVERY_MS = 60_000
"""At most between two probes of what fails: a finding says something of now for five times as long."""
RECORDING_EVERY_MS = 3_600_000
"""A recording that is overdue may come hours later."""


class Inquiry(Struct, frozen=True, gc=False, omit_defaults=True):
    """One thing to look at; `id` is the session's, where it is one. What is `routine` waits while anything else is to
    be looked at: nothing says that it fails."""

    what: What
    due_ms: int
    id: str | None = None
    routine: bool = False


def inquiries(state: StreamState, judgement: Judgement, now_ms: int, limits: Limits) -> tuple[Inquiry, ...]:
    """What is to be looked at of a stream, the soonest first; one of each kind and session. Nothing of an orphaned
    session, for nobody could be told, nor of a stream that was deleted."""
    if state.stream_id is None or state.deleted is not None:
        return ()
    wanted: list[Inquiry] = []
    if limits.asks_studio:
        wanted += _of_stream(state, judgement, limits)
        wanted += _of_sessions(state, judgement)
    if limits.probes and state.playback_id is not None:
        wanted += _probes(state, judgement, now_ms, limits)
    soonest: dict[tuple[What, str | None], Inquiry] = {}
    for one in sorted(wanted, key=lambda inquiry: inquiry.due_ms, reverse=True):
        later = soonest.get((one.what, one.id), one)
        soonest[one.what, one.id] = Inquiry(one.what, one.due_ms, one.id, one.routine and later.routine)
    return tuple(sorted(soonest.values(), key=lambda one: (one.due_ms, one.what, one.id or "")))


def again_ms(begun_ms: int, last_ms: int, most_ms: int = MOST_MS) -> int:
    """When to look again at what has been so since `begun_ms` and was last looked at at `last_ms`."""
    return last_ms + min(max(last_ms - begun_ms, LEAST_MS), most_ms)


def _of_stream(state: StreamState, judgement: Judgement, limits: Limits) -> Iterator[Inquiry]:
    said: dict[ConditionType, Condition] = {condition.type: condition for condition in judgement.conditions}
    last_ms = None if state.studio is None else state.studio.last.at_ms
    yield from _of_attempt(state, limits, last_ms)
    for kind in ("hls_manifest_empty", "playback_forbidden"):
        if said[kind].status == "true":
            yield Inquiry("stream", _next_ms(said[kind].since_ms or 0, last_ms))
    newest = max(state.probed, key=lambda probed: probed.last.at_ms, default=None)
    if newest is not None and newest.finding.verdict == "denied" and (last_ms or 0) < newest.first.at_ms:
        yield Inquiry("stream", newest.first.at_ms)
    if state.drops and (last_ms is None or last_ms < state.drops[-1].idled.at_ms):
        yield Inquiry("stream", state.drops[-1].idled.at_ms + SOON_MS)
    if state.broadcast in {"live", "lost"} and state.live_since_ms is not None:
        begun_ms = state.live_since_ms
        yield Inquiry("stream", max(begun_ms, last_ms or 0) + LIVE_EVERY_MS, routine=True)
    if state.studio is not None and state.studio.look.is_active not in {None, state.broadcast == "live"}:
        yield Inquiry("stream", again_ms(state.studio.first.at_ms, state.studio.last.at_ms + UNHEARD_AFTER_MS // 2))
    own = said["recording_not_available"]
    if own.status == "true" and own.reason == "RecordingNotQueued":
        yield Inquiry("sessions", _next_ms(own.since_ms or 0, last_ms, RECORDING_EVERY_MS))


def _of_attempt(state: StreamState, limits: Limits, last_ms: int | None) -> Iterator[Inquiry]:
    """An attempt to publish is looked at as soon as it is told of, and when its time is over; then ever more seldom."""
    attempt = state.attempt
    if attempt is None or answered(state, attempt, limits):
        return
    begun_ms = attempt.first.at_ms
    due_ms = begun_ms + limits.publish_start_within_ms + limits.delivery_grace_ms
    if last_ms is None or last_ms < begun_ms:
        yield Inquiry("stream", begun_ms + SOON_MS)
    elif last_ms < due_ms:
        yield Inquiry("stream", due_ms)
        if state.studio is not None and (state.studio.look.standing == "missing" or state.studio.look.suspended):
            yield Inquiry("stream", again_ms(begun_ms, last_ms))
    elif last_ms < attempt.last.at_ms + ATTEMPT_FADES_MS:
        yield Inquiry("stream", again_ms(begun_ms, last_ms))


def _next_ms(begun_ms: int, last_ms: int | None, most_ms: int = MOST_MS) -> int:
    """At once for what nobody has looked at since it began."""
    return begun_ms if last_ms is None or last_ms < begun_ms else again_ms(begun_ms, last_ms, most_ms)


def _of_sessions(state: StreamState, judgement: Judgement) -> Iterator[Inquiry]:
    """A session whose recording is overdue, or fails, or that a newer one has followed without its end."""
    for verdict in judgement.sessions:
        condition, session = verdict.condition, verdict.recording
        if condition.status != "true" or condition.reason in {"RecordingDeleted", "WrongIdentifier"}:
            continue
        last_ms = None if session.seen is None else session.seen.last.at_ms
        yield Inquiry("session", _next_ms(condition.since_ms or 0, last_ms, RECORDING_EVERY_MS), session.session_id)
    newest = state.sessions[-1] if state.sessions else None
    if newest is not None and newest.state == "ready" and newest.seen is None and newest.since_ms is not None:
        yield Inquiry("session", newest.since_ms + SOON_MS, newest.session_id)


def _probes(state: StreamState, judgement: Judgement, now_ms: int, limits: Limits) -> Iterator[Inquiry]:
    newest = max(state.probed, key=lambda probed: probed.last.at_ms, default=None)
    last_ms = None if newest is None else newest.last.at_ms
    reported = [run.last.at_ms for run in (state.manifest, state.forbidden) if run is not None]
    told_ms = max(reported, default=None)
    if told_ms is not None and now_ms < told_ms + limits.report_ttl_ms:
        if last_ms is None or last_ms < told_ms:
            yield Inquiry("probe", told_ms if last_ms is None else max(told_ms, last_ms + LEAST_MS))
        elif newest is not None and newest.finding.verdict != "plays":
            yield Inquiry("probe", again_ms(min(reported), last_ms, PROBE_EVERY_MS))
    manifest = next(condition for condition in judgement.conditions if condition.type == "hls_manifest_empty")
    if manifest.status == "true":
        yield Inquiry("probe", _next_ms(manifest.since_ms or 0, last_ms, PROBE_EVERY_MS))
    if state.broadcast == "live" and state.live_since_ms is not None:
        live_ms = state.live_since_ms
        if last_ms is None or last_ms < live_ms:
            yield Inquiry("probe", live_ms + FIRST_PROBE_AFTER_MS)
        elif newest is not None and not _settled(state, newest):
            yield Inquiry("probe", again_ms(live_ms, last_ms, PROBE_EVERY_MS))
    yield from _recordings(state, now_ms)


def _settled(state: StreamState, newest: Probed) -> bool:
    """Whether another probe would tell nothing: it plays, or a gate is in the way, which is as it must be."""
    public = state.studio is not None and state.studio.look.policy == "public"
    return newest.finding.verdict == "plays" or (newest.finding.verdict == "denied" and not public)


def _recordings(state: StreamState, now_ms: int) -> Iterator[Inquiry]:
    """A recording that somebody asked for, and that is ready, is tried."""
    newest: Recording | None = state.sessions[-1] if state.sessions else None
    if newest is None or newest.state != "ready" or newest.recording_url is None or state.requested is None:
        return
    asked_ms, last_ms = state.requested.at_ms, None if newest.probed is None else newest.probed.last.at_ms
    if now_ms - asked_ms > RECORDING_EVERY_MS:
        return
    if last_ms is None or last_ms < asked_ms:
        yield Inquiry("recording", max(asked_ms, newest.since_ms or 0), newest.session_id)
    elif newest.probed is not None and newest.probed.finding.verdict != "plays":
        yield Inquiry("recording", again_ms(asked_ms, last_ms, PROBE_EVERY_MS), newest.session_id)
