"""The asset and the task that turn a session into a recording, as their events show them (FACTS 3)."""

from datetime import UTC, datetime

from receiver.simulation.objects import CDN, JsonObject, Owner, Session, read_back

_RECORDINGS = "https://recordings-cdn.example-storage.net/hls"


def new_asset(session: Session, owner: Owner, now_ms: int) -> JsonObject:
    """The snapshot of asset.created: not cleaned, so the object store's id leaks."""
    return {
        "id": session.id,
        "playbackId": session.asset_playback_id,
        "userId": owner.user_id,
        "projectId": owner.project_id,
        "createdAt": session.created_ms,
        "source": {"type": "recording", "sessionId": session.id},
        "status": {"phase": "waiting", "updatedAt": now_ms},
        "name": _recording_name(session),
        "objectStoreId": owner.object_store_id,
    }


def asset(session: Session, owner: Owner, status: JsonObject, media_ms: int) -> JsonObject:
    """The snapshot of any other asset event, `status` being `{phase, updatedAt, …}`. A ready one tells its size and
    tracks and where it plays; a failed one has its status last."""
    row = read_back({
        "id": session.id,
        "name": _recording_name(session),
        "source": {"type": "recording", "sessionId": session.id},
        "status": status["phase"],
        "userId": owner.user_id,
        "createdAt": session.created_ms,
        "projectId": owner.project_id,
        "playbackId": session.asset_playback_id,
    })  # fmt: skip
    if status["phase"] == "failed":
        del row["status"]
    row["status"] = status
    if status["phase"] != "ready":
        return row
    base = f"{CDN}/{session.asset_playback_id}"
    urls: JsonObject = {"downloadUrl": f"{base}/video", "playbackUrl": f"{base}/index.m3u8"}
    return row | _media(media_ms) | urls


def new_task(session: Session, owner: Owner, status: JsonObject, spawned_ms: int) -> JsonObject:
    """The snapshot of task.spawned; task.updated(waiting) adds `scheduledAt` at its end."""
    return {
        "id": session.task_id,
        "createdAt": spawned_ms,
        "type": "upload",
        "outputAssetId": session.id,
        "userId": owner.user_id,
        "params": _parameters(session),
        "status": status,
        "projectId": owner.project_id,
    }


def task(session: Session, owner: Owner, status: JsonObject, spawned_ms: int, media_ms: int) -> JsonObject:
    """The snapshot of any later task event; a completed one has its output."""
    row = read_back({
        **new_task(session, owner, {}, spawned_ms),
        "scheduledAt": scheduled_ms(spawned_ms),
    })  # fmt: skip
    row["status"] = status
    if status["phase"] != "completed":
        return row
    specification: JsonObject = {"id": session.id, "name": _recording_name(session), **_media(media_ms, kind="video")}
    return row | {"output": {"upload": {"assetSpec": specification}}}


def scheduled_ms(spawned_ms: int) -> int:
    """When a task that was spawned then was handed to the queue."""
    return spawned_ms + 26


def _recording_name(session: Session) -> str:
    return datetime.fromtimestamp(session.created_ms / 1000, UTC).strftime("live-%Y-%m-%dT%H:%MZ")


def _parameters(session: Session) -> JsonObject:
    url = f"{_RECORDINGS}/{session.stream_playback_id}/{session.id}/output.m3u8"
    return {"upload": {"url": url, "thumbnails": True}}


def _media(media_ms: int, kind: str | None = None) -> JsonObject:
    seconds = round(media_ms / 1000, 3)
    video: JsonObject = {
        "type": "video", "codec": "h264", "bitrate": 2_374_110, "duration": seconds,
        "width": 1280, "height": 720, "pixelFormat": "yuv420p", "fps": 30,
    }  # fmt: skip
    audio: JsonObject = {
        "type": "audio", "codec": "aac", "bitrate": 128_200.11, "duration": seconds,
        "channels": 2, "sampleRate": 48_000,
    }  # fmt: skip
    specification: JsonObject = {
        "format": "hls", "duration": seconds, "bitrate": 2_502_310.11, "tracks": [video, audio],
    }  # fmt: skip
    typed: JsonObject = {} if kind is None else {"type": kind}
    return {"size": int(seconds * 312_788), "hash": None, **typed, "videoSpec": specification}
