"""How a stream's sessions are folded: which arc of the recording's machine a signal takes, for which session.

`stream.started` and `stream.idle` name no session: an idle ends every session that has not ended, a start brings
back the newest. What tells of one session (`recording.*`, its asset, its task) is a fact about it, wherever it stands.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from receiver.diagnosis.frozen import replace
from receiver.diagnosis.machines import RecordingArc, next_recording
from receiver.diagnosis.state import Mark, Recording, RecordingState, StreamState
from receiver.diagnosis.values import Limits, Signal

MOST_SESSIONS = 32
ANNOUNCED_WITHIN_MS = 60_000
"""How far a `stream.started` may stand from the `recording.started` that belongs to it; they race (FACTS 12)."""
LAGS_MS = 60_000
_ENDED = frozenset({"ready", "failed", "deleted"})
_OVER = frozenset({"ready", "deleted", "off"})
_ARCS: Mapping[str, RecordingArc] = {"recording.waiting": "queued", "recording.ready": "ready"}


def fold_sessions(state: StreamState, signal: Signal, limits: Limits) -> StreamState:
    """The reducer of the sessions; comes before the broadcast's, for it asks what the stream was before."""
    if signal.kind == "stream.idle" and not signal.of_child:
        return _each(state, lambda session: _idled(session, signal))
    if signal.kind == "stream.started" and not signal.of_child:
        return _started_again(state, signal, limits)
    if signal.session_id is None or signal.report is not None or (signal.look is not None and signal.session is None):
        return state
    return _told(state, signal.session_id, signal)


def over_already(state: StreamState, signal: Signal) -> Mark | None:
    """The idle that ended the push in which the signal's session began, where the session's own start stands after it;
    None where there is no such idle."""
    began_ms = signal.session.started_ms if signal.session else None
    if state.broadcast != "idle" or state.idled is None or began_ms is None or began_ms > state.idled.at_ms:
        return None
    return state.idled


def _each(state: StreamState, change: Callable[[Recording], Recording]) -> StreamState:
    return replace(state, sessions=tuple(change(session) for session in state.sessions))


def _idled(session: Recording, signal: Signal) -> Recording:
    """An idle is the newest session's: one that a newer followed has ended before, or has lost its idle."""
    if session.state != "recording" or session.successor is not None:
        return session
    return _arc(replace(session, idled=Mark.of(signal)), "idled", signal.at_ms)


def _started_again(state: StreamState, signal: Signal, limits: Limits) -> StreamState:
    """The encoder is back: in the newest session, for all we know, until a newer one begins or unless its recording
    was due before."""
    newest = state.sessions[-1].session_id if state.sessions else None

    def change(session: Recording) -> Recording:
        if session.unannounced and signal.at_ms - session.unannounced.at_ms <= ANNOUNCED_WITHIN_MS:
            session = replace(session, unannounced=None)
        if session.session_id != newest or session.successor is not None or session.idled is None:
            return session
        late = signal.at_ms - session.idled.at_ms >= limits.recording_queued_within_ms
        return session if late else _arc(session, "back", signal.at_ms)

    return _each(state, change)


def _told(state: StreamState, session_id: str, signal: Signal) -> StreamState:
    known = _session_of(state, session_id)
    session = _with_facts(known or Recording(session_id, since_ms=signal.at_ms), signal)
    if signal.kind == "recording.started" and state.broadcast != "live" and session.started is None:
        session = _begun(state, session, signal)
    arc, before = _arc_of(signal), session.state
    if _lags(session, signal):
        return state if session is known else replace(state, sessions=_in_order([*_others(state, known), session]))
    session = _with_marks(session, signal)
    if arc is not None:
        session = _settled(_arc(session, arc, signal.at_ms), before, signal)
    if session is known:
        return state
    others = _others(state, known)
    return replace(state, sessions=_in_order([*others, session]) if others else (session,))


def _others(state: StreamState, known: Recording | None) -> list[Recording]:
    return [other for other in state.sessions if other is not known]


def _lags(session: Recording, signal: Signal) -> bool:
    """Whether a snapshot shows at work what has failed just now: a replica of the API may lag (FACTS 9)."""
    if signal.look is None or signal.work is None or signal.work.phase != "working" or session.failed is None:
        return False
    return signal.at_ms - session.failed.at_ms < LAGS_MS


def _session_of(state: StreamState, session_id: str) -> Recording | None:
    for session in state.sessions:
        if session.session_id == session_id:
            return session
    return None


def _settled(session: Recording, before: RecordingState, signal: Signal) -> Recording:
    """What the new state says besides: which signal ended the processing, whether a failure stands, and that
    processing began with the first sign of it, though `recording.waiting` stands at the session's first idle."""
    work = signal.work
    if session.state in _ENDED and session.state != before:
        session = replace(session, outcome=Mark.of(signal))
    if session.state == "failed":
        message = work.error_message if work is not None and work.phase == "failed" else None
        failed = session.failed or Mark.of(signal)
        return replace(session, failed=failed, error_message=message or session.error_message)
    if session.state == "deleted":
        return session
    since_ms = session.since_ms
    if session.state == "processing":
        sign_ms = signal.attempted_ms if signal.kind == "recording.waiting" else signal.at_ms
        since_ms = sign_ms if before != "processing" else min(sign_ms, session.since_ms or sign_ms)
    if (since_ms, None, None) == (session.since_ms, session.failed, session.error_message):
        return session
    return replace(session, since_ms=since_ms, failed=None, error_message=None)


def _begun(state: StreamState, session: Recording, signal: Signal) -> Recording:
    """A session that begins while the stream is not live: without its start, or over before it was told of."""
    idled = over_already(state, signal)
    if idled is not None and session.state == "recording":
        session = _arc(replace(session, idled=idled), "idled", idled.at_ms)
    return replace(session, unannounced=_unless_just_started(state, signal))


def _unless_just_started(state: StreamState, signal: Signal) -> Mark | None:
    started = state.started
    if started is not None and signal.at_ms - started.at_ms <= ANNOUNCED_WITHIN_MS:
        return None
    return Mark.of(signal)


def _with_facts(session: Recording, signal: Signal) -> Recording:
    facts, work = signal.session, signal.work
    recorded, started_ms, url = session.recorded, session.started_ms, session.recording_url
    if facts is not None:
        started_ms = started_ms if facts.started_ms is None else facts.started_ms
        recorded, url = True, facts.recording_url or url
    if work is not None and signal.kind.startswith("asset."):
        recorded, url = True, url or work.playback_url
    if (recorded, started_ms, url) == (session.recorded, session.started_ms, session.recording_url):
        return session
    return replace(session, recorded=recorded, started_ms=started_ms, recording_url=url)


def _with_marks(session: Recording, signal: Signal) -> Recording:
    if signal.kind == "recording.started" and session.started is None:
        return replace(session, started=Mark.of(signal))
    if signal.kind == "recording.waiting":
        first_ms = signal.attempted_ms if session.queued_ms is None else min(session.queued_ms, signal.attempted_ms)
        callers = _joined(session.queued_by, signal.webhook_id)
        return replace(session, queued=session.queued or Mark.of(signal), queued_ms=first_ms, queued_by=callers)
    if signal.kind == "recording.ready":
        first_ms = signal.attempted_ms if session.ready_ms is None else min(session.ready_ms, signal.attempted_ms)
        callers = _joined(session.ready_by, signal.webhook_id)
        return replace(session, ready=session.ready or Mark.of(signal), ready_ms=first_ms, ready_by=callers)
    if signal.work is None or signal.work.phase != "working" or not _moves(session, signal):
        return session
    return replace(session, progress=Mark.of(signal), retry_message=signal.work.error_message)


def _moves(session: Recording, signal: Signal) -> bool:
    """Whether this is a sign that the work goes on: a snapshot is only where it shows more done than the one before."""
    if signal.look is None or session.seen is None or signal.work is None:
        return True
    return (signal.work.progress or 0.0) > (session.seen.look.progress or 0.0)


def _joined(callers: tuple[str, ...], webhook_id: str) -> tuple[str, ...]:
    return tuple(sorted({*callers, webhook_id}))


def _arc_of(signal: Signal) -> RecordingArc | None:
    if signal.session is not None and signal.session.record is False:
        return "off"
    if signal.work is not None:
        return signal.work.phase
    return _ARCS.get(signal.kind)


def _arc(session: Recording, arc: RecordingArc, at_ms: int) -> Recording:
    after = next_recording(session.state, arc)
    return session if after == session.state else replace(session, state=after, since_ms=at_ms)


def _in_order(sessions: Sequence[Recording]) -> tuple[Recording, ...]:
    """By their start; each learns of the next one, and the oldest that are over are forgotten past a bound."""
    ordered = sorted(sessions, key=_start)
    followed = [_followed(session, newer) for session, newer in pairwise(ordered)] + ordered[-1:]
    if len(followed) > MOST_SESSIONS:
        over = next((session for session in followed[:-1] if session.state in _OVER), followed[0])
        followed.remove(over)
    return tuple(followed)


def _start(session: Recording) -> tuple[int, str]:
    started_ms = session.started_ms if session.started_ms is not None else session.since_ms
    return (started_ms or 0, session.session_id)


def _followed(session: Recording, newer: Recording) -> Recording:
    if session.successor is not None or newer.started is None:
        return session
    session = replace(session, successor=newer.started)
    return _arc(session, "newer_after_idle", session.idled.at_ms) if session.idled else session
