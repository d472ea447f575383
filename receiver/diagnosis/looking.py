"""How what we saw ourselves is folded: the newest snapshot, the newest finding of each way of asking, and what gates
decided lately. Older ones stand in the log; of them only since when the same is said is remembered."""

from collections.abc import Callable

from receiver.diagnosis.frozen import replace
from receiver.diagnosis.looks import GateTally, PlaybackFinding, SessionLook, StreamLook
from receiver.diagnosis.reporting import plays
from receiver.diagnosis.state import Decided, Mark, Probed, Recording, SessionSeen, StreamState, StudioSeen
from receiver.diagnosis.values import Limits, Signal


def fold_looks(state: StreamState, signal: Signal, limits: Limits) -> StreamState:
    """The reducer of what was seen; comes last: it asks what the stream's sessions are."""
    look, mark = signal.look, Mark.of(signal)
    match look:
        case StreamLook():
            studio = _studio(state, mark, look)
            return replace(state, studio=studio, listed=state.listed if look.sessions is None else studio)
        case SessionLook():
            return _session(state, signal, lambda session: replace(session, seen=SessionSeen(mark, look)))
        case PlaybackFinding() if look.session_id is not None:
            return _session(state, signal, lambda session: replace(session, probed=_run(session.probed, mark, look)))
        case PlaybackFinding():
            return _probed(state, mark, look, limits)
        case GateTally():
            return replace(state, gate=_decided(state.gate, mark, look, limits))
    return state


def _studio(state: StreamState, mark: Mark, look: StreamLook) -> StudioSeen:
    before = state.studio
    known = state.source_segments if before is None else before.look.source_segments
    grew = known is not None and look.source_segments is not None and look.source_segments > known
    if before is None or _gist(before.look) != _gist(look):
        return StudioSeen(mark, mark, look, grew)
    return StudioSeen(before.first, mark, look, grew)


def _gist(look: StreamLook) -> tuple[object, ...]:
    """What is said `since` the first of a run: of what is not there, whether it was active says nothing more."""
    gone = look.standing != "found" or bool(look.suspended)
    return (look.standing, look.suspended) if gone else (look.standing, look.is_active, look.policy)


def _session(state: StreamState, signal: Signal, change: Callable[[Recording], Recording]) -> StreamState:
    """A session that is not known is made so by its snapshot before this, not by a finding."""
    return replace(
        state,
        sessions=tuple(change(one) if one.session_id == signal.session_id else one for one in state.sessions),
    )


def _run(before: Probed | None, mark: Mark, finding: PlaybackFinding) -> Probed:
    same = before is not None and (before.finding.verdict, before.finding.reason) == (finding.verdict, finding.reason)
    return Probed(before.first if before is not None and same else mark, mark, finding)


def _probed(state: StreamState, mark: Mark, finding: PlaybackFinding, limits: Limits) -> StreamState:
    """What a probe without a credential plays, anybody can: it refutes what players reported (DESIGN 5, Ending)."""
    before = {_way(probed.finding): probed for probed in state.probed}
    before[_way(finding)] = _run(before.get(_way(finding)), mark, finding)
    state = replace(state, probed=tuple(before[way] for way in sorted(before)))
    return plays(state, mark, limits) if finding.verdict == "plays" and finding.credential == "none" else state


def _way(finding: PlaybackFinding) -> tuple[str, bool]:
    return finding.credential, finding.origin


def _decided(before: Decided | None, mark: Mark, tally: GateTally, limits: Limits) -> Decided:
    """A stretch is as long as reports count; what was decided before the last one says little of now."""
    ttl_ms = limits.report_ttl_ms
    if before is None or tally.from_ms - before.present.until_ms >= ttl_ms:
        return Decided(mark, mark, tally, failing=_failing(None, mark, tally, ttl_ms))
    failing = _failing(before.failing, mark, tally, ttl_ms)
    if tally.until_ms - before.present.from_ms >= ttl_ms:
        return Decided(mark, mark, tally, before.present, failing)
    return Decided(before.first, mark, before.present.plus(tally), before.before, failing)


def _failing(before: tuple[Mark, Mark] | None, mark: Mark, tally: GateTally, ttl_ms: int) -> tuple[Mark, Mark] | None:
    if not tally.faults:
        return before
    goes_on = before is not None and mark.at_ms - before[1].at_ms < 2 * ttl_ms
    return (before[0] if before is not None and goes_on else mark), mark
