"""The fake Studio as the sender of webhooks: signed for real, POSTed for real, each attempt logged (FACTS 1)."""

import base64
import json
from dataclasses import dataclass
from uuid import uuid4

import aiohttp
from yarl import URL

from receiver.clock import ManualClock
from receiver.livepeer.signature import sign
from receiver.simulation.schedule import RETRY_WAITS_MS
from receiver.simulation.sender import Event, compact
from tests.studio_rows import Row

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class _Due:
    """A retry: a frozen copy of what was to be sent, and where to (FACTS 12)."""

    at_ms: int
    failures: int
    url: str
    secret: str
    body: Row


class Sender:
    """Sends events to the webhooks it is given. Nothing happens by itself: the test moves the clock and calls
    `retry_due`. `drops_local`: URLs on this machine are passed over in silence, as the real one does."""

    def __init__(self, clock: ManualClock, webhooks: dict[str, Row]) -> None:
        self.clock, self.webhooks = clock, webhooks
        self.logs: dict[str, list[Row]] = {}
        """Of each webhook, the oldest first."""
        self.drops_local = False
        self.timeout_s = 30.0
        self._secrets: dict[str, str] = {}
        self._due: list[_Due] = []
        self._http: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()

    async def deliver(self, *events: Event, project_id: str | None = None) -> list[Row]:
        """One attempt at each event for each webhook that is subscribed to it. The log entries, in that order."""
        made = []
        for event in events:
            for webhook in list(self.webhooks.values()):
                told = not webhook.get("deleted") and event.name in webhook["events"]
                if told and project_id in {None, webhook["projectId"]}:
                    body = json.loads(event.body(webhook["id"], self.clock.now_ms()))
                    due = _Due(self.clock.now_ms(), 0, webhook["url"], webhook.get("sharedSecret", ""), body)
                    made.append(await self._attempt(due))
        return [entry for entry in made if entry is not None]

    async def retry_due(self) -> list[Row]:
        """Make the retries whose time has come. Their log entries."""
        now_ms = self.clock.now_ms()
        due = sorted((one for one in self._due if one.at_ms <= now_ms), key=lambda one: one.at_ms)
        self._due = [one for one in self._due if one.at_ms > now_ms]
        made = [await self._attempt(one) for one in due]
        return [entry for entry in made if entry is not None]

    def next_retry_ms(self) -> int | None:
        """When the next retry is due; None where there is none."""
        return min((one.at_ms for one in self._due), default=None)

    async def resend(self, entry: Row) -> Row:
        """One attempt at what was logged, with the secret and the URL of then, and none after it (FACTS 1.4)."""
        body, url = json.loads(entry["request"]["body"]), entry["request"]["url"]
        return await self._send(body, url, self._secrets[entry["id"]])

    async def _attempt(self, due: _Due) -> Row | None:
        if self.drops_local and URL(due.url).host in LOCAL:
            return None
        entry = await self._send(due.body, due.url, due.secret)
        status = entry["response"].get("status")
        if (status is None or status >= 500) and due.failures < len(RETRY_WAITS_MS):
            at_ms = self.clock.now_ms() + RETRY_WAITS_MS[due.failures]
            self._due.append(_Due(at_ms, due.failures + 1, due.url, due.secret, due.body))
        return entry

    async def _send(self, body: Row, url: str, secret: str) -> Row:
        """One attempt, its entry in the log, and the webhook's status."""
        now_ms = self.clock.now_ms()
        raw = compact({**body, "timestamp": now_ms})
        signed = {"Livepeer-Signature": sign(secret, raw, now_ms)} if secret else {}
        headers = {"content-type": "application/json", "user-agent": "livepeer.studio", **signed}
        response, error = await self._post(url, raw, headers)
        success = 200 <= response.get("status", 0) < 300
        entry: Row = {
            "id": str(uuid4()),
            "webhookId": body["webhookId"],
            "event": body["event"],
            "userId": self.webhooks.get(body["webhookId"], {}).get("userId", ""),
            "createdAt": now_ms,
            "duration": 0.304518277,
            "success": success,
            "response": response,
            "request": {"url": url, "body": raw.decode(), "method": "POST", "headers": headers},
        }
        self.logs.setdefault(body["webhookId"], []).append(entry)
        self._secrets[entry["id"]] = secret
        self._note(body["webhookId"], response, error, success=success)
        return entry

    def _note(self, webhook_id: str, response: Row, error: str | None, *, success: bool) -> None:
        """`status` keeps the last failure for ever (FACTS 1.5)."""
        webhook = self.webhooks.get(webhook_id)
        if webhook is None:
            return
        status = webhook.setdefault("status", {})
        status["lastTriggeredAt"] = self.clock.now_ms()
        if not success:
            code = {"statusCode": response["status"]} if "status" in response else {}
            said = {} if error is None else {"error": error}
            failure = {"response": response["body"], "timestamp": self.clock.now_ms(), **code, **said}
            status["lastFailure"] = failure

    async def _post(self, url: str, body: bytes, headers: Row) -> tuple[Row, str | None]:
        """What the log has of the answer; redirects are followed as the real one follows them (FACTS 1.3)."""
        self._http = self._http or aiohttp.ClientSession()
        timeout = aiohttp.ClientTimeout(total=self.timeout_s)
        try:
            async with self._http.post(url, data=body, headers=headers, timeout=timeout) as answer:
                said = base64.b64encode((await answer.read())[:1024]).decode()
                return {"body": said, "status": answer.status, "statusText": answer.reason}, None
        except TimeoutError:
            return {"body": ""}, None
        except aiohttp.ClientError as error:
            return {"body": ""}, str(error)
