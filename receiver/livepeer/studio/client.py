"""The client of the Studio API: what can be asked of it, and what must not pass its door (FACTS 9, P10).

Whatever it gives or raises holds no API key, no stream key, no webhook's secret and no credentials of sources and
targets. What may be known of a stream key is its digest, of a webhook's secret whether it is ours.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeVar

from pydantic import JsonValue, ValidationError

from receiver.livepeer.reading import LATEST_MS
from receiver.livepeer.studio.asking import Answer, Ask, Asker
from receiver.livepeer.studio.budget import Budget, Patience, Timing
from receiver.livepeer.studio.failures import Denied, NotFound, Unavailable
from receiver.livepeer.studio.objects import Asset, Playback, Session, SigningKey, Stream, Task
from receiver.livepeer.studio.paging import pages
from receiver.livepeer.studio.values import Shape
from receiver.livepeer.studio.webhooks import Known, LogEntry, Webhook

S = TypeVar("S", bound=Shape)
T = TypeVar("T", Stream, Session, Webhook, LogEntry, SigningKey)
Row = Mapping[str, JsonValue]
_NEWEST_FIRST: Final = {"order": "createdAt-true"}


@dataclass(frozen=True, slots=True)
class Door:
    """What becomes of the secrets in answers: `digest` gives a stream key's keyed digest, `compare` says whether a
    webhook's secret is one of ours."""

    digest: Callable[[str], str]
    compare: Callable[[str], Known]

    def stream(self, row: Row) -> Row:
        """A stream with its key's digest instead of the key."""
        key = row.get("streamKey")
        return {**row, "keyDigest": self.digest(key) if isinstance(key, str) and key else None}

    def webhook(self, row: Row) -> Row:
        """A webhook with how its secret compares instead of the secret."""
        secret = row.get("sharedSecret")
        return {**row, "secret": self.compare(secret) if isinstance(secret, str) and secret else "none"}


class StudioClient:
    """The Studio API at `url`, in the name of `api_key`; without one, everything but `playback` raises NotConfigured.

    Every method raises StudioError, one of `receiver.livepeer.studio.failures`. Calls that read are repeated after
    passing failures, those that change something never are. To be closed.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None,
        door: Door,
        *,
        patience: Patience | None = None,
        timing: Timing | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._patience, timing = patience or Patience(), timing or Timing()
        self._asker = Asker(url, api_key, budget or Budget(self._patience, timing), self._patience, timing)
        self._door, self.configured = door, api_key is not None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._asker.close()

    async def turn(self) -> None:
        """Wait until one more call may be made: for who asks the API without this client. Raises RateLimited."""
        await self._asker.turn()

    async def stream(self, stream_id: str) -> Stream:
        """A stream, or a session or child stream by its id. NotFound: also one that was deleted."""
        return self._read(Stream, await self._get("/stream/{}", stream_id), self._door.stream, stream_id)

    def streams(self, *, active: bool = False) -> AsyncIterator[Stream]:
        """All parent streams, the newest first; only those that are `active`."""
        query = {"streamsonly": "1", **_NEWEST_FIRST, **({"active": "1"} if active else {})}
        return self._list(Stream, "/stream", query=query, admit=self._door.stream)

    def sessions(self, stream_id: str) -> AsyncIterator[Session]:
        """All sessions of a stream, the newest first, those too that took nothing in."""
        return self._list(Session, "/session", query={"parentId": stream_id, **_NEWEST_FIRST})

    async def session(self, session_id: str) -> Session:
        """A session."""
        return self._read(Session, await self._get("/session/{}", session_id), asked=session_id)

    async def asset(self, asset_id: str) -> Asset:
        """An asset; that of a recording has its session's id."""
        return self._read(Asset, await self._get("/asset/{}", asset_id), asked=asset_id)

    async def task(self, task_id: str) -> Task:
        """A task. NotFound, or Denied where it is of another account."""
        return self._read(Task, await self._get("/task/{}", task_id), asked=task_id)

    async def playback(self, playback_id: str) -> Playback:
        """Playback info, as any viewer gets it, without our key; up to two minutes old (FACTS 8). NotFound: also a
        suspended stream; Invalid: an asset that is not ready."""
        return self._read(Playback, await self._asker.ask(Ask("GET", "/playback/{}", (playback_id,), with_key=False)))

    def webhooks(self) -> AsyncIterator[Webhook]:
        """All webhooks of the key's project."""
        return self._list(Webhook, "/webhook", admit=self._door.webhook)

    async def webhook(self, webhook_id: str) -> Webhook:
        """A webhook. NotFound: also one that was deleted."""
        return self._read(Webhook, await self._get("/webhook/{}", webhook_id), self._door.webhook, webhook_id)

    async def create_webhook(self, *, name: str, url: str, events: Sequence[str], secret: str) -> Webhook:
        """Register a webhook in the key's project. Invalid: the API says why."""
        body: dict[str, JsonValue] = {"name": name, "url": url, "events": [*events], "sharedSecret": secret}
        answer = await self._asker.ask(Ask("POST", "/webhook", body=body), secret)
        return self._read(Webhook, answer, self._door.webhook)

    async def update_webhook(
        self,
        webhook_id: str,
        *,
        name: str | None = None,
        url: str | None = None,
        events: Sequence[str] | None = None,
        secret: str | None = None,
    ) -> None:
        """Change what is given of a webhook, and nothing else.

        It is a PATCH. A PUT replaces the whole: it erases the secret and whatever else it is not given, and always the
        status with the last failure (FACTS 1.5, 9); to give it all, the secret would have to be read out, and a change
        in between would be undone. Reads may lag behind a little.
        """
        listed: JsonValue = None if events is None else [*events]
        given: dict[str, JsonValue] = {"name": name, "url": url, "events": listed, "sharedSecret": secret}
        body = {key: value for key, value in given.items() if value is not None}
        await self._asker.ask(Ask("PATCH", "/webhook/{}", (webhook_id,), body=body), secret or "")

    async def webhook_log(
        self,
        webhook_id: str,
        *,
        since_ms: int = 0,
        until_ms: int = LATEST_MS,
        event: str | None = None,
        success: bool | None = None,
        resource_id: str | None = None,
    ) -> AsyncIterator[LogEntry]:
        """The attempts at deliveries to a webhook, the newest first: from `since_ms` to `until_ms`, of an `event`,
        those that the sender takes for a success or a failure, those whose body has a `resource_id` in it."""
        wanted: tuple[tuple[str, JsonValue], ...] = (
            ("createdAt", {"gte": since_ms} if since_ms > 0 else None),
            ("createdAt", {"lte": until_ms} if until_ms < LATEST_MS else None),
            ("event", event),
            ("success", None if success is None else str(success).lower()),
            ("resourceId", resource_id),
        )
        filters = [{"id": name, "value": value} for name, value in wanted if value is not None]
        query = {"filters": json.dumps(filters, separators=(",", ":"))} if filters else {}
        async for entry in self._list(LogEntry, "/webhook/{}/log", webhook_id, query=query):
            at_ms = since_ms if entry.created_ms is None else entry.created_ms
            if at_ms < since_ms:
                return
            if at_ms <= until_ms:
                yield entry

    async def resend(self, webhook_id: str, log_id: str) -> LogEntry:
        """Let the sender send a logged delivery once more, and wait for it. The new entry says whether it was
        delivered: a delivery that failed raises nothing (FACTS 1.4)."""
        path, timeout_s = "/webhook/{}/log/{}/resend", self._patience.resend_s
        return self._read(LogEntry, await self._asker.ask(Ask("POST", path, (webhook_id, log_id), timeout_s=timeout_s)))

    async def signing_keys(self) -> tuple[SigningKey, ...] | None:
        """The keys that viewers' JWTs may be signed with. None: not known, as the API does not tell."""
        try:
            return tuple([key async for key in self._list(SigningKey, "/access-control/signing-key")])
        except (NotFound, Denied):
            return None

    async def _get(self, path: str, *ids: str) -> Answer:
        return await self._asker.ask(Ask("GET", path, ids))

    async def _list(
        self,
        shape: type[T],
        path: str,
        *ids: str,
        query: Mapping[str, str] | None = None,
        admit: Callable[[Row], Row] = dict,
    ) -> AsyncIterator[T]:
        """Everything in a list, once each. What has no id is nothing that could be referred to, and left out."""
        limited = {**(query or {}), "limit": str(self._patience.page_items)}

        async def page(cursor: str | None) -> Answer:
            at = {} if cursor is None else {"cursor": cursor}
            return await self._asker.ask(Ask("GET", path, ids, query={**limited, **at}))

        seen: set[str] = set()
        async for rows in pages(page, self._patience.max_pages):
            for row in rows:
                item = _admitted(shape, row, admit)
                if item is not None and item.id not in seen:
                    seen.add(item.id)
                    yield item

    def _read(self, shape: type[S], answer: Answer, admit: Callable[[Row], Row] = dict, asked: str | None = None) -> S:
        item = _admitted(shape, answer.value, admit)
        if item is None or (asked is not None and asked != getattr(item, "id", None)):
            raise Unavailable("The Studio API answered something else than it was asked for.")
        return item


def _admitted(shape: type[S], row: JsonValue, admit: Callable[[Row], Row]) -> S | None:
    """A row as it passes the door; None for what is none."""
    if not isinstance(row, dict):
        return None
    try:
        return shape.model_validate(admit(row))
    except ValidationError:
        return None
