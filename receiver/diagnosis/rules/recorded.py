"""What the Studio API and probes show of a session's recording (FACTS 5, 10.4): more than its events tell."""

from typing import Final

from receiver.diagnosis.coverage import OPEN_END_MS
from receiver.diagnosis.rules.looked import (
    MEDIA_GONE_MS,
    fades_ms,
    finding_of,
    found,
    media_lost_ms,
    seen_by_probe,
    seen_in_studio,
    session_look,
    snapshot_of,
)
from receiver.diagnosis.state import Recording, StreamState
from receiver.diagnosis.values import Condition, Evidence
from receiver.diagnosis.verdicts import clock, seen, span, true

TYPE: Final = "recording_not_available"
FAILURE_FADES_MS = 7 * 86_400_000
NOT_FOUND: Final = "Viewers who ask for the recording will not find it."
SHORTER_MS: Final = 30_000
"""A recording that lacks less than this of its session is whole: the last segments are cut as they fall."""
_REFUSED: Final = frozenset({"denied", "offline", "missing", "unreachable", "empty", "not_ready"})


def judge_ready(stream: StreamState, session: Recording, now_ms: int) -> Condition | None:
    """What may be wrong with a recording that is ready; None where nothing is known to be."""
    return _cut_short(session) or _unreachable(session, now_ms) or _wrong_place(stream, session)


def judge_lost(stream: StreamState, session: Recording, now_ms: int) -> Condition | None:
    """What is known to have gone wrong with a session whose end no event has told; None where nothing is."""
    return _stale(session) or _nothing_ingested(session) or _dead(stream, session, now_ms)


def judge_empty(session: Recording) -> Condition | None:
    """Whether an ended session held nothing to be recorded."""
    return _nothing_ingested(session)


def is_not_queued(session: Recording, since_ms: int) -> bool:
    """Whether the Studio API shows that no recording of the session is being made; a snapshot from before `since_ms`
    says nothing."""
    look = session_look(session)
    if session.seen is None or look is None or session.seen.last.at_ms < since_ms:
        return False
    return look.asset is False and look.recording_status in {"waiting", "none"}


def seen_of_session(session: Recording) -> tuple[Evidence, ...]:
    """The evidence that its last snapshot is."""
    look = session_look(session)
    if session.seen is None or look is None:
        return ()
    told = [f"recordingStatus {look.recording_status or 'absent'}"]
    told += [f"asset {look.asset_phase}"] if look.asset_phase else ["no asset"] if look.asset is False else []
    told += ["no media"] if look.source_segments == 0 else []
    return seen(session.seen.last, f"The Studio API at {clock(session.seen.last.at_ms)}: {', '.join(told)}.")


def _cut_short(session: Recording) -> Condition | None:
    """The encoder came back into the session after its recording had been made (FACTS 5)."""
    look = session_look(session)
    if look is None or session.seen is None or look.media_ms is None or look.asset_media_ms is None:
        return None
    made_ms, last_ms = look.asset_created_ms, look.last_seen_ms
    missing_ms = look.media_ms - look.asset_media_ms
    if made_ms is None or last_ms is None or last_ms <= made_ms or missing_ms <= SHORTER_MS:
        return None
    happened = (
        f"The recording holds {span(look.asset_media_ms)} of {span(look.media_ms)}: the session went on until "
        f"{clock(last_ms)}, after its recording was begun at {clock(made_ms)}. Viewers will miss the rest."
    )
    return true(
        TYPE, "SessionResumed", happened, certainty="confirmed", since_ms=made_ms, evidence=seen_of_session(session),
        next_check_ms=made_ms + FAILURE_FADES_MS,
    )  # fmt: skip


def _unreachable(session: Recording, now_ms: int) -> Condition | None:
    probed = session.probed
    ends_ms = fades_ms(probed)
    if probed is None or ends_ms is None or now_ms >= ends_ms or probed.finding.verdict not in _REFUSED:
        return None
    happened = (
        f"The recording is ready, but a probe found at {clock(probed.last.at_ms)}: {found(probed.finding)}. "
        f"Viewers cannot watch it."
    )
    return true(
        TYPE, "RecordingUnreachable", happened, certainty="confirmed", since_ms=probed.first.at_ms,
        evidence=seen(session.outcome) + seen_by_probe(probed), next_check_ms=ends_ms,
    )  # fmt: skip


def _wrong_place(stream: StreamState, session: Recording) -> Condition | None:
    """A recording has a playback id of its own, the asset's (FACTS 2.3)."""
    asked, newest = stream.requested, stream.sessions[-1] if stream.sessions else None
    if asked is None or stream.asked_for is None or stream.asked_for != stream.playback_id or newest is not session:
        return None
    if asked.at_ms < (session.since_ms or 0):
        return None
    happened = (
        f"The recording is ready, but was asked for at {clock(asked.at_ms)} by the stream's playback id, which plays "
        "the live stream. Who asks so finds nothing."
    )
    return true(
        TYPE, "WrongIdentifier", happened, certainty="confirmed", since_ms=asked.at_ms,
        evidence=seen(asked) + seen(session.outcome), next_check_ms=asked.at_ms + FAILURE_FADES_MS,
    )  # fmt: skip


def _stale(session: Recording) -> Condition | None:
    """Livepeer shows `none` once nothing was seen for three hours and nothing is being made: the idle was lost."""
    look = session_look(session)
    if session.seen is None or look is None or look.recording_status != "none":
        return None
    happened = (
        "Livepeer has given this session's recording up: its end was never noticed, so nothing was made of it. "
        f"{NOT_FOUND}"
    )
    since_ms = session.seen.last.at_ms if look.last_seen_ms is None else look.last_seen_ms + MEDIA_GONE_MS
    return true(
        TYPE, "StreamNotIdle", happened, certainty="confirmed", since_ms=since_ms,
        evidence=seen(session.started) + seen_of_session(session), next_check_ms=since_ms + FAILURE_FADES_MS,
    )  # fmt: skip


def _nothing_ingested(session: Recording) -> Condition | None:
    """Segments are counted 50 s late (FACTS 4): a session that was seen since says nothing yet."""
    look, seen_last = session_look(session), session.seen
    if seen_last is None or look is None or look.source_segments != 0 or session.state == "ready":
        return None
    began_ms = look.created_ms if look.created_ms is not None else session.started_ms
    last_ms = max(began_ms or 0, look.last_seen_ms or 0)
    if seen_last.last.at_ms - last_ms <= MEDIA_GONE_MS:
        return None
    happened = f"The session of {clock(began_ms or 0)} never received media, so there is nothing to be recorded."
    return true(
        TYPE, "NothingIngested", happened, certainty="confirmed", since_ms=last_ms + MEDIA_GONE_MS,
        evidence=seen(session.started) + seen_of_session(session),
        next_check_ms=last_ms + MEDIA_GONE_MS + FAILURE_FADES_MS,
    )  # fmt: skip


def _dead(stream: StreamState, session: Recording, now_ms: int) -> Condition | None:
    """The newest session is not over for Livepeer, and its media is gone."""
    newest = stream.sessions[-1] if stream.sessions else None
    studio = snapshot_of(stream, now_ms, stream.live_since_ms or 0)
    lost_ms = None if studio is None else media_lost_ms(studio)
    if studio is None or lost_ms is None or newest is not session:
        return None
    probed = finding_of(stream, now_ms, stream.live_since_ms or 0)
    if probed is not None and probed.finding.verdict == "plays":
        return None
    happened = (
        f"Livepeer takes the stream for active, but has seen nothing of it since "
        f"{clock(studio.look.last_seen_ms or 0)}; no recording is made while that is so. {NOT_FOUND}"
    )
    return true(
        TYPE, "StreamNotIdle", happened, certainty="confirmed", since_ms=lost_ms,
        evidence=seen(session.started) + seen_in_studio(studio) + seen_by_probe(probed),
        next_check_ms=min(fades_ms(studio) or OPEN_END_MS, lost_ms + FAILURE_FADES_MS),
    )  # fmt: skip
