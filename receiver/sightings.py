"""What we saw ourselves as a signal of the log: how a snapshot, a finding or a gate's tally is stored and read back.

Pure. The stored form is the value itself as JSON, with its `kind`.
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
    Look,
    PlaybackFinding,
    SessionLook,
    StreamLook,
)
from receiver.diagnosis.ordering import position
from receiver.diagnosis.values import Phase, SessionFacts, Signal, StreamFacts, WorkFacts

_encode: Final = Encoder().encode
_LOOK: Final[Decoder[Look]] = Decoder(Look)
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
    return str(look.__struct_config__.tag)


def stored_form(look: Look) -> bytes:
    """What is stored of it."""
    return _encode(look)


def read_look(body: bytes) -> Look:
    """What was seen, from its stored form. Raises ValueError for what is no such thing."""
    return _LOOK.decode(body)


def signal_of(signal_id: str, at_ms: int, look: Look, stream_id: str | None) -> Signal:
    """The signal that seeing this at `at_ms` is."""
    kind = kind_of(look)
    return Signal(
        id=signal_id,
        kind=kind,
        at_ms=at_ms,
        attempted_ms=at_ms,
        position=position(at_ms, kind, signal_id),
        stream_id=stream_id,
        session_id=session_of(look),
        created_ms=at_ms,
        stream=_stream_facts(look),
        session=_session_facts(look),
        work=_work_facts(look),
        look=look,
    )


def session_of(look: Look) -> str | None:
    """The session that it is about, where it is about one."""
    return look.session_id if isinstance(look, SessionLook | PlaybackFinding) else None


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


def _session_facts(look: Look) -> SessionFacts | None:
    if not isinstance(look, SessionLook) or look.standing != "found":
        return None
    return SessionFacts(look.session_id, look.created_ms, look.record, look.recording_url)


def _work_facts(look: Look) -> WorkFacts | None:
    """Where the recording stands: as its asset says, else the session. `waiting` says nothing, for a session says so
    while it is live (FACTS 5)."""
    if not isinstance(look, SessionLook):
        return None
    phase = _PHASES.get(look.recording_status or "")
    if phase is None and look.asset_phase in _AT_WORK:
        phase = "working"
    return None if phase is None else WorkFacts(phase, look.error_message, look.progress, look.recording_url)
