"""`fold`: the effect of signals on what we remember of a stream.

The order of the reducers, and what each listens to, is one table, `REDUCERS`, and that table is the explanation. A
reducer returns its input untouched when the signal is not its business. Signals come in the order of
`ordering.position`; the copies of an event that several webhooks brought come one after the other and count once.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain

from receiver.diagnosis.frozen import replace
from receiver.diagnosis.looking import fold_looks
from receiver.diagnosis.looks import FINDING, GATE, SNAPSHOT_OF_SESSION, SNAPSHOT_OF_STREAM
from receiver.diagnosis.machines import BROADCAST_TIMERS, BroadcastArc, next_broadcast
from receiver.diagnosis.reporting import fold_reports, push_ends_manifest_reports
from receiver.diagnosis.sessions import fold_sessions, over_already
from receiver.diagnosis.state import Attempt, BroadcastState, Caller, Drop, Mark, StreamState
from receiver.diagnosis.values import Limits, Report, Signal

Reducer = Callable[[StreamState, Signal, Limits], StreamState]

ATTEMPT_FADES_MS = 3_600_000
"""An attempt to publish that long ago says nothing of now (DESIGN 5, Ending)."""
DROPS_FADE_MS = 600_000
"""Nor does a push that dropped ten minutes ago; drops with shorter pauses are one run."""
MEDIA_NEAR_MS = 30_000
"""How far from a push a sign of media may stand and still be one of it."""
MOST_DROPS = 8
MOST_CALLERS = 16

ATTEMPTS = frozenset({"observation.publish_intent", "observation.publish_rejected"})
PUSHES = frozenset({"stream.started", "stream.idle"})
_ARCS: Mapping[str, BroadcastArc] = {
    "stream.started": "started",
    "stream.idle": "idled",
    "recording.started": "session",
    "recording.waiting": "gone",
    **dict.fromkeys(ATTEMPTS, "attempted"),
}


def fold(state: StreamState, signals: Sequence[Signal], limits: Limits) -> StreamState:
    """The state after these signals, which are in order. No reducer asks who told us: that is taken down at the end."""
    for signal in signals:
        for reducer in _LISTENING.get(signal.kind, _LISTENING_TO_ALL):
            state = reducer(state, signal, limits)
    reported_ms = [signal.at_ms for signal in signals if signal.report is not None]
    if reported_ms:
        state = replace(state, reported_ms=reported_ms[-1])
    return _heard(state, [signal for signal in signals if signal.report is None and signal.look is None])


def _heard(state: StreamState, events: Sequence[Signal]) -> StreamState:
    """Who told us of these events, and which was the last."""
    if not events:
        return state
    callers = {caller.webhook_id: caller for caller in state.callers}
    told: dict[str, set[str]] = defaultdict(set)
    for event in events:
        told[event.webhook_id].add(event.kind)
        if event.webhook_id not in callers:
            callers[event.webhook_id] = Caller(event.webhook_id, event.at_ms, ())
    for webhook_id, kinds in told.items():
        known = callers[webhook_id]
        if not kinds.issubset(known.events):
            callers[webhook_id] = Caller(webhook_id, known.first_ms, tuple(sorted(kinds.union(known.events))))
    last = sorted(callers)[-MOST_CALLERS:]
    return replace(state, last_event=Mark.of(events[-1]), callers=tuple(callers[webhook_id] for webhook_id in last))


def _description(state: StreamState, signal: Signal, _: Limits) -> StreamState:
    """Whether it records is as the events of its last push told: a snapshot may be of a change for the next one."""
    facts = signal.stream
    if facts is None:
        return state
    name, playback_id = facts.name or state.name, facts.playback_id or state.playback_id
    told = facts.record is not None and (signal.look is None or state.record is None)
    record = facts.record if told else state.record
    suspended = state.suspended if facts.suspended is None else facts.suspended
    if (name, playback_id, record, suspended) == (state.name, state.playback_id, state.record, state.suspended):
        return state
    return replace(state, name=name, playback_id=playback_id, record=record, suspended=suspended)


def _attempts(state: StreamState, signal: Signal, limits: Limits) -> StreamState:
    shown, since_ms, _ = broadcast_at(state, signal.at_ms)
    state = replace(state, broadcast=shown, since_ms=since_ms)
    mark, run = Mark.of(signal), state.attempt
    patience_ms = limits.publish_start_within_ms + limits.delivery_grace_ms
    if run is not None and not answered(state, run, limits) and signal.at_ms - run.last.at_ms <= patience_ms:
        report = _with_known_key(signal.report or Report(), run.report)
        return replace(state, attempt=replace(run, last=mark, count=run.count + 1, report=report))
    while_live = state.broadcast == "live"
    return replace(state, attempt=Attempt(mark, mark, 1, signal.report or Report(), while_live))


def _with_known_key(newer: Report, older: Report) -> Report:
    """A later report of the same run that names no key leaves standing what an earlier one said of it."""
    if newer.ingest_path_is_live is None:
        newer = replace(newer, ingest_path_is_live=older.ingest_path_is_live)
    if newer.key_digest is not None or newer.key_prefix_matches is not None:
        return newer
    return replace(
        newer,
        key_digest=older.key_digest,
        key_prefix_matches=older.key_prefix_matches,
        key_is_playback_id=older.key_is_playback_id,
    )


def answered(state: StreamState, attempt: Attempt, limits: Limits) -> bool:
    """Whether the stream was live when the attempt was made, or has started since shortly before it."""
    if attempt.while_live:
        return True
    earliest_ms = attempt.first.at_ms - limits.publish_start_within_ms
    return state.started is not None and state.started.at_ms >= earliest_ms


def broadcast_at(state: StreamState, now_ms: int) -> tuple[BroadcastState, int | None, int | None]:
    """The broadcast's state as it is at `now_ms`, since when, and when time alone changes it."""
    if state.broadcast not in BROADCAST_TIMERS or state.attempt is None:
        return state.broadcast, state.since_ms, None
    _, after = BROADCAST_TIMERS[state.broadcast]
    fades_ms = state.attempt.last.at_ms + ATTEMPT_FADES_MS
    return (after, fades_ms, None) if now_ms >= fades_ms else (state.broadcast, state.since_ms, fades_ms)


def _media(state: StreamState, signal: Signal, _: Limits) -> StreamState:
    """A session, or a connected target, shows that a push brought media."""
    return _media_seen(state, signal.at_ms)


def _session_media(state: StreamState, signal: Signal, _: Limits) -> StreamState:
    """And so does whatever tells when the session began, of the push then: `createdAt` of a recording's asset is the
    session's start (FACTS 12)."""
    began_ms = signal.session.started_ms if signal.session and signal.look is None else None
    if signal.kind == "asset.created" and signal.session_id is not None:
        began_ms = signal.created_ms
    return state if began_ms is None else _media_seen(state, began_ms)


def _segments(state: StreamState, signal: Signal, _: Limits) -> StreamState:
    """As do segments that grew. They are counted late, every 50 s at most (FACTS 4): what a start shows came with the
    push before it, and so did what a snapshot shows while nothing is live."""
    segments, known = signal.stream.source_segments if signal.stream else None, state.source_segments
    if segments is None or (known is not None and segments <= known):
        return state
    if known is not None and signal.kind != "stream.started":
        over = state.idled if signal.look is not None and state.broadcast != "live" else None
        state = _media_seen(state, signal.at_ms if over is None else over.at_ms)
    return replace(state, source_segments=max(segments, 0))


def _drops(state: StreamState, signal: Signal, limits: Limits) -> StreamState:
    """Comes before the broadcast's own reducer: it asks what the push was before it went idle. A takeover is no new
    push: how long it lasted counts from where the stream became live."""
    started, live_ms = state.started, state.live_since_ms
    if signal.of_child or state.broadcast != "live":
        return state
    if started is None or live_ms is None or signal.at_ms - live_ms > limits.push_dropped_within_ms:
        return replace(state, drops=())
    if state.media_ms is not None and state.media_ms >= live_ms - MEDIA_NEAR_MS:
        return state
    run = state.drops if state.drops and signal.at_ms - state.drops[-1].idled.at_ms < DROPS_FADE_MS else ()
    return replace(state, drops=(*run[:1], *run[1:][2 - MOST_DROPS :], Drop(started, Mark.of(signal))))


def _media_seen(state: StreamState, at_ms: int) -> StreamState:
    doubtful = tuple(
        drop
        for drop in state.drops
        if not drop.started.at_ms - MEDIA_NEAR_MS <= at_ms <= drop.idled.at_ms + MEDIA_NEAR_MS
    )
    media_ms = max(at_ms, state.media_ms or 0)
    unchanged = media_ms == state.media_ms and len(doubtful) == len(state.drops)
    return state if unchanged else replace(state, drops=doubtful, media_ms=media_ms)


def _broadcast(state: StreamState, signal: Signal, _: Limits) -> StreamState:
    arc = _broadcast_arc(state, signal)
    if arc is None:
        return state
    after, first_idle = next_broadcast(state.broadcast, arc), arc == "idled" and state.idled is None
    if after != state.broadcast or (first_idle and state.since_ms is None):
        live_since_ms = signal.at_ms if after == "live" else state.live_since_ms
        state = replace(state, since_ms=signal.at_ms, live_since_ms=live_since_ms)
    if arc == "started":
        state = replace(state, started=Mark.of(signal))
    if arc == "idled" and (first_idle or after != state.broadcast):
        state = replace(state, idled=Mark.of(signal))
    return replace(state, broadcast=after)


def _broadcast_arc(state: StreamState, signal: Signal) -> BroadcastArc | None:
    if signal.kind == "recording.waiting":
        return "gone" if _of_newest_session(state, signal) else None
    if signal.kind in PUSHES and signal.of_child:
        return None
    if signal.kind == "recording.started" and over_already(state, signal) is not None:
        return None
    return _ARCS[signal.kind]


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


REDUCERS: Sequence[tuple[Reducer, Collection[str] | None]] = (
    (_description, None),
    (_media, {"recording.started", "multistream.connected"}),
    (_session_media, None),
    (_segments, None),
    (_drops, {"stream.idle"}),
    (_attempts, ATTEMPTS),
    (fold_sessions, None),
    (push_ends_manifest_reports, {*PUSHES, "recording.started"}),
    (_broadcast, _ARCS),
    (_deletion, None),
    (fold_reports, {"observation.playback_error", "observation.playback_ok", "observation.recording_requested"}),
    (fold_looks, {SNAPSHOT_OF_STREAM, SNAPSHOT_OF_SESSION, FINDING, GATE}),
)
"""In their order, each with the kinds that it listens to; None for all, those that we know nothing of too."""
_LISTENING: Mapping[str, Sequence[Reducer]] = {
    kind: [reducer for reducer, kinds in REDUCERS if kinds is None or kind in kinds]
    for kind in chain.from_iterable(kinds for _, kinds in REDUCERS if kinds is not None)
}
_LISTENING_TO_ALL: Sequence[Reducer] = [reducer for reducer, kinds in REDUCERS if kinds is None]
