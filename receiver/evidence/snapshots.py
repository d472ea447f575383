"""Snapshots: objects of the Studio API as they are now (FACTS 9). What the API does not answer is no snapshot."""

from dataclasses import dataclass
from typing import Final, get_args

from receiver.diagnosis.looks import RecordingStatus, SessionLook, StreamLook
from receiver.livepeer.redaction import redact_text
from receiver.livepeer.studio import StudioClient
from receiver.livepeer.studio.failures import Invalid, NotFound, UserSuspended
from receiver.livepeer.studio.objects import Asset, Policy, Session, Stream

_LONGEST: Final = 500
_STATUSES: Final[dict[str, RecordingStatus]] = {status: status for status in get_args(RecordingStatus)}


async def look_at_stream(
    client: StudioClient, stream_id: str, playback_id: str | None, *, with_sessions: bool = False
) -> StreamLook:
    """The stream, and what decides about it: its policy's webhook; what its playback info answers, where it is missing
    or suspended; `with_sessions`, its newest session. Raises StudioError where the API does not tell."""
    try:
        stream = await client.stream(stream_id)
    except NotFound:
        return StreamLook("missing", playback_status=await _playback_status(client, playback_id))
    except UserSuspended:
        return StreamLook("user_suspended")
    status = await _playback_status(client, stream.playback_id) if stream.suspended else None
    newest = await _newest_session(client, stream_id) if with_sessions else None
    return _stream_look(stream, await _gate(client, stream.playback_policy), status, newest)


async def look_at_session(client: StudioClient, session_id: str) -> SessionLook:
    """The session, and the asset that is its recording. Raises StudioError where the API does not tell."""
    try:
        session = await client.session(session_id)
    except NotFound:
        return SessionLook("missing", session_id)
    except UserSuspended:
        return SessionLook("user_suspended", session_id)
    try:
        asset = await client.asset(session_id)
    except NotFound:
        return _session_look(session, None)
    return _session_look(session, asset)


async def _playback_status(client: StudioClient, playback_id: str | None) -> int | None:
    """What the playback info answers: the API tells it everybody, so it tells of other projects, too."""
    if playback_id is None:
        return None
    try:
        await client.playback(playback_id)
    except NotFound:
        return 404
    except Invalid as error:
        return error.status
    return 200


@dataclass(frozen=True, slots=True)
class _Gate:
    """What stands behind a policy that asks a webhook; `exists` is None where it asks none."""

    exists: bool | None = None
    triggered_ms: int | None = None
    failed_ms: int | None = None
    failure: str | None = None


async def _gate(client: StudioClient, policy: Policy | None) -> _Gate:
    if policy is None or policy.type != "webhook" or policy.webhook_id is None:
        return _Gate()
    try:
        status = (await client.webhook(policy.webhook_id)).status
    except NotFound:
        return _Gate(exists=False)
    failure = None if status is None else status.last_failure
    return _Gate(
        exists=True,
        triggered_ms=None if status is None else status.last_triggered_ms,
        failed_ms=None if failure is None else failure.at_ms,
        failure=None if failure is None else f"HTTP {failure.status_code}" if failure.status_code else "no answer",
    )


@dataclass(frozen=True, slots=True)
class _Newest:
    """A stream's newest session: when it began and was last seen, and whether there is any (`count` is 1 or 0)."""

    count: int
    began_ms: int | None = None
    seen_ms: int | None = None


async def _newest_session(client: StudioClient, stream_id: str) -> _Newest:
    async for session in client.sessions(stream_id):
        return _Newest(1, session.created_ms, session.last_seen_ms or None)
    return _Newest(0)


def _stream_look(
    stream: Stream,
    gate: _Gate,
    playback_status: int | None,
    newest: _Newest | None,
) -> StreamLook:
    policy = stream.playback_policy
    return StreamLook(
        standing="found",
        playback_status=playback_status,
        playback_id=stream.playback_id,
        key_digest=stream.key_digest,
        is_active=stream.is_active,
        last_seen_ms=stream.last_seen_ms or None,
        last_terminated_ms=stream.last_terminated_ms,
        is_healthy=stream.is_healthy,
        issues=redact_text(", ".join(stream.issues))[:_LONGEST] or None,
        record=stream.record,
        suspended=stream.suspended,
        source_segments=stream.source_segments,
        transcoded_segments=stream.transcoded_segments,
        renditions=len(stream.profiles) + 1 if stream.profiles else None,
        newest_session_ms=None if newest is None else newest.began_ms,
        newest_session_seen_ms=None if newest is None else newest.seen_ms,
        sessions=None if newest is None else newest.count,
        policy="public" if policy is None or policy.type is None else policy.type,
        origins=() if policy is None else policy.allowed_origins,
        gate_exists=gate.exists,
        gate_triggered_ms=gate.triggered_ms,
        gate_failed_ms=gate.failed_ms,
        gate_failure=gate.failure,
    )


def _session_look(session: Session, asset: Asset | None) -> SessionLook:
    work = None if asset is None else asset.status
    return SessionLook(
        standing="found",
        session_id=session.id,
        recording_status=_STATUSES.get(session.recording_status or ""),
        recording_url=session.recording_url,
        record=session.record,
        created_ms=session.created_ms,
        last_seen_ms=session.last_seen_ms or None,
        source_segments=session.source_segments,
        media_ms=_ms(session.source_duration_s),
        asset=asset is not None,
        asset_phase=None if work is None else work.phase,
        asset_created_ms=None if asset is None else asset.created_ms,
        asset_media_ms=None if asset is None or asset.video is None else _ms(asset.video.duration_s),
        error_message=None if work is None or work.error_message is None else redact_text(work.error_message),
        progress=None if work is None else work.progress,
    )


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
