"""What an envelope or an observation is to the state machines: where it belongs, when it stands, what it says.

Pure. The inbox asks for the routing before the answer; the diagnoser reads the whole signal behind the commit, from
the stored raw body, so that every conclusion can be rebuilt from the log.

Values that do not have the type FACTS gives them are read as absent: the sender may change, and a signed body is
stored whatever it says.
"""

from collections.abc import Mapping
from typing import get_args

from msgspec import Struct

from receiver.diagnosis.ordering import position
from receiver.diagnosis.players import classify
from receiver.diagnosis.values import Phase, PlaybackError, Report, SessionFacts, Signal, StreamFacts, WorkFacts
from receiver.livepeer.body import Payload, Session, Snapshot, Status, Stream
from receiver.livepeer.envelope import Envelope
from receiver.livepeer.reading import (
    MAX_ID_LENGTH,
    read_boolean,
    read_integer,
    read_milliseconds,
    read_name,
    read_number,
    read_text,
)
from receiver.redaction import redact_text

_LONGEST_URL, _LONGEST_REPORT, _LONGEST_MESSAGE = 2000, 2000, 1000

_PHASES: Mapping[str, Mapping[str, Phase]] = {
    "asset": {
        "uploading": "working",
        "waiting": "working",
        "processing": "working",
        "ready": "ready",
        "failed": "failed",
        "deleting": "deleted",
        "deleted": "deleted",
    },
    "task": {
        "pending": "working",
        "waiting": "working",
        "running": "working",
        "completed": "ready",
        "failed": "failed",
        "cancelled": "failed",
    },
}
"""Of the two kinds of work on a recording: what a phase in its snapshot means."""
_CERTAIN_PHASES: Mapping[str, Phase] = {
    "asset.ready": "ready",
    "asset.failed": "failed",
    "asset.deleted": "deleted",
    "task.completed": "ready",
    "task.failed": "failed",
}
"""The event's name wins over the phase in its snapshot: `asset.deleted` shows the asset before the deletion."""
_OF_WORK = ("asset.", "task.")
_NO_STATUS = Status()
_ERRORS: tuple[PlaybackError, ...] = get_args(PlaybackError)


class Route(Struct, frozen=True, gc=False):
    """Where a signal belongs and stands, known before its machines look at it."""

    kind: str
    stream_id: str | None
    session_id: str | None
    playback_id: str | None
    position: str
    at_ms: int
    created_ms: int
    attempted_ms: int


def route(envelope: Envelope) -> Route:
    """Where an event belongs: by its stream, its session, or the asset that is the session's recording (FACTS 2.3)."""
    event, work = envelope.event, _work(envelope)
    at_ms = _standing(envelope, work)
    return Route(
        event,
        _stream_id(envelope),
        _session_id(envelope, work),
        None,
        position(at_ms, event, envelope.id),
        at_ms,
        envelope.created_ms,
        envelope.timestamp_ms,
    )


def read_event(
    envelope: Envelope, attempted_ms: int, stream_id: str | None, known_position: str | None = None
) -> Signal:
    """The signal that an event is. `attempted_ms` is the lowest of all its deliveries; `stream_id` is the stream
    that it was found to belong to, which an asset or a task does not say itself; `known_position` is where it stands,
    if that is known already."""
    event, stream, work = envelope.event, envelope.stream, _work(envelope)
    at_ms, of_child = _standing(envelope, work), stream is not None and read_name(stream.parent_id) is not None
    return Signal(
        id=envelope.id,
        kind=event,
        at_ms=at_ms,
        attempted_ms=attempted_ms,
        position=known_position or position(at_ms, event, envelope.id),
        webhook_id=envelope.webhook_id,
        stream_id=stream_id or _stream_id(envelope),
        session_id=_session_id(envelope, work),
        created_ms=envelope.created_ms,
        playback_id=None,
        stream=None if of_child or stream is None else _stream_facts(stream),
        session=_session_facts(envelope.payload),
        work=_work_facts(envelope, work),
        report=None,
        of_child=of_child,
    )


def read_observation(signal_id: str, stored: Mapping[str, object], stream_id: str | None) -> Signal:
    """The signal that a stored observation is (`receiver.observations` writes the stored form)."""
    kind = f"observation.{stored['kind']}"
    at_ms = read_integer(stored.get("at_ms")) or 0
    http_status, message = read_integer(stored.get("http_status")), read_text(stored.get("message"), _LONGEST_REPORT)
    playback_id = read_name(stored.get("playback_id"))
    return Signal(
        id=signal_id,
        kind=kind,
        at_ms=at_ms,
        attempted_ms=at_ms,
        position=position(at_ms, kind, signal_id),
        stream_id=stream_id,
        session_id=read_name(stored.get("session_id")),
        playback_id=playback_id,
        created_ms=at_ms,
        report=Report(
            error=_playback_error(stored, http_status, message),
            http_status=http_status,
            message=message,
            key_prefix_matches=read_boolean(stored.get("key_prefix_matches")),
            key_is_playback_id=read_boolean(stored.get("key_is_playback_id")),
            identifier=playback_id,
            key_digest=read_name(stored.get("key_digest")),
            ingest_path_is_live=read_boolean(stored.get("ingest_path_is_live")),
        ),
    )


def _standing(envelope: Envelope, work: Snapshot | None) -> int:
    """Work on a recording stands where its status was written: `asset.created` carries the session's start as its
    `createdAt` (FACTS 12). A deletion leaves the status as it was, so it stands at its own time."""
    if work is None or work.status is None or envelope.event == "asset.deleted":
        return envelope.created_ms
    updated_ms = read_milliseconds(work.status.updated_at)
    return envelope.created_ms if updated_ms is None else updated_ms


def _stream_id(envelope: Envelope) -> str | None:
    stream, session = envelope.stream, _session(envelope)
    named = None if session is None else read_name(session.parent_id)
    return named if named or stream is None else read_name(stream.parent_id) or read_name(stream.id)


def _session_id(envelope: Envelope, work: Snapshot | None) -> str | None:
    """The session that an event is about. A clip's asset has an id of its own: it is not the session's recording, and
    a `recording.ready` that a clip emitted is not about it either (DESIGN 4)."""
    if work is not None:
        return _recorded_session(work) if envelope.event.startswith("asset.") else read_name(work.output_asset_id)
    session = _session(envelope)
    if session is None or envelope.event.startswith(_OF_WORK):
        return None
    session_id, asset_id = read_name(session.id), read_name(session.asset_id)
    return None if asset_id is not None and asset_id != session_id else session_id


def _session(envelope: Envelope) -> Session | None:
    return None if envelope.payload is None else envelope.payload.session


def _recorded_session(asset: Snapshot) -> str | None:
    asset_id, source = read_name(asset.id), asset.source
    if source is None or source.type != "recording" or read_name(source.session_id) not in {None, asset_id}:
        return None
    return asset_id


def _work(envelope: Envelope) -> Snapshot | None:
    """The asset or task that an event is of, under `payload.asset.snapshot`, or flattened for webhooks made before
    2024-07-28."""
    payload = envelope.payload
    if payload is None or not envelope.event.startswith(_OF_WORK):
        return None
    work = payload.asset if envelope.event.startswith("asset.") else payload.task
    return payload.snapshot if work is None or work.snapshot is None else work.snapshot


def _stream_facts(stream: Stream) -> StreamFacts:
    return StreamFacts(
        name=read_text(stream.name, MAX_ID_LENGTH),
        playback_id=read_name(stream.playback_id),
        record=stream.record,
        suspended=stream.suspended,
        deleted=stream.deleted is True,
        source_segments=read_integer(stream.source_segments),
    )


def _session_facts(payload: Payload | None) -> SessionFacts | None:
    session = None if payload is None else payload.session
    session_id = None if session is None else read_name(session.id)
    if payload is None or session is None or session_id is None:
        return None
    return SessionFacts(
        id=session_id,
        started_ms=read_milliseconds(session.created_at),
        record=session.record,
        recording_url=read_text(payload.recording_url, _LONGEST_URL) or read_text(session.recording_url, _LONGEST_URL),
    )


def _work_facts(envelope: Envelope, work: Snapshot | None) -> WorkFacts | None:
    event = envelope.event
    if not event.startswith(_OF_WORK):
        return None
    status = _NO_STATUS if work is None or work.status is None else work.status
    phase = _CERTAIN_PHASES.get(event) or _PHASES[event.partition(".")[0]].get(read_name(status.phase) or "", "working")
    if event == "task.completed" and envelope.payload is not None and envelope.payload.success is False:
        phase = "failed"
    message = read_text(status.error_message, _LONGEST_MESSAGE)
    return WorkFacts(
        phase=phase,
        error_message=None if message is None else redact_text(message),
        progress=read_number(status.progress),
        playback_url=None if work is None else read_text(work.playback_url, _LONGEST_URL),
    )


def _playback_error(stored: Mapping[str, object], http_status: int | None, message: str | None) -> PlaybackError | None:
    """What a player met: as the operator says, else as its status and message tell; None where no player is told of."""
    if stored["kind"] != "playback_error":
        return None
    given = stored.get("error")
    return next((error for error in _ERRORS if error == given), None) or classify(http_status, message)
