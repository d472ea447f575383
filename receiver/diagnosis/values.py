"""The values that the state machines consume and produce.

All are frozen; all times are integer Unix milliseconds (`_ms`). Nothing here, nor anywhere else in this
package, asks for the time, does I/O or draws a random number.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from receiver.diagnosis.looks import Look

Status: TypeAlias = Literal["true", "false", "unknown"]
Certainty: TypeAlias = Literal["suspected", "confirmed"]
Severity: TypeAlias = Literal["info", "warning", "critical"]
SubjectKind: TypeAlias = Literal["stream", "session", "webhook", "endpoint"]
ConditionType: TypeAlias = Literal[
    "rtmp_push_rejected",
    "hls_manifest_empty",
    "playback_forbidden",
    "recording_not_available",
    "webhook_not_firing",
]
Phase: TypeAlias = Literal["working", "ready", "failed", "deleted"]
PlaybackError: TypeAlias = Literal["forbidden", "empty_manifest", "offline", "other"]


class Subject(Struct, frozen=True, gc=False):
    """What a condition is about. The endpoint is a single subject, its id is `endpoint`."""

    kind: SubjectKind
    id: str


ENDPOINT = Subject("endpoint", "endpoint")


class StreamFacts(Struct, frozen=True, gc=False):
    """What an event's `stream` object tells that its event does not contradict. `isActive` is not here: it is
    read when the event is fanned out and contradicts it under load (FACTS 12)."""

    name: str | None = None
    playback_id: str | None = None
    record: bool | None = None
    suspended: bool | None = None
    deleted: bool = False
    source_segments: int | None = None


class SessionFacts(Struct, frozen=True, gc=False):
    """What an event's `payload.session` tells. Its `recordingStatus` is not here: `recording.waiting` says
    `ready` while nothing is ready (FACTS 5)."""

    id: str
    started_ms: int | None = None
    record: bool | None = None
    recording_url: str | None = None


class WorkFacts(Struct, frozen=True, gc=False):
    """What an asset or a task tells about the processing of the session's recording."""

    phase: Phase
    error_message: str | None = None
    progress: float | None = None
    playback_url: str | None = None


class Report(Struct, frozen=True, gc=False, omit_defaults=True):
    """What an observation of the operator's own systems tells.

    `key_prefix_matches` is false when the stream key that the encoder used does not begin with the first four
    characters of the stream's id, `key_is_playback_id` is true when it has the form of a playback id
    (FACTS 2.3); both are None when no key was reported, as is `key_digest`, its keyed digest. `ingest_path_is_live` is
    false when the encoder's URL is not `/live/` and a key (FACTS 6). `identifier` is what the player was given.
    """

    error: PlaybackError | None = None
    http_status: int | None = None
    message: str | None = None
    key_prefix_matches: bool | None = None
    key_is_playback_id: bool | None = None
    identifier: str | None = None
    key_digest: str | None = None
    ingest_path_is_live: bool | None = None


class Signal(Struct, frozen=True, gc=False):
    """One thing that the machines consume: an event, an observation, or what we saw ourselves (`look`).

    `at_ms` is where it stands in time at its source; `attempted_ms` is the lowest attempt time (`timestamp`)
    of all its deliveries, or `at_ms` where there is no such thing. `webhook_id` is empty for what no webhook
    brought. The same `id` may come once per webhook: steps count it once.
    """

    id: str
    kind: str
    at_ms: int
    attempted_ms: int
    position: str
    webhook_id: str = ""
    stream_id: str | None = None
    session_id: str | None = None
    playback_id: str | None = None
    created_ms: int | None = None
    stream: StreamFacts | None = None
    session: SessionFacts | None = None
    work: WorkFacts | None = None
    report: Report | None = None
    of_child: bool = False
    look: Look | None = None


class Evidence(Struct, frozen=True, gc=False, omit_defaults=True):
    """One thing that a condition rests on; `text` is for people, the rest leads back to the signal."""

    kind: str
    id: str
    at_ms: int
    text: str


class Condition(Struct, frozen=True, gc=False, omit_defaults=True):
    """One symptom of one subject. `since_ms` is since when it is so for this reason: it comes from source or deadline
    times, and more of the same does not move it; `next_check_ms` is when the passing of time alone may change it."""

    type: ConditionType
    status: Status
    reason: str
    message: str
    certainty: Certainty | None = None
    severity: Severity = "warning"
    since_ms: int | None = None
    observed_at_ms: int | None = None
    evidence: tuple[Evidence, ...] = ()
    next_check_ms: int | None = None
    muted_by: str | None = None


class Limits(Struct, frozen=True, gc=False):
    """How long things may take before their absence means something (DESIGN 5), all in milliseconds; and whether we can
    ask the Studio API, and probe what viewers get."""

    publish_start_within_ms: int = 30_000
    push_dropped_within_ms: int = 10_000
    first_segment_within_ms: int = 10_000
    recording_queued_within_ms: int = 420_000
    recording_ready_within_ms: int = 900_000
    max_broadcast_ms: int | None = None
    delivery_grace_ms: int = 60_000
    report_ttl_ms: int = 600_000
    asks_studio: bool = False
    probes: bool = False
