"""Streams, sessions, assets, tasks and playback info, as the Studio API answers them (FACTS 2, 5, 8, 9).

Left out are, among what nobody here reads, all secrets: the stream key, of which there is a digest, the sources of
`pull`, the targets' URLs, `webhookContext`.
"""

from pydantic import Field

from receiver.livepeer.studio.values import (
    Flag,
    Id,
    Moment,
    Name,
    Names,
    Number,
    Part,
    Parts,
    Pem,
    Said,
    Shape,
    Texts,
    Url,
    Whole,
)


class Policy(Shape):
    """Who may play (FACTS 7): `type` is `public`, `jwt` or `webhook`."""

    type: Name = None
    webhook_id: Name = Field(None, validation_alias="webhookId")
    allowed_origins: Names = Field((), validation_alias="allowedOrigins")
    refresh_interval_s: Number = Field(None, validation_alias="refreshInterval")


class Profile(Shape):
    """A rendition to be made; `gop` is the keyframe interval in seconds, as text."""

    name: Said = None
    width: Whole = None
    height: Whole = None
    bitrate: Whole = None
    fps: Number = None
    gop: Said = None


class Target(Shape):
    """Where a stream is pushed on to, without its URL."""

    id: Name = None
    profile: Said = None


class Multistream(Shape):
    """All of a stream's targets."""

    targets: Parts[Target] = ()


class Media(Shape):
    """What has been taken in and made, of a stream or a session; counted at most every 50 s (FACTS 4). `is_healthy` and
    `issues` are absent where nothing is reported."""

    name: Said = None
    playback_id: Name = Field(None, validation_alias="playbackId")
    parent_id: Name = Field(None, validation_alias="parentId")
    project_id: Name = Field(None, validation_alias="projectId")
    created_ms: Moment = Field(None, validation_alias="createdAt")
    last_seen_ms: Moment = Field(None, validation_alias="lastSeen")
    """0 of a stream that never had media."""
    record: Flag = None
    is_healthy: Flag = Field(None, validation_alias="isHealthy")
    issues: Texts = ()
    profiles: Parts[Profile] = ()
    source_segments: Whole = Field(None, validation_alias="sourceSegments")
    transcoded_segments: Whole = Field(None, validation_alias="transcodedSegments")
    source_duration_s: Number = Field(None, validation_alias="sourceSegmentsDuration")
    transcoded_duration_s: Number = Field(None, validation_alias="transcodedSegmentsDuration")
    ingest_rate: Number = Field(None, validation_alias="ingestRate")
    outgoing_rate: Number = Field(None, validation_alias="outgoingRate")


class Stream(Media):
    """A stream. `key_digest` is `receiver.stream_keys.key_digest` of its key; None where the answer had no key."""

    id: Id
    is_active: Flag = Field(None, validation_alias="isActive")
    suspended: Flag = None
    deleted: Flag = None
    last_terminated_ms: Moment = Field(None, validation_alias="lastTerminatedAt")
    region: Said = None
    playback_policy: Part[Policy] = Field(None, validation_alias="playbackPolicy")
    multistream: Part[Multistream] = None
    key_digest: Name = Field(None, repr=False, validation_alias="keyDigest")


class Session(Media):
    """A session of the stream `parent_id`; `playback_id` is the stream's. `recording_status` is `waiting` also while
    live, and None where nothing is recorded (FACTS 5)."""

    id: Id
    recording_status: Name = Field(None, validation_alias="recordingStatus")
    recording_url: Url = Field(None, validation_alias="recordingUrl")
    mp4_url: Url = Field(None, validation_alias="mp4Url")
    asset_id: Name = Field(None, validation_alias="assetId")


class WorkStatus(Shape):
    """How far an asset or a task is (FACTS 3); `progress` is 0 to 1."""

    phase: Name = None
    updated_ms: Moment = Field(None, validation_alias="updatedAt")
    progress: Number = None
    error_message: Said = Field(None, validation_alias="errorMessage")
    retries: Whole = None


class Source(Shape):
    """What an asset was made of, without its URL; of a recording: `recording`, and its session."""

    type: Name = None
    session_id: Name = Field(None, validation_alias="sessionId")


class VideoSpec(Shape):
    """What is in an asset."""

    format: Name = None
    duration_s: Number = Field(None, validation_alias="duration")
    bitrate: Number = None


class Asset(Shape):
    """An asset; that of a recording has its session's id, and a playback id of its own (FACTS 2.3)."""

    id: Id
    name: Said = None
    playback_id: Name = Field(None, validation_alias="playbackId")
    project_id: Name = Field(None, validation_alias="projectId")
    created_ms: Moment = Field(None, validation_alias="createdAt")
    status: Part[WorkStatus] = None
    source: Part[Source] = None
    video: Part[VideoSpec] = Field(None, validation_alias="videoSpec")
    size_bytes: Whole = Field(None, validation_alias="size")
    playback_url: Url = Field(None, validation_alias="playbackUrl")
    download_url: Url = Field(None, validation_alias="downloadUrl")
    playback_policy: Part[Policy] = Field(None, validation_alias="playbackPolicy")
    deleted: Flag = None


class Task(Shape):
    """A task; that of a recording has the type `upload` and its session's id as `output_asset_id`."""

    id: Id
    type: Name = None
    project_id: Name = Field(None, validation_alias="projectId")
    created_ms: Moment = Field(None, validation_alias="createdAt")
    scheduled_ms: Moment = Field(None, validation_alias="scheduledAt")
    status: Part[WorkStatus] = None
    input_asset_id: Name = Field(None, validation_alias="inputAssetId")
    output_asset_id: Name = Field(None, validation_alias="outputAssetId")


class PlaybackSource(Shape):
    """One way to play."""

    hrn: Said = None
    type: Said = None
    url: Url = None


class PlaybackMeta(Shape):
    """How something is played. `live` is 0 or 1, up to two minutes late (FACTS 8); None of what is no live stream."""

    live: Whole = None
    playback_policy: Part[Policy] = Field(None, validation_alias="playbackPolicy")
    source: Parts[PlaybackSource] = ()


class Playback(Shape):
    """Playback info: `type` is `live`, `vod` or `recording`."""

    type: Name = None
    meta: Part[PlaybackMeta] = None


class SigningKey(Shape):
    """A key that JWTs may be signed with; `public_key` is the base64 of its PEM, the claim `pub` (FACTS 7.3)."""

    id: Id
    name: Said = None
    created_ms: Moment = Field(None, validation_alias="createdAt")
    last_seen_ms: Moment = Field(None, validation_alias="lastSeen")
    public_key: Pem = Field(None, validation_alias="publicKey")
    disabled: Flag = None
    deleted: Flag = None
