"""`step`: one signal's effect on what we remember of a stream.

The order of the reducers is one tuple, `REDUCERS`, and that tuple is the explanation. A reducer returns its input
untouched when the signal is not its business. Signals come in the order of `ordering.position`; the copies of an event
that several webhooks brought come one after the other and count once.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from receiver.diagnosis.machines import BroadcastArc, next_broadcast
from receiver.diagnosis.sessions import fold_sessions
from receiver.diagnosis.state import Attempt, Caller, Drop, Mark, Reports, StreamState
from receiver.diagnosis.values import Limits, Report, Signal

Reducer = Callable[[StreamState, Signal, Limits], StreamState]

DROPS_WITHIN_MS = 300_000
"""Push drops are counted together over five minutes (DESIGN 5)."""
MEDIA_NEAR_MS = 30_000
"""How far from a push a sign of media may stand and still be one of it."""
MOST_DROPS = 8
MOST_CALLERS = 16


def step(state: StreamState, signal: Signal, limits: Limits) -> StreamState:
    """The state after one more signal."""
    for reducer in REDUCERS:
        state = reducer(state, signal, limits)
    return state


def fold(state: StreamState, signals: Sequence[Signal], limits: Limits) -> StreamState:
    """The state after these signals, which are in order."""
    for signal in signals:
        state = step(state, signal, limits)
    return state


def _description(state: StreamState, signal: Signal, _: Limits) -> StreamState:
    facts = signal.stream
    if facts is None:
        return state
    return replace(
        state,
        name=facts.name or state.name,
        playback_id=facts.playback_id or state.playback_id,
        record=state.record if facts.record is None else facts.record,
        suspended=state.suspended if facts.suspended is None else facts.suspended,
    )


def _callers(state: StreamState, signal: Signal, _: Limits) -> StreamState:
    if signal.report is not None:
        return state
    state = replace(state, last_event=Mark.of(signal))
    known = next((caller for caller in state.callers if caller.webhook_id == signal.webhook_id), None)
    if known is not None and signal.kind in known.events:
        return state
    events = tuple(sorted({*(known.events if known else ()), signal.kind}))
    caller = Caller(signal.webhook_id, known.first_ms if known else signal.at_ms, events)
    others = [other for other in state.callers if other is not known]
    callers = sorted([*others, caller], key=lambda item: item.webhook_id)
    return replace(state, callers=tuple(callers[-MOST_CALLERS:]))


def _attempts(state: StreamState, signal: Signal, limits: Limits) -> StreamState:
    if signal.kind not in {"observation.publish_intent", "observation.publish_rejected"}:
        return state
    mark, run = Mark.of(signal), state.attempt
    patience_ms = limits.publish_start_within_ms + limits.delivery_grace_ms
    if run is not None and not answered(state, run, limits) and signal.at_ms - run.last.at_ms <= patience_ms:
        report = _with_known_key(signal.report or Report(), run.report)
        return replace(state, attempt=replace(run, last=mark, count=run.count + 1, report=report))
    while_live = state.broadcast == "live"
    return replace(state, attempt=Attempt(mark, mark, 1, signal.report or Report(), while_live))


def _with_known_key(newer: Report, older: Report) -> Report:
    """A later report of the same run that names no key leaves standing what an earlier one said of it."""
    if newer.key_prefix_matches is not None:
        return newer
    return replace(newer, key_prefix_matches=older.key_prefix_matches, key_is_playback_id=older.key_is_playback_id)


def answered(state: StreamState, attempt: Attempt, limits: Limits) -> bool:
    """Whether the stream was live when the attempt was made, or has started since shortly before it."""
    if attempt.while_live:
        return True
    earliest_ms = attempt.first.at_ms - limits.publish_start_within_ms
    return state.started is not None and state.started.at_ms >= earliest_ms


def _media(state: StreamState, signal: Signal, _: Limits) -> StreamState:
    """Signs that a push brought media: a session, a connected target, segments that grew, a recording's asset."""
    segments = signal.stream.source_segments if signal.stream else None
    known = state.source_segments
    if segments is not None:
        state = replace(state, source_segments=max(segments, known or 0))
    if known is not None and segments is not None and segments > known:
        state = _media_seen(state, signal.at_ms)
    if signal.kind in {"recording.started", "multistream.connected"}:
        state = _media_seen(state, signal.at_ms)
    began_ms = signal.session.started_ms if signal.session else None
    if signal.kind == "asset.created" and signal.session_id is not None:
        began_ms = signal.created_ms
    return state if began_ms is None else _media_seen(state, began_ms)


def _drops(state: StreamState, signal: Signal, limits: Limits) -> StreamState:
    """Comes before the broadcast's own reducer: it asks what the push was before it went idle."""
    started = state.started
    if signal.kind != "stream.idle" or signal.of_child or started is None or state.broadcast != "live":
        return state
    if signal.at_ms - started.at_ms > limits.push_dropped_within_ms:
        return replace(state, drops=())
    if state.media_ms is not None and state.media_ms >= started.at_ms - MEDIA_NEAR_MS:
        return state
    recent = tuple(drop for drop in state.drops if signal.at_ms - drop.idled.at_ms <= DROPS_WITHIN_MS)
    return replace(state, drops=(*recent, Drop(started, Mark.of(signal)))[-MOST_DROPS:])


def _media_seen(state: StreamState, at_ms: int) -> StreamState:
    doubtful = tuple(
        drop
        for drop in state.drops
        if not drop.started.at_ms - MEDIA_NEAR_MS <= at_ms <= drop.idled.at_ms + MEDIA_NEAR_MS
    )
    return replace(state, drops=doubtful, media_ms=max(at_ms, state.media_ms or 0))


def _broadcast(state: StreamState, signal: Signal, _: Limits) -> StreamState:
    arc = _broadcast_arc(state, signal)
    if arc is None:
        return state
    after = next_broadcast(state.broadcast, arc)
    if after != state.broadcast:
        live_since_ms = signal.at_ms if after == "live" else state.live_since_ms
        state = replace(state, broadcast=after, since_ms=signal.at_ms, live_since_ms=live_since_ms)
    if arc == "started":
        return replace(state, started=Mark.of(signal))
    if arc == "idled":
        return replace(state, idled=Mark.of(signal))
    return state


def _broadcast_arc(state: StreamState, signal: Signal) -> BroadcastArc | None:
    if signal.kind == "recording.waiting":
        return "gone" if _of_newest_session(state, signal) else None
    if signal.kind in {"stream.started", "stream.idle"} and signal.of_child:
        return None
    arcs: dict[str, BroadcastArc] = {
        "stream.started": "started",
        "stream.idle": "idled",
        "recording.started": "session",
        "observation.publish_intent": "attempted",
        "observation.publish_rejected": "attempted",
    }
    return arcs.get(signal.kind)


def _of_newest_session(state: StreamState, signal: Signal) -> bool:
    """`recording.waiting` is sent once the session has gone idle, and carries the time of its first idle (FACTS 5, 12):
    where that time finds the stream live in that session, its `stream.idle` is missing and the media is gone."""
    newest = state.sessions[-1].session_id if state.sessions else None
    return newest in {None, signal.session_id}


def _deletion(state: StreamState, signal: Signal, _: Limits) -> StreamState:
    """Deletion is believed from the snapshot: nothing takes it back, and no event tells of it."""
    if signal.stream is None or not signal.stream.deleted or state.deleted is not None:
        return state
    after = next_broadcast(state.broadcast, "deleted")
    return replace(state, deleted=Mark.of(signal), broadcast=after, since_ms=signal.at_ms)


def _reports(state: StreamState, signal: Signal, limits: Limits) -> StreamState:
    mark, report = Mark.of(signal), signal.report
    if signal.kind == "observation.playback_ok":
        return replace(state, played=mark, forbidden=None, manifest=None)
    if signal.kind == "observation.recording_requested":
        return replace(state, requested=mark)
    if signal.kind != "observation.playback_error" or report is None:
        return state
    if report.error == "forbidden":
        return replace(state, forbidden=_joined(state.forbidden, mark, report, limits))
    if report.error in {"empty_manifest", "offline"}:
        return replace(state, manifest=_joined(state.manifest, mark, report, limits))
    return state


def _joined(run: Reports | None, mark: Mark, report: Report, limits: Limits) -> Reports:
    if run is None or mark.at_ms - run.last.at_ms > limits.report_ttl_ms:
        return Reports(mark, mark, 1, report)
    return replace(run, last=mark, count=run.count + 1, report=report)


def _idle_ends_manifest_reports(state: StreamState, signal: Signal, _: Limits) -> StreamState:
    """An offline stream has no manifest: what players said of it before is explained (DESIGN 5, Ending)."""
    if signal.kind != "stream.idle" or signal.of_child:
        return state
    return replace(state, manifest=None)


REDUCERS: Sequence[Reducer] = (
    _description,
    _media,
    _drops,
    _attempts,
    fold_sessions,
    _broadcast,
    _deletion,
    _reports,
    _idle_ends_manifest_reports,
    _callers,
)
