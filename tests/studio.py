"""A fake Livepeer Studio, written from FACTS, on a real socket: its API and its sender of webhooks.

    async with fake_studio(clock) as studio:
        webhook = studio.add_webhook("http://127.0.0.1:8080/webhooks/livepeer")
        studio.add(studio.streams, stream_row())
        studio.faults["/stream"] = failing(times=2)
        await studio.sender.deliver(event)

All that it holds are plain dicts in the API's own form, to be changed as a test likes. Objects without a `projectId`
belong to every project.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import uuid4

from aiohttp import web

from receiver.clock import ManualClock
from receiver.simulation.sender import Event
from tests.studio_faults import Fault, Handler, faulty
from tests.studio_hooks import WebhookApi
from tests.studio_rows import EVENTS, PROJECT_OF, Row, errors, fixture, found, mine, page, recording, without_recording
from tests.studio_sender import Sender

KEY = "studio-key-of-the-tests"
PROJECT = "897509e2-8511-4463-ab6e-330b1238dcb3"
"""That of the fixtures."""
SECRET = "lp-demo-secret-41c7"
_OPEN = "/playback/"


@dataclass(frozen=True)
class Credential:
    """What an API key stands for."""

    project_id: str = PROJECT
    suspended: bool = False
    may: frozenset[str] = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)


class FakeStudio:
    """The API under `url`, and the `sender`. `faults` are by path: a fault counts for the path and all below it."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.url = ""
        self.keys: dict[str, Credential] = {KEY: Credential()}
        self.streams: dict[str, Row] = {}
        self.sessions: dict[str, Row] = {}
        self.assets: dict[str, Row] = {}
        self.tasks: dict[str, Row] = {}
        self.webhooks: dict[str, Row] = {}
        self.signing_keys: dict[str, Row] = {}
        self.playbacks: dict[str, Row] = {}
        """Playback info that is not that of a stream or an asset here, by playback id."""
        self.faults: dict[str, Fault] = {}
        self.asked: list[Asked] = []
        self.sender = Sender(clock, self.webhooks)

    def add(self, held: dict[str, Row], row: Row) -> Row:
        """Hold a row, such as `stream_row()` in `streams`."""
        held[row["id"]] = row
        return row

    def add_webhook(self, url: str, **changed: object) -> Row:
        """A webhook for all events, signed with `SECRET`, that was never called."""
        row = {**fixture("probe/webhook.healthy.json"), "id": str(uuid4()), "url": url, "events": sorted(EVENTS)}
        del row["status"]
        return self.add(self.webhooks, {**row, **changed})

    def learn(self, *events: Event) -> None:
        """Hold what these events tell of: streams, sessions, assets and tasks as they were then. What a session says of
        its recording is not believed: the API works it out when it is asked (FACTS 5)."""
        for event in events:
            payload: Row = dict(event.payload or {})
            if event.stream is not None:
                key = f"{str(event.stream['id'])[:4]}-k9zq-4r2m-x8vd"
                self._learn(self.streams, {"streamKey": key, **event.stream})
            if "session" in payload:
                self._learn(self.sessions, without_recording(payload["session"]))
            for name, held in (("asset", self.assets), ("task", self.tasks)):
                if name in payload:
                    self._learn(held, {**payload[name]["snapshot"], "deleted": event.name == "asset.deleted"})

    def _learn(self, held: dict[str, Row], row: Row) -> None:
        held[row["id"]] = {**held.get(row["id"], {}), **row, "projectId": PROJECT}

    def application(self) -> web.Application:
        """The API."""
        app = web.Application(middlewares=[self._door])
        get = app.router.add_get
        get("/api/stream", self._streams)
        get("/api/stream/{id}/sessions", self._fed_sessions)
        get("/api/session", self._sessions)
        for name, held, missing in (
            ("stream", self.streams, "not found"),
            ("session", self.sessions, "not found"),
            ("asset", self.assets, "Asset not found"),
            ("task", self.tasks, "not found"),
            ("webhook", self.webhooks, "webhook not found"),
        ):
            get(f"/api/{name}/{{id}}", self._one(held, missing))
        get("/api/playback/{id}", self._playback)
        get("/api/access-control/signing-key", self._keys)
        WebhookApi(self.clock, self.webhooks, self.sender).add_to(app)
        return app

    @web.middleware
    async def _door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Notes what is asked, fails where a fault is planted, and lets in who has a key."""
        path = request.path.removeprefix("/api")
        self.asked.append(Asked(request.method, path, dict(request.query), dict(request.headers)))
        fault = self._fault(path)
        if fault is not None and fault.kind != "endless":
            return await faulty(fault, request, handler)
        refused = None if path.startswith(_OPEN) else self._refused(request)
        if refused is not None:
            return refused
        return await handler(request) if fault is None else await faulty(fault, request, handler)

    def _fault(self, path: str) -> Fault | None:
        for where, fault in self.faults.items():
            if path == where or path.startswith(f"{where.rstrip('/')}/"):
                if fault.times == 0:
                    continue
                if fault.times is not None:
                    self.faults[where] = replace(fault, times=fault.times - 1)
                return fault
        return None

    def _refused(self, request: web.Request) -> web.Response | None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            return errors(401, "request is not authenticated")
        credential = self.keys.get(key)
        if credential is None:
            return errors(401, f"no token {key} found")
        if credential.suspended:
            return errors(403, "user is suspended")
        if request.method not in credential.may:
            return errors(403, "credential has insufficent privileges")
        if "projectId" in request.query:
            return errors(400, "projectId is not allowed with an API key")
        request[PROJECT_OF] = credential.project_id
        return None

    def _one(self, held: dict[str, Row], missing: str) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            row = found(request, held)
            return errors(404, missing) if row is None else web.json_response(self._shown(row))

        return answer

    def _shown(self, row: Row) -> Row:
        """A row as it is answered: a session has its parent in it, key and all (FACTS 9), and what is known of its
        recording now, unless the test says it."""
        if row.get("kind") != "session":
            return row
        parent = self.streams.get(row.get("parentId") or "")
        told = {} if "recordingStatus" in row else recording(row, self.assets.get(row["id"]), self.clock.now_ms())
        return {**row, **told, **({} if parent is None else {"parentStream": parent})}

    async def _streams(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        rows = [row for row in mine(request, self.streams) if not (query.get("streamsonly") and "parentId" in row)]
        return page(request, [row for row in rows if not query.get("active") or row["isActive"]])

    async def _sessions(self, request: web.Request) -> web.StreamResponse:
        parent = request.query.get("parentId")
        rows = [row for row in mine(request, self.sessions) if parent in {None, row["parentId"]}]
        return page(request, map(self._shown, rows))

    async def _fed_sessions(self, request: web.Request) -> web.StreamResponse:
        """Those that took nothing in are hidden, and no page links on."""
        if found(request, self.streams) is None:
            return errors(404, "not found")
        rows = [row for row in mine(request, self.sessions) if row["parentId"] == request.match_info["id"]]
        answer = page(request, [row for row in rows if row["lastSeen"] and row["sourceSegmentsDuration"]])
        answer.headers.pop("Link", None)
        return answer

    async def _playback(self, request: web.Request) -> web.StreamResponse:
        """A suspended stream is not there, an idle one is; nobody needs a key (FACTS 8)."""
        name = request.match_info["id"]
        if name in self.playbacks:
            return web.json_response(self.playbacks[name])
        for row in self.streams.values():
            if row["playbackId"] == name and not row.get("suspended") and not row.get("deleted"):
                info = fixture(
                    "probe/playback-info.live.json" if row["isActive"] else "probe/playback-info.offline.json"
                )
                policy = {"playbackPolicy": row["playbackPolicy"]} if row.get("playbackPolicy") else {}
                return web.json_response({**info, "meta": {**info["meta"], **policy}})
        for row in self.assets.values():
            if row["playbackId"] == name and not row.get("deleted"):
                if row["status"]["phase"] != "ready":
                    return errors(422, "asset is not ready for playback")
                return web.json_response(fixture("probe/playback-info.vod.json"))
        return errors(404, f"No playback URL found for {name}")

    async def _keys(self, request: web.Request) -> web.StreamResponse:
        return page(request, mine(request, self.signing_keys))


@asynccontextmanager
async def fake_studio(clock: ManualClock) -> AsyncIterator[FakeStudio]:
    """A fake Studio that answers until the end."""
    studio = FakeStudio(clock)
    runner = web.AppRunner(studio.application(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    studio.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api"
    try:
        yield studio
    finally:
        await studio.sender.close()
        await runner.cleanup()
