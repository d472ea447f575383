"""The webhooks of the fake Studio: registered, replaced, patched, their log read and resent from (FACTS 1.4, 9)."""

from uuid import uuid4

from aiohttp import web

from receiver.clock import ManualClock
from tests.studio_rows import PROJECT_OF, Row, errors, fixture, found, mine, page, refused_webhook
from tests.studio_sender import Sender


class WebhookApi:
    """The part of the API that is about webhooks."""

    def __init__(self, clock: ManualClock, held: dict[str, Row], sender: Sender) -> None:
        self._clock, self._held, self._sender = clock, held, sender

    def add_to(self, app: web.Application) -> None:
        """Its routes."""
        router = app.router
        router.add_get("/api/webhook", self._webhooks)
        router.add_post("/api/webhook", self._created)
        router.add_put("/api/webhook/{id}", self._replaced)
        router.add_patch("/api/webhook/{id}", self._patched)
        router.add_delete("/api/webhook/{id}", self._deleted)
        router.add_get("/api/webhook/{id}/log", self._log)
        router.add_get("/api/webhook/{id}/log/{log_id}", self._log_entry)
        router.add_post("/api/webhook/{id}/log/{log_id}/resend", self._resent)

    async def _webhooks(self, request: web.Request) -> web.StreamResponse:
        return page(request, mine(request, self._held), always_linked=True)

    async def _created(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        refused = refused_webhook(body)
        if refused is not None:
            return refused
        made = {"id": str(uuid4()), "kind": "webhook", "userId": fixture("probe/webhook.healthy.json")["userId"]}
        row = {**body, **made, "createdAt": self._clock.now_ms(), "projectId": request[PROJECT_OF]}
        self._held[row["id"]] = row
        return web.json_response(row, status=201)

    async def _replaced(self, request: web.Request) -> web.StreamResponse:
        """PUT: what is not given is gone, the status always; the id in the path is not looked at (FACTS 9)."""
        body = await request.json()
        row = self._held.get(body.get("id", ""))
        if row is None or row.get("deleted"):
            return errors(404, "webhook not found")
        refused = refused_webhook(body)
        if refused is not None:
            return refused
        kept = {name: row[name] for name in ("id", "kind", "userId", "createdAt", "projectId")}
        self._write(row, {**body, **kept})
        return web.json_response({"id": row["id"]})

    async def _patched(self, request: web.Request) -> web.StreamResponse:
        row, body = found(request, self._held), await request.json()
        if row is None:
            return errors(404, "webhook not found")
        refused = refused_webhook({"name": row["name"], "url": row["url"], "events": row["events"], **body})
        if refused is not None:
            return refused
        self._write(row, {**row, **body})
        return web.Response(status=204)

    @staticmethod
    def _write(row: Row, anew: Row) -> None:
        row.clear()
        row.update(anew)

    async def _deleted(self, request: web.Request) -> web.StreamResponse:
        row = found(request, self._held)
        if row is None:
            return errors(404, "webhook not found")
        row["deleted"] = True
        return web.Response(status=204)

    async def _log(self, request: web.Request) -> web.StreamResponse:
        if found(request, self._held) is None:
            return errors(404, "webhook not found")
        rows = reversed(self._sender.logs.get(request.match_info["id"], []))
        return page(request, rows, always_linked=True)

    def _logged(self, request: web.Request) -> Row | None:
        if found(request, self._held) is None:
            return None
        rows = self._sender.logs.get(request.match_info["id"], [])
        return next((row for row in rows if row["id"] == request.match_info["log_id"]), None)

    async def _log_entry(self, request: web.Request) -> web.StreamResponse:
        row = self._logged(request)
        return errors(404, "webhook log not found") if row is None else web.json_response(row)

    async def _resent(self, request: web.Request) -> web.StreamResponse:
        row = self._logged(request)
        if row is None:
            return errors(404, "webhook log not found")
        return web.json_response(await self._sender.resend(row))
