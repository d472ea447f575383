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
from receiver.livepeer.envelope import Envelope
from receiver.redaction import redact_text

MAX_ID_LENGTH = 200
_FOR_PEOPLE = frozenset({"name"})
LATEST_MS = 10**14
"""Times beyond it (the year 5138) are no times."""

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
    event = envelope.event
    session, work = _mapping(envelope.payload, "session"), _work(envelope)
    at_ms = _standing(envelope, work)
    return Route(
        event,
        _stream_id(session, envelope.stream),
        _session_id(event, session, work),
        None,
        position(at_ms, event, envelope.id),
        at_ms,
        envelope.created_ms,
        envelope.timestamp_ms,
    )


def read_event(envelope: Envelope, attempted_ms: int, stream_id: str | None, where: Route | None = None) -> Signal:
    """The signal that an event is. `attempted_ms` is the lowest of all its deliveries; `stream_id` is the stream
    that it was found to belong to, which an asset or a task does not say itself; `where` is its route, if that is
    known already."""
    where = where or route(envelope)
    session, of_child = _mapping(envelope.payload, "session"), _text(envelope.stream, "parentId") is not None
    return Signal(
        id=envelope.id,
        kind=envelope.event,
        at_ms=where.at_ms,
        attempted_ms=attempted_ms,
        position=where.position,
        webhook_id=envelope.webhook_id,
        stream_id=stream_id or where.stream_id,
        session_id=where.session_id,
        created_ms=envelope.created_ms,
        playback_id=None,
        stream=None if of_child else _stream_facts(envelope.stream),
        session=_session_facts(session, envelope.payload),
        work=_work_facts(envelope),
        report=None,
        of_child=of_child,
    )


def read_observation(signal_id: str, stored: Mapping[str, object], stream_id: str | None) -> Signal:
    """The signal that a stored observation is (`receiver.observations` writes the stored form)."""
    kind = f"observation.{stored['kind']}"
    at_ms = _integer(stored, "at_ms") or 0
    http_status, message = _integer(stored, "http_status"), _text(stored, "message", longest=2000)
    return Signal(
        id=signal_id,
        kind=kind,
        at_ms=at_ms,
        attempted_ms=at_ms,
        position=position(at_ms, kind, signal_id),
        stream_id=stream_id,
        session_id=_text(stored, "session_id"),
        playback_id=_text(stored, "playback_id"),
        created_ms=at_ms,
        report=Report(
            error=_playback_error(stored, http_status, message),
            http_status=http_status,
            message=message,
            key_prefix_matches=_boolean(stored, "key_prefix_matches"),
            key_is_playback_id=_boolean(stored, "key_is_playback_id"),
            identifier=_text(stored, "playback_id"),
        ),
    )


def _standing(envelope: Envelope, work: Mapping[str, object] | None) -> int:
    """Work on a recording stands where its status was written: `asset.created` carries the session's start as its
    `createdAt` (FACTS 12). A deletion leaves the status as it was, so it stands at its own time."""
    if work is None or envelope.event == "asset.deleted":
        return envelope.created_ms
    updated_ms = _milliseconds(_mapping(work, "status"), "updatedAt")
    return envelope.created_ms if updated_ms is None else updated_ms


def _stream_id(session: Mapping[str, object] | None, stream: Mapping[str, object] | None) -> str | None:
    return _text(session, "parentId") or _text(stream, "parentId") or _text(stream, "id")


def _session_id(event: str, session: Mapping[str, object] | None, work: Mapping[str, object] | None) -> str | None:
    """The session that an event is about. A clip's asset has an id of its own: it is not the session's recording, and
    a `recording.ready` that a clip emitted is not about it either (DESIGN 4)."""
    if event.startswith("asset."):
        return _recorded_session(work)
    if event.startswith("task."):
        return _text(work, "outputAssetId")
    session_id, asset_id = _text(session, "id"), _text(session, "assetId")
    return None if asset_id is not None and asset_id != session_id else session_id


def _recorded_session(asset: Mapping[str, object] | None) -> str | None:
    asset_id, source = _text(asset, "id"), _mapping(asset, "source")
    if _text(source, "type") != "recording" or _text(source, "sessionId") not in {None, asset_id}:
        return None
    return asset_id


def _work(envelope: Envelope) -> Mapping[str, object] | None:
    """The asset or task that an event is of, under `payload.asset.snapshot`, or flattened for webhooks made before
    2024-07-28."""
    family, payload = envelope.event.partition(".")[0], envelope.payload
    if family not in _PHASES:
        return None
    work = _mapping(_mapping(payload, family), "snapshot")
    return _mapping(payload, "snapshot") if work is None else work


def _stream_facts(stream: Mapping[str, object] | None) -> StreamFacts | None:
    if stream is None:
        return None
    return StreamFacts(
        name=_text(stream, "name"),
        playback_id=_text(stream, "playbackId"),
        record=_boolean(stream, "record"),
        suspended=_boolean(stream, "suspended"),
        deleted=stream.get("deleted") is True,
        source_segments=_integer(stream, "sourceSegments"),
    )


def _session_facts(session: Mapping[str, object] | None, payload: Mapping[str, object] | None) -> SessionFacts | None:
    session_id = _text(session, "id")
    if session is None or session_id is None:
        return None
    return SessionFacts(
        id=session_id,
        started_ms=_milliseconds(session, "createdAt"),
        record=_boolean(session, "record"),
        recording_url=_text(payload, "recordingUrl", longest=2000) or _text(session, "recordingUrl", longest=2000),
    )


def _work_facts(envelope: Envelope) -> WorkFacts | None:
    phases = _PHASES.get(envelope.event.partition(".")[0])
    if phases is None:
        return None
    work = _work(envelope)
    status = _mapping(work, "status")
    phase = _CERTAIN_PHASES.get(envelope.event) or phases.get(_text(status, "phase") or "", "working")
    if envelope.event == "task.completed" and _boolean(envelope.payload, "success") is False:
        phase = "failed"
    message = _text(status, "errorMessage", longest=1000)
    return WorkFacts(
        phase=phase,
        error_message=None if message is None else redact_text(message),
        progress=_number(status, "progress"),
        playback_url=_text(work, "playbackUrl", longest=2000),
    )


def _playback_error(stored: Mapping[str, object], http_status: int | None, message: str | None) -> PlaybackError | None:
    """What a player met: as the operator says, else as its status and message tell; None where no player is told of."""
    if stored["kind"] != "playback_error":
        return None
    given = stored.get("error")
    return next((error for error in _ERRORS if error == given), None) or classify(http_status, message)


def _mapping(holder: Mapping[str, object] | None, key: str) -> Mapping[str, object] | None:
    value = None if holder is None else holder.get(key)
    return value if isinstance(value, dict) else None


def _text(holder: Mapping[str, object] | None, key: str, longest: int = MAX_ID_LENGTH) -> str | None:
    """A printable, non-empty string of at most `longest` characters; what is longer or not printable is mended where it
    is text for people, and is nothing where it would be an id or a name to look up."""
    if holder is None:
        return None
    value = holder.get(key)
    if not isinstance(value, str) or not value:
        return None
    if len(value) <= longest and value.isprintable():
        return value
    mended = "".join(c if c.isprintable() else " " for c in value[:longest])
    return mended if longest > MAX_ID_LENGTH or key in _FOR_PEOPLE else None


def _boolean(holder: Mapping[str, object] | None, key: str) -> bool | None:
    value = None if holder is None else holder.get(key)
    return value if isinstance(value, bool) else None


def _number(holder: Mapping[str, object] | None, key: str) -> float | None:
    value = None if holder is None else holder.get(key)
    if isinstance(value, float):
        return value
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else None


def _integer(holder: Mapping[str, object] | None, key: str) -> int | None:
    value = None if holder is None else holder.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else None


def _milliseconds(holder: Mapping[str, object] | None, key: str) -> int | None:
    value = _integer(holder, key)
    return value if value is not None and 0 <= value < LATEST_MS else None
