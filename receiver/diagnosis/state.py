"""What the machines remember of a stream and its sessions after folding their signals.

Frozen, bounded, and made of nothing but the signals: the passing of time is no part of it (`judging` adds that).
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from receiver.diagnosis.looks import GateTally, PlaybackFinding, SessionLook, StreamLook
from receiver.diagnosis.values import Report, Signal

BroadcastState: TypeAlias = Literal["idle", "announced", "live", "lost", "deleted"]
RecordingState: TypeAlias = Literal["recording", "ending", "processing", "ready", "failed", "missing", "deleted", "off"]


class Mark(Struct, frozen=True, gc=False, omit_defaults=True):
    """A signal that something rests on."""

    id: str
    kind: str
    at_ms: int

    @classmethod
    def of(cls, signal: Signal) -> "Mark":
        """The mark that this signal leaves."""
        return cls(signal.id, signal.kind, signal.at_ms)


class Attempt(Struct, frozen=True, gc=False, omit_defaults=True):
    """A run of attempts to publish, each within the time in which the one before could still start the stream."""

    first: Mark
    last: Mark
    count: int
    report: Report
    while_live: bool


class Drop(Struct, frozen=True, gc=False, omit_defaults=True):
    """A push that started and was idle again within seconds, with no sign of media so far."""

    started: Mark
    idled: Mark


class Reports(Struct, frozen=True, gc=False, omit_defaults=True):
    """A run of like reports by players, no pause in it longer than the time for which a report counts."""

    first: Mark
    last: Mark
    count: int
    report: Report


class StudioSeen(Struct, frozen=True, gc=False, omit_defaults=True):
    """The last snapshot of the stream, and the first of the run of snapshots that say the same. `grew` says whether
    segments had come in since the one before, or since the last event that counted them."""

    first: Mark
    last: Mark
    look: StreamLook
    grew: bool = False


class SessionSeen(Struct, frozen=True, gc=False, omit_defaults=True):
    """The last snapshot of the session."""

    last: Mark
    look: SessionLook


class Probed(Struct, frozen=True, gc=False, omit_defaults=True):
    """The last finding of one way of asking (with which credential, with an origin or not), and the first of the run of
    findings that say the same."""

    first: Mark
    last: Mark
    finding: PlaybackFinding


class Decided(Struct, frozen=True, gc=False, omit_defaults=True):
    """What our gates decided about the stream lately: in the present stretch of time, as long as reports count, and in
    the one before. `failing` is the first and the last of the tallies with faults that came without a long pause."""

    first: Mark
    last: Mark
    present: GateTally
    before: GateTally | None = None
    failing: tuple[Mark, Mark] | None = None

    @property
    def tally(self) -> GateTally:
        """All of it, added up."""
        return self.present if self.before is None else self.before.plus(self.present)


class Caller(Struct, frozen=True, gc=False, omit_defaults=True):
    """A webhook that has told us of this stream: since when (time at the source), and which events."""

    webhook_id: str
    first_ms: int
    events: tuple[str, ...]


class Recording(Struct, frozen=True, gc=False, omit_defaults=True):
    """One session and its recording. `successor` is the newer session's start; `queued_ms` is the first attempt to
    deliver `recording.waiting`, whose own time is the session's first idle (FACTS 12); `outcome` is what
    ended its processing, `failed` the failure that still stands."""

    session_id: str
    state: RecordingState = "recording"
    since_ms: int | None = None
    started: Mark | None = None
    started_ms: int | None = None
    idled: Mark | None = None
    successor: Mark | None = None
    queued: Mark | None = None
    queued_ms: int | None = None
    progress: Mark | None = None
    outcome: Mark | None = None
    failed: Mark | None = None
    retry_message: str | None = None
    error_message: str | None = None
    recording_url: str | None = None
    recorded: bool = False
    unannounced: Mark | None = None
    queued_by: tuple[str, ...] = ()
    ready: Mark | None = None
    ready_ms: int | None = None
    ready_by: tuple[str, ...] = ()
    seen: SessionSeen | None = None
    probed: Probed | None = None


class StreamState(Struct, frozen=True, gc=False, omit_defaults=True):
    """One stream with its sessions, or an orphaned session whose stream is not known yet (`stream_id` is None).
    `reported_ms` is when it was last reported of; `asked_for` is by which id its recording was asked for;
    `listed` is the last snapshot that names its newest session."""

    stream_id: str | None
    broadcast: BroadcastState = "idle"
    since_ms: int | None = None
    name: str | None = None
    playback_id: str | None = None
    record: bool | None = None
    suspended: bool = False
    source_segments: int | None = None
    last_event: Mark | None = None
    started: Mark | None = None
    live_since_ms: int | None = None
    idled: Mark | None = None
    deleted: Mark | None = None
    media_ms: int | None = None
    attempt: Attempt | None = None
    drops: tuple[Drop, ...] = ()
    forbidden: Reports | None = None
    manifest: Reports | None = None
    played: Mark | None = None
    playable_since_ms: int | None = None
    allowed_since_ms: int | None = None
    requested: Mark | None = None
    callers: tuple[Caller, ...] = ()
    sessions: tuple[Recording, ...] = ()
    reported_ms: int | None = None
    asked_for: str | None = None
    studio: StudioSeen | None = None
    listed: StudioSeen | None = None
    probed: tuple[Probed, ...] = ()
    gate: Decided | None = None
