"""What we saw ourselves as a signal of the log: how a snapshot, a finding or a gate's tally is stored and read back.

Pure. The stored form is the value itself as JSON; of what kind it is stands beside it.
"""

from collections.abc import Mapping
from typing import Final

from msgspec.json import Decoder, Encoder

from receiver.diagnosis.looks import (
    FINDING,
    GATE,
    SNAPSHOT_OF_SESSION,
    SNAPSHOT_OF_STREAM,
    SNAPSHOT_OF_WEBHOOK,
    GateTally,
    Look,
    PlaybackFinding,
    SessionLook,
    StreamLook,
    WebhookLook,
)
from receiver.diagnosis.ordering import position
from receiver.diagnosis.values import Phase, SessionFacts, Signal, StreamFacts, WorkFacts

_encode: Final = Encoder().encode
_DECODERS: Final[Mapping[str, Decoder[Look]]] = {
    SNAPSHOT_OF_STREAM: Decoder(StreamLook),
    SNAPSHOT_OF_SESSION: Decoder(SessionLook),
    SNAPSHOT_OF_WEBHOOK: Decoder(WebhookLook),
    FINDING: Decoder(PlaybackFinding),
    GATE: Decoder(GateTally),
}
_REGISTRATION: Final = Decoder(WebhookLook)
_KINDS: Final[Mapping[type[Look], str]] = {
    StreamLook: SNAPSHOT_OF_STREAM,
    SessionLook: SNAPSHOT_OF_SESSION,
    WebhookLook: SNAPSHOT_OF_WEBHOOK,
    PlaybackFinding: FINDING,
    GateTally: GATE,
}
SOURCES: Final[Mapping[str, str]] = {
    SNAPSHOT_OF_STREAM: "studio_api",
    SNAPSHOT_OF_SESSION: "studio_api",
    SNAPSHOT_OF_WEBHOOK: "studio_api",
    FINDING: "probe",
    GATE: "gate",
}
"""Where each kind comes from, in the catalogue's words for evidence."""
_PHASES: Final[Mapping[str, Phase]] = {"ready": "ready", "failed": "failed", "deleted": "deleted"}
_AT_WORK: Final = frozenset({"uploading", "processing"})


def kind_of(look: Look) -> str:
    """The kind of signal that it is."""
    return _KINDS[type(look)]


def stored_form(look: Look) -> bytes:
    """What is stored of it."""
    return _encode(look)


def read_sighting(
    signal_id: str, kind: str, at_ms: int, body: bytes, stream_id: str | None, session_id: str | None
) -> Signal:
    """The signal that a stored sighting is. Raises ValueError for what is no such thing."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise ValueError(f"`{kind}` is no kind of what is seen")
    return signal_of(signal_id, at_ms, decoder.decode(body), stream_id, session_id)


def read_registration(body: bytes) -> WebhookLook:
    """The snapshot of a webhook that is stored so. Raises ValueError for what is no such thing."""
    return _REGISTRATION.decode(body)


def signal_of(signal_id: str, at_ms: int, look: Look, stream_id: str | None, session_id: str | None) -> Signal:
    """The signal that seeing this at `at_ms` is."""
    kind = kind_of(look)
    return Signal(
        id=signal_id,
        kind=kind,
        at_ms=at_ms,
        attempted_ms=at_ms,
        position=position(at_ms, kind, signal_id),
        stream_id=stream_id,
        session_id=session_id,
        created_ms=at_ms,
        stream=_stream_facts(look),
        session=_session_facts(look, session_id),
        work=_work_facts(look),
        look=look,
    )


def _stream_facts(look: Look) -> StreamFacts | None:
    """What a snapshot tells of the stream as its events do. That it is missing is no deletion: the key may be another
    project's (FACTS 9)."""
    if not isinstance(look, StreamLook) or look.standing != "found":
        return None
    return StreamFacts(
        playback_id=look.playback_id,
        record=look.record,
        suspended=look.suspended,
        source_segments=look.source_segments,
    )


def _session_facts(look: Look, session_id: str | None) -> SessionFacts | None:
    if not isinstance(look, SessionLook) or look.standing != "found" or session_id is None:
        return None
    return SessionFacts(session_id, look.created_ms, look.record, look.recording_url)


def _work_facts(look: Look) -> WorkFacts | None:
    """Where the recording stands: as its asset says, else the session. `waiting` says nothing, for a session says so
    while it is live (FACTS 5)."""
    if not isinstance(look, SessionLook):
        return None
    phase = _PHASES.get(look.recording_status or "")
    if phase is None and look.asset_phase in _AT_WORK:
        phase = "working"
    return None if phase is None else WorkFacts(phase, look.error_message, look.progress, look.recording_url)
