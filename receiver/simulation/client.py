"""How a story reaches a receiver: deliveries as Livepeer sends them, reports and questions as its operator does."""

import json
import os
from collections.abc import Mapping
from typing import Final, TypeVar

import aiohttp
from pydantic import JsonValue, ValidationError

from receiver.simulation.answers import Answer, Item, Part, Seen, SeenProblem
from receiver.simulation.schedule import TIMEOUT_MS
from receiver.simulation.sender import Attempt

WEBHOOK_PATH: Final = "/webhooks/livepeer"
PER_PAGE: Final = "500"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=TIMEOUT_MS / 1000)
_JSON: Final = {"Content-Type": "application/json"}
_AGENT: Final = "livepeer.studio"
"""What Livepeer's sender calls itself (FACTS 1.1)."""

Read = TypeVar("Read", bound=Seen)


class NotRead(Exception):
    """The API did not answer what it was asked. `answer` is what came."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"the API answered {answer.status} {answer.code or ''}: {answer.detail or ''}")
        self.answer = answer


class Client:
    """One receiver at `url`, with the token for its API. To be made inside a running event loop, and closed."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._authorization = {"Authorization": f"Bearer {token}"}
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, headers={"Accept": "application/json"})

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def deliver(self, attempt: Attempt) -> Answer:
        """POST one attempt at an event to the webhook's path."""
        headers = {**_JSON, "User-Agent": _AGENT, "Livepeer-Signature": attempt.signature}
        return await self._post(WEBHOOK_PATH, attempt.body, headers)

    async def report(self, report: Mapping[str, JsonValue]) -> Answer:
        """POST an observation."""
        return await self._post("/v1/observations", json.dumps(report).encode(), {**_JSON, **self._authorization})

    async def read(self, path: str, model: type[Read], query: Mapping[str, str] | None = None) -> Read | None:
        """What the API answers to a GET; None where there is no such thing. Raises NotRead."""
        try:
            async with self._session.get(
                f"{self.url}{path}", params=query, headers=self._authorization, allow_redirects=False
            ) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotRead(_silence(error)) from None
        if response.status == 404 and _problem(404, body).code is not None:
            return None
        try:
            if response.status == 200:
                return model.model_validate_json(body)
        except ValidationError:
            raise NotRead(Answer(200, None, "the answer is not what a receiver says")) from None
        raise NotRead(_problem(response.status, body))

    async def read_all(self, path: str, item: type[Item], query: Mapping[str, str]) -> list[Item]:
        """All items of a list. Raises NotRead."""
        found: list[Item] = []
        cursor: dict[str, str] = {}
        while True:
            part = await self.read(path, Part[item], {**query, "limit": PER_PAGE, **cursor})  # type: ignore[valid-type]
            if part is None:
                raise NotRead(Answer(404, None, "there is no such list"))
            found += part.items
            if part.next is None:
                return found
            cursor = {"cursor": part.next}

    async def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            async with self._session.post(
                f"{self.url}{path}", data=body, headers=headers, allow_redirects=False
            ) as response:
                return _problem(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            return _silence(error)


def _problem(status: int, body: bytes) -> Answer:
    """An answer with what it says of itself, where it is a problem (RFC 9457)."""
    try:
        said = SeenProblem.model_validate_json(body)
    except ValidationError:
        return Answer(status)
    return Answer(status, said.code, said.detail)


def _silence(error: Exception) -> Answer:
    if isinstance(error, TimeoutError):
        return Answer(None, "no_answer", f"no answer within {TIMEOUT_MS // 1000} s")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Answer(None, "no_answer", _reason(error.os_error))
    return Answer(None, "no_answer", str(error) or type(error).__name__)


def _reason(error: OSError) -> str:
    """What the system says: asyncio puts its own text in the place, and a resolver's number is no errno."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)
