"""The objects that events carry, with the keys, the order of the keys and the oddities of the real ones.

What the sender builds in memory keeps the order of its code; what it reads back from its database comes in jsonb order,
shorter keys first (fixtures/README). Times are absolute, in milliseconds.
"""

from dataclasses import dataclass

from pydantic import JsonValue

JsonObject = dict[str, JsonValue]

SEGMENT_MS = 2_000
CDN = "https://vod-cdn.example-storage.net/hls"


@dataclass(frozen=True, slots=True)
class Owner:
    """The account that all objects of a story belong to."""

    user_id: str
    project_id: str
    object_store_id: str


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as the sender's database holds it. `media_ms` is how much media it has taken in."""

    id: str
    playback_id: str
    name: str
    record: bool
    created_ms: int
    targets: tuple[tuple[str, str, str], ...]
    """Multistream targets: id, name, profile."""
    region: str = "fra"
    active: bool = False
    healthy: bool | None = None
    reported: bool = False
    """Whether a health report was ever stored; only then there is a key `issues`."""
    last_seen_ms: int = 0
    media_ms: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """A session of a stream; its id is that of its recording too. The media server makes it."""

    id: str
    stream_id: str
    stream_playback_id: str
    asset_playback_id: str
    task_id: str
    record: bool
    created_ms: int


def read_back(row: JsonObject) -> JsonObject:
    """An object as it comes back from the sender's database."""
    return {key: _jsonb(row[key]) for key in sorted(row, key=lambda key: (len(key), key))}


def _jsonb(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return read_back(value)
    return [_jsonb(member) for member in value] if isinstance(value, list) else value


def counters(media_ms: int) -> JsonObject:
    """What the sender counts of so much media, two renditions of it."""
    segments = media_ms // SEGMENT_MS
    seconds = media_ms / 1000
    return {
        "sourceSegments": segments,
        "transcodedSegments": segments * 2,
        "sourceSegmentsDuration": round(seconds, 3) if media_ms else 0,
        "transcodedSegmentsDuration": round(seconds * 2, 3) if media_ms else 0,
        "sourceBytes": int(seconds * 312_800),
        "transcodedBytes": int(seconds * 287_500),
    }


def rates(stream: Stream) -> JsonObject:
    """Ingest and outgoing rate, in bytes per second."""
    return {"ingestRate": 312_571.43 if stream.active else 0, "outgoingRate": 287_023.78 if stream.active else 0}


def profiles(*, with_gop: bool) -> list[JsonValue]:
    """The renditions; a session's have a keyframe interval."""
    gop: JsonObject = {"gop": "2.0"} if with_gop else {}
    return [
        {"fps": 0, "name": "480p0", "width": 854, "height": 480, "bitrate": 1_600_000, **gop},
        {"fps": 0, "name": "720p0", "width": 1280, "height": 720, "bitrate": 3_000_000, **gop},
    ]


def stream_object(stream: Stream, owner: Owner) -> JsonObject:
    """The envelope's `stream`: the defaults first, without what is stripped, the stream key among it (FACTS 2.1)."""
    defaults: JsonObject = {
        "lastSeen": stream.last_seen_ms,
        "isActive": stream.active,
        "record": stream.record,
        "suspended": False,
        **counters(stream.media_ms),
        "lastTerminatedAt": None,
    }
    row: JsonObject = {
        "id": stream.id,
        "kind": "stream",
        "name": stream.name,
        "region": stream.region,
        "userId": owner.user_id,
        "profiles": profiles(with_gop=False),
        "userTags": {"room": "A12"},
        "createdAt": stream.created_ms,
        "creatorId": {"type": "unverified", "value": "creator-4471"},
        "isHealthy": stream.healthy,
        "projectId": owner.project_id,
        "playbackId": stream.playback_id,
        "renditions": {},
        "multistream": {"targets": [{"id": target, "profile": profile} for target, _, profile in stream.targets]},
        "createdByTokenName": "backend-prod",
    }
    issues: JsonObject = {"issues": None} if stream.reported else {}
    flushed = rates(stream) if stream.media_ms else {}
    return defaults | read_back(row | issues | flushed)


def new_session_object(session: Session, owner: Owner) -> JsonObject:
    """`payload.session` of recording.started: built in memory, all counters 0."""
    return {
        "id": session.id,
        "parentId": session.stream_id,
        "playbackId": session.stream_playback_id,
        "userId": owner.user_id,
        "projectId": owner.project_id,
        "kind": "session",
        "name": f"video+{session.stream_playback_id}",
        "createdAt": session.created_ms,
        "lastSeen": 0,
        **counters(0),
        "ingestRate": 0,
        "outgoingRate": 0,
        "profiles": profiles(with_gop=True),
        "record": session.record,
        "recordingStatus": "waiting",
    }


def session_object(session: Session, stream: Stream, owner: Owner, *, urls: bool) -> JsonObject:
    """`payload.session` later: read back, and `recordingStatus` says `ready` whether it is or not (FACTS 5)."""
    row: JsonObject = {
        **new_session_object(session, owner),
        **counters(stream.media_ms),
        **rates(stream),
        "lastSeen": stream.last_seen_ms,
        "isHealthy": None,
        "issues": None,
        "recordingStatus": "ready",
    }
    return read_back(row) | (recording_urls(session) if urls else {}) | {"assetId": session.id}


def recording_urls(session: Session) -> JsonObject:
    """Where a finished recording plays, under its own playback id."""
    base = f"{CDN}/{session.asset_playback_id}"
    return {"recordingUrl": f"{base}/index.m3u8", "mp4Url": f"{base}/video"}
