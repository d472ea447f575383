"""What the fake Studio holds, and how its lists are cut: limits, cursors, filters and their quirks (FACTS 9)."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

Row = dict[str, Any]
PROJECT_OF: "web.RequestKey[str]" = web.RequestKey("project", str)
"""The project of the key with which something was asked."""
FIXTURES = Path(__file__).parent / "fixtures"
EVENTS = frozenset(
    {"stream.started", "stream.detection", "stream.idle", "recording.ready", "recording.started", "recording.waiting"}
    | {"multistream.connected", "multistream.error", "multistream.disconnected", "playback.user.new"}
    | {"playback.accessControl", "asset.created", "asset.updated", "asset.failed", "asset.ready", "asset.deleted"}
    | {"task.spawned", "task.updated", "task.completed", "task.failed"}
)
"""What a webhook may be subscribed to (FACTS 3)."""
STREAM_KEY = "7c1e-k9zq-4r2m-x8vd"
PROJECT_OF = web.RequestKey("project", str)
"""Of a request, the project of its key."""
_USUAL, _MOST = 20, 1000
_STALE_MS = 3 * 3_600_000
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}


def fixture(path: str) -> Row:
    """One of the examples of Livepeer's objects."""
    return dict(json.loads((FIXTURES / path).read_text("utf-8")))


def stream_row(**changed: object) -> Row:
    """The stream of the fixtures as the API shows it: with its key, its targets' URLs, and where it is pulled from."""
    row = fixture("events/stream.started.json")["stream"]
    return {**row, "streamKey": STREAM_KEY, **changed}


def asset_row(**changed: object) -> Row:
    """The recording of the fixtures."""
    return {**fixture("events/asset.ready.json")["payload"]["asset"]["snapshot"], **changed}


def task_row(**changed: object) -> Row:
    """The task of that recording."""
    return {**fixture("events/task.completed.json")["payload"]["task"]["snapshot"], **changed}


def without_recording(session: Row) -> Row:
    """A session as an event shows it, without what the event says of its recording."""
    left_out = {"recordingStatus", "recordingUrl", "mp4Url", "assetId"}
    return {name: value for name, value in session.items() if name not in left_out}


def recording(session: Row, asset: Row | None, now_ms: int) -> Row:
    """What the API says of a session's recording (FACTS 5): `waiting` also while it is live, `none` after three hours
    without an asset."""
    if not session.get("record"):
        return {}
    if asset is None:
        seen_ms = session["lastSeen"] or session["createdAt"]
        return {"recordingStatus": "none" if now_ms - seen_ms > _STALE_MS else "waiting"}
    if asset.get("deleted"):
        return {"recordingStatus": "deleted"}
    phase = asset["status"]["phase"]
    status = {"ready": "ready", "failed": "failed", "deleting": "deleted", "deleted": "deleted"}.get(phase, "waiting")
    urls = {"recordingUrl": asset.get("playbackUrl"), "mp4Url": asset.get("downloadUrl") if phase == "ready" else None}
    return {"recordingStatus": status, **{name: url for name, url in urls.items() if url is not None}}


def errors(status: int, *texts: str) -> web.Response:
    """A refusal in the API's usual shape."""
    return web.json_response({"errors": texts}, status=status)


def mine(request: web.Request, held: Mapping[str, Row]) -> list[Row]:
    """What of this the key's project has, and was not deleted."""
    project = request[PROJECT_OF]
    return [row for row in held.values() if row.get("projectId", project) == project and not row.get("deleted")]


def found(request: web.Request, held: Mapping[str, Row]) -> Row | None:
    """Of this, the one whose id is in the path; what is of another project is not there."""
    return next((row for row in mine(request, held) if row["id"] == request.match_info["id"]), None)


def page(request: web.Request, rows: Iterable[Row], *, always_linked: bool = False) -> web.Response:
    """The part of a list that was asked for, the newest first. `always_linked`: the last page links on, too."""
    ordered = sorted(rows, key=lambda row: row.get("createdAt", 0), reverse=True)
    kept = [row for row in ordered if _passes(row, json.loads(request.query.get("filters", "[]")))]
    limit = min(int(request.query.get("limit", _USUAL)), _MOST)
    start = int(request.query.get("cursor", "skip0").removeprefix("skip"))
    end = start + limit
    headers = {"X-Total-Count": str(len(kept))} if request.query.get("count") else {}
    more = f"skip{end}" if end < len(kept) else "undefined"
    if always_linked or end < len(kept):
        headers["Link"] = f'<{request.url.update_query(cursor=more)}>; rel="next"'
    return web.json_response(kept[start:end], headers=headers)


def _passes(row: Row, filters: Iterable[Row]) -> bool:
    return all(_passes_one(row, entry["id"], entry["value"]) for entry in filters)


def _passes_one(row: Row, name: str, value: object) -> bool:
    match name, value:
        case "success", str():
            return row["success"] is (value == "true")
        case "resourceId", str():
            return value in row["request"]["body"]
        case "statusCode", _:
            return bool(row["response"].get("status") == value)
        case _, dict():
            return all(_COMPARISONS[how](row[name], number) for how, number in value.items())
    return bool(row.get(name) == value)


def refused_webhook(body: Row) -> web.Response | None:
    """What is wrong with a webhook that is to be stored."""
    allowed = {"name", "url", "events", "sharedSecret", "streamId", "projectId", "id"}
    if "url" not in body or "name" not in body:
        missing = "url" if "url" not in body else "name"
        return _unfit("", "required", {"missingProperty": missing}, f"must have required property '{missing}'")
    for name in body.keys() - allowed:
        return _unfit("", "additionalProperties", {"additionalProperty": name}, "must NOT have additional properties")
    for number, event in enumerate(body.get("events", [])):
        if event not in EVENTS:
            known = {"allowedValues": sorted(EVENTS)}
            return _unfit(f"/events/{number}", "enum", known, "must be equal to one of the allowed values")
    if not str(body["url"]).startswith(("http://", "https://")):
        return errors(422, f"bad url: {body['url']}")
    if not body.get("events"):
        return errors(422, 'must provide "events" field with subscriptions')
    return None


def _unfit(where: str, keyword: str, params: Row, message: str) -> web.Response:
    told = {"instancePath": where, "schemaPath": f"#/{keyword}", "keyword": keyword, "params": params}
    return errors(422, json.dumps({**told, "message": message}))
