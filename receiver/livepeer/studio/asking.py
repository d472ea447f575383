"""One call of the Studio API over HTTP: bounded in time and size, repeated where that is safe, never redirected.

Nothing of a request or of an answer that failed is kept in an exception: what raises here has no cause and no context,
as those of aiohttp know the request's headers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote

import aiohttp
from pydantic import JsonValue
from pydantic_core import from_json
from yarl import URL

from receiver.livepeer.reading import read_name
from receiver.livepeer.redaction import redact_text
from receiver.livepeer.studio.budget import Budget, Patience, Timing
from receiver.livepeer.studio.failures import NotConfigured, NotFound, RateLimited, StudioError, Unavailable
from receiver.livepeer.studio.refusals import error_texts, failure, read_retry_after
from receiver.logs import get_logger
from receiver.redaction import Redactor

_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_UNLOGGED: Final = (NotConfigured, NotFound)
"""Answers to what was asked, or never asked."""
_log = get_logger("receiver.livepeer.studio")


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked: the path is a template with `{}` for each id. Its `repr` shows no id and no body."""

    method: Literal["GET", "POST", "PATCH"]
    path: str
    ids: tuple[str, ...] = field(default=(), repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, JsonValue] | None = field(default=None, repr=False)
    with_key: bool = True
    timeout_s: float | None = None
    """None: the usual."""

    def url(self, root: str) -> URL:
        """Where to ask. Raises NotFound for an id that cannot be one: there is nothing of that name."""
        if not all(read_name(name) and name.isascii() and name not in {".", ".."} for name in self.ids):
            raise NotFound("Livepeer has no ids of this form.")
        path = self.path.format(*(quote(name, safe="") for name in self.ids))
        return URL(f"{root}{path}", encoded=True).update_query(self.query)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose status is 2xx: its JSON, None where it has no body, and the header `Link`."""

    value: JsonValue = field(repr=False)
    link: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What came of one attempt: the head of an answer and its body, or why there is none."""

    status: int | None
    body: bytes = field(default=b"", repr=False)
    link: str = field(default="", repr=False)
    retry_after: str | None = None
    silence: str = ""

    @property
    def passing(self) -> bool:
        """Whether the same may be answered better a moment later, where it was no success."""
        return self.status is None or self.status in _AGAIN or (self.status < 300 and not self.silence)


class Asker:
    """Asks the API at `root`. Made anywhere; the connections are opened by the first call, and `close` ends them."""

    def __init__(self, root: str, api_key: str | None, budget: Budget, patience: Patience, timing: Timing) -> None:
        self._root, self._api_key = root, api_key
        self._budget, self._patience, self._timing = budget, patience, timing
        self._http: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections; the next call opens others."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def turn(self) -> None:
        """Wait until one call may go. Raises RateLimited."""
        await self._budget.turn()

    async def ask(self, ask: Ask, *secrets: str) -> Answer:
        """The answer, after some attempts where the method is GET. `secrets` are what the request itself holds, and an
        error could repeat. Raises StudioError; one that was heard is logged, once."""
        attempts = _Attempts(self._patience.retries if ask.method == "GET" else 0)
        try:
            return await self._answered(ask, attempts, self._shown(secrets))
        except StudioError as error:
            if attempts.made and not isinstance(error, _UNLOGGED):
                status = {} if error.status is None else {"status": error.status}
                told = {"method": ask.method, "route": ask.path, "code": error.code, "detail": error.detail}
                _log.warning("studio.failed", **told, attempts=attempts.made, **status)
            raise

    def _shown(self, secrets: Sequence[str]) -> Callable[[str], str]:
        """What takes secrets out of what the API says."""
        known = Redactor((*secrets, *([self._api_key] if self._api_key else [])))
        return lambda text: redact_text(known.text(text))

    async def _answered(self, ask: Ask, attempts: "_Attempts", shown: Callable[[str], str]) -> Answer:
        if ask.with_key and self._api_key is None:
            raise NotConfigured("RECEIVER_STUDIO_API_KEY is not set, so the Studio API is not asked.")
        url = ask.url(self._root)
        while True:
            await self._budget.turn()
            attempts.made += 1
            heard = await self._heard(ask, url)
            answer = self._read(heard, shown)
            if isinstance(answer, Answer):
                return answer
            wait_s = self._waited(heard, answer)
            if not heard.passing or attempts.made > attempts.retries or wait_s > self._patience.longest_wait_s:
                raise answer
            backed_off_s = self._patience.wait_s(attempts.made - 1, self._timing.chance())
            await self._timing.sleep(max(wait_s, backed_off_s))

    def _waited(self, heard: _Heard, error: StudioError) -> float:
        """How long the API wants to be left alone, by this call and all others; 0 where it does not say so."""
        wait_s = read_retry_after(heard.retry_after, self._timing.clock.now_ms()) if heard.status in _AGAIN else None
        if isinstance(error, RateLimited):
            wait_s = error.retry_after_s
        if wait_s:
            self._budget.hold(wait_s)
        return wait_s or 0

    def _read(self, heard: _Heard, shown: Callable[[str], str]) -> Answer | StudioError:
        if heard.silence or heard.status is None:
            return Unavailable(heard.silence, status=heard.status)
        if not 200 <= heard.status < 300:
            retry_after_s = read_retry_after(heard.retry_after, self._timing.clock.now_ms())
            return failure(heard.status, error_texts(heard.body), shown, retry_after_s)
        try:
            return Answer(from_json(heard.body, allow_inf_nan=False) if heard.body else None, heard.link)
        except ValueError:
            return Unavailable("The Studio API answered something that is no JSON.", status=heard.status)

    async def _heard(self, ask: Ask, url: URL) -> _Heard:
        total_s = ask.timeout_s or self._patience.total_s
        timeout = aiohttp.ClientTimeout(total=total_s, connect=self._patience.connect_s)
        headers = {"Authorization": f"Bearer {self._api_key}"} if ask.with_key else {}
        try:
            async with self._session().request(
                ask.method, url, json=ask.body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                return await self._whole(response)
        except TimeoutError:
            return _Heard(None, silence=f"The Studio API did not answer within {total_s:g} s.")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _Heard(None, silence=f"The Studio API could not be asked ({type(error).__name__}).")

    async def _whole(self, response: aiohttp.ClientResponse) -> _Heard:
        body = bytearray()
        async for part in response.content.iter_any():
            body += part
            if len(body) > self._patience.max_bytes:
                response.close()
                too_much = f"The Studio API answered more than {self._patience.max_bytes} bytes."
                return _Heard(response.status, silence=too_much)
        link, retry_after = response.headers.get("Link", ""), response.headers.get("Retry-After")
        return _Heard(response.status, bytes(body), link, retry_after)

    def _session(self) -> aiohttp.ClientSession:
        """Connections without a memory for cookies, and without proxies or keys out of the environment."""
        if self._http is None:
            self._http = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "receiver"},
                auto_decompress=False,
                trust_env=False,
            )
        return self._http


@dataclass(slots=True)
class _Attempts:
    retries: int
    made: int = 0
