"""How reports of the operator's systems are folded: runs of what players meet, each until it fades or is refuted."""

from receiver.diagnosis.frozen import replace
from receiver.diagnosis.state import Mark, Reports, StreamState
from receiver.diagnosis.values import Limits, Report, Signal


def fold_reports(state: StreamState, signal: Signal, limits: Limits) -> StreamState:
    """What players met, and that a recording was asked for."""
    report = signal.report
    if report is None:
        return state
    mark = Mark.of(signal)
    if signal.kind == "observation.playback_ok":
        return plays(state, mark, limits)
    if signal.kind == "observation.recording_requested":
        return replace(state, requested=mark, asked_for=report.identifier)
    return _errors(state, mark, report, limits) if signal.kind == "observation.playback_error" else state


def _errors(state: StreamState, mark: Mark, report: Report, limits: Limits) -> StreamState:
    if report.error == "forbidden":
        return replace(state, forbidden=_joined(state.forbidden, mark, report, limits))
    if report.error in {"empty_manifest", "offline"}:
        return replace(state, manifest=_joined(state.manifest, mark, report, limits))
    return state


def plays(state: StreamState, mark: Mark, limits: Limits) -> StreamState:
    """It plays: since this report, or since an earlier one that neither faded nor was contradicted in between."""
    known = state.played is not None and mark.at_ms - state.played.at_ms < limits.report_ttl_ms
    return replace(
        state,
        played=mark,
        playable_since_ms=state.playable_since_ms if known and state.manifest is None else mark.at_ms,
        allowed_since_ms=state.allowed_since_ms if known and state.forbidden is None else mark.at_ms,
        forbidden=None,
        manifest=None,
    )


def _joined(run: Reports | None, mark: Mark, report: Report, limits: Limits) -> Reports:
    if run is None or mark.at_ms - run.last.at_ms >= limits.report_ttl_ms:
        return Reports(mark, mark, 1, report)
    return replace(run, last=mark, count=run.count + 1, report=report)


def push_ends_manifest_reports(state: StreamState, signal: Signal, _: Limits) -> StreamState:
    """What players said before the stream ended, or before it was live at all, is explained (DESIGN 5, Ending). Comes
    before the broadcast's own reducer."""
    if state.manifest is None:
        return state
    ends = signal.kind == "stream.idle"
    begins = signal.kind in {"stream.started", "recording.started"} and state.broadcast != "live"
    return replace(state, manifest=None) if (ends or begins) and not signal.of_child else state
