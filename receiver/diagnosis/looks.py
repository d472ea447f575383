"""What we saw ourselves: snapshots of objects in the Studio API, findings of probes, and what gates decided.

Each is one signal among the others. All times are integer Unix milliseconds (`_ms`); what was not said is None.
"""

from typing import Final, Literal, Self, TypeAlias

from msgspec import Struct

from receiver.diagnosis.frozen import replace

Standing: TypeAlias = Literal["found", "missing", "user_suspended"]
"""`missing` is a 404: deleted, or of another project than the key; `user_suspended` answers every call (FACTS 9)."""
PlaybackVerdict: TypeAlias = Literal[
    "plays",
    "degraded",
    "empty",
    "stalled",
    "denied",
    "offline",
    "missing",
    "not_ready",
    "unreachable",
    "unknown",
]
"""What a viewer would have got.

`plays`: segments, and new ones where the stream is live. `degraded`: it plays, but in nothing but the source's
rendition where more were expected. `empty`: a manifest without segments. `stalled`: segments, and no new ones for twice
their length. `denied`: access control refused. `offline`: there is such a stream, and no media. `missing`: Livepeer
knows no such playback id: it is wrong, or what it stood for is deleted or suspended. `not_ready`: it is being made, try
again. `unreachable`: whoever should answer did not, or with a fault. `unknown`: it could not be found out.
"""
Credential: TypeAlias = Literal["none", "jwt", "access_key"]
SecretStanding: TypeAlias = Literal["ours", "other", "none"]
RecordingStatus: TypeAlias = Literal["none", "waiting", "ready", "failed", "deleted"]


SNAPSHOT_OF_STREAM: Final = "snapshot.stream"
SNAPSHOT_OF_SESSION: Final = "snapshot.session"
SNAPSHOT_OF_WEBHOOK: Final = "snapshot.webhook"
FINDING: Final = "finding.playback"
GATE: Final = "gate.tally"
"""The kinds of signals that these are; each is the `kind` of its stored form."""


class StreamLook(Struct, frozen=True, gc=False, omit_defaults=True, tag_field="kind", tag=SNAPSHOT_OF_STREAM):
    """A stream as the Studio API shows it (FACTS 9), with what `GET /playback/{playbackId}` answers (`playback_status`,
    FACTS 8), its sessions, empty ones too, and the webhook that its playback policy names.

    `renditions` counts those that it is to be played in, the source's included, where it has profiles of its own;
    `key_digest` is the keyed digest of its stream key; `gate_failed_ms` the webhook's `lastFailure.timestamp`.
    """

    standing: Standing
    playback_status: int | None = None
    playback_id: str | None = None
    key_digest: str | None = None
    is_active: bool | None = None
    last_seen_ms: int | None = None
    last_terminated_ms: int | None = None
    is_healthy: bool | None = None
    issues: str | None = None
    record: bool | None = None
    suspended: bool | None = None
    source_segments: int | None = None
    transcoded_segments: int | None = None
    renditions: int | None = None
    newest_session_ms: int | None = None
    newest_session_seen_ms: int | None = None
    sessions: int | None = None
    policy: str | None = None
    origins: tuple[str, ...] = ()
    gate_exists: bool | None = None
    gate_failed_ms: int | None = None
    gate_triggered_ms: int | None = None
    gate_failure: str | None = None


class SessionLook(Struct, frozen=True, gc=False, omit_defaults=True, tag_field="kind", tag=SNAPSHOT_OF_SESSION):
    """A session as the Studio API shows it, with the asset that is its recording (FACTS 5, 9). `asset` is false where
    there is no such asset; `media_ms` and `asset_media_ms` are how much media each holds."""

    standing: Standing
    session_id: str
    recording_status: RecordingStatus | None = None
    recording_url: str | None = None
    record: bool | None = None
    created_ms: int | None = None
    last_seen_ms: int | None = None
    source_segments: int | None = None
    media_ms: int | None = None
    asset: bool | None = None
    asset_phase: str | None = None
    asset_created_ms: int | None = None
    asset_media_ms: int | None = None
    error_message: str | None = None
    progress: float | None = None


class PlaybackFinding(Struct, frozen=True, gc=False, omit_defaults=True, tag_field="kind", tag=FINDING):
    """What a probe found that did what a player does (FACTS 7.5, 8). `reason` is the catalogue's; `origin` says whether
    an `Origin` was sent; `session_id` is set where the session's recording was probed instead of the stream."""

    verdict: PlaybackVerdict
    reason: str | None = None
    http_status: int | None = None
    error_line: str | None = None
    segments: int | None = None
    renditions: int | None = None
    playback_status: int | None = None
    live: bool | None = None
    credential: Credential = "none"
    origin: bool = False
    session_id: str | None = None


class GateTally(Struct, frozen=True, gc=False, omit_defaults=True, tag_field="kind", tag=GATE):
    """What one of our gates decided about one playback id within a few seconds (FACTS 7.1), counted by outcome."""

    gate: str
    from_ms: int
    until_ms: int
    allowed: int = 0
    denied: int = 0
    failed: int = 0
    slow: int = 0
    refused: int = 0
    no_key: int = 0
    status: int | None = None
    ret: int | None = None

    @property
    def faults(self) -> int:
        """Calls without a decision in time. What was refused is no fault of the gate: anybody can make such calls."""
        return self.failed + self.slow

    def plus(self, later: Self) -> Self:
        """Both together."""
        return replace(
            later,
            from_ms=min(self.from_ms, later.from_ms),
            until_ms=max(self.until_ms, later.until_ms),
            allowed=self.allowed + later.allowed,
            denied=self.denied + later.denied,
            failed=self.failed + later.failed,
            slow=self.slow + later.slow,
            refused=self.refused + later.refused,
            no_key=self.no_key + later.no_key,
        )


class WebhookLook(Struct, frozen=True, gc=False, omit_defaults=True, tag_field="kind", tag=SNAPSHOT_OF_WEBHOOK):
    """A webhook as the Studio API shows it (FACTS 1.5, 9), and its URL as we see it.

    `secret` says whether its secret is one of ours; `url_public` whether the URL's host has public addresses only, as
    Livepeer requires (FACTS 1.3); `redirects` is the status with which the URL redirects, 0 where it does not.
    `active_ms` is when Livepeer last saw media of any stream that this key finds; `object_project` the project of the
    streams whose events are looked for.
    """

    standing: Standing
    url: str | None = None
    url_public: bool | None = None
    redirects: int | None = None
    events: tuple[str, ...] | None = None
    secret: SecretStanding | None = None
    project: str | None = None
    object_project: str | None = None
    created_ms: int | None = None
    triggered_ms: int | None = None
    failed_ms: int | None = None
    failed_status: int | None = None
    failed_error: str | None = None
    active_ms: int | None = None


Look: TypeAlias = StreamLook | SessionLook | PlaybackFinding | GateTally | WebhookLook
SNAPSHOT_LASTS_MS = 900_000
"""A snapshot says nothing of now when it is older than this: three times the interval in which a failing stream is
looked at again (DESIGN 5, Ending)."""
FINDING_LASTS_MS = 300_000
"""Nor does a finding: what fails is probed again within a minute."""
REGISTRATION_LASTS_MS = 2_700_000
"""Nor does a snapshot of a webhook: three times a quarter of an hour."""
