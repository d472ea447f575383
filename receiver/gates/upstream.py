"""The operator's own decision URL, called within a deadline whatever it does.

As Livepeer does (FACTS 7.1, 12), redirects are followed up to five times, keeping the POST; but only on the URL's own
scheme, host and port: the call holds a viewer's access key. One that leads elsewhere is a fault, and the URL is to be
corrected. A question may be asked twice: where a connection that was kept ends before there is an answer, it is.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import aiohttp
from aiohttp import hdrs
from msgspec import Struct
from yarl import URL

from receiver.gates.decision import MAX_ANSWER_BYTES

MOST_CONNECTIONS: Final = 1000
"""At once, to one decision URL; who comes later waits for one of these, within its deadline."""
MOST_REDIRECTS: Final = 5
KEPT_S: Final = 30.0
"""How long a connection is kept for the next call."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Answer(Struct, frozen=True, gc=False):
    """What a call is answered with: the bytes as they came, encoded as `encoding` says. Its body is not shown."""

    status: int
    body: bytes
    content_type: str | None = None
    encoding: str | None = None

    def __repr__(self) -> str:
        return f"Answer(status={self.status}, bytes={len(self.body)})"


class NoAnswer(Exception):
    """There is none that could be passed on. `code` says why: `timed_out`, `unreachable`, `disconnected`,
    `answer_malformed`, `answer_too_large`, `redirected`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class DecisionUrl:
    """One URL, with its connections. `start` and `stop` belong together."""

    def __init__(self, url: str, most_connections: int = MOST_CONNECTIONS) -> None:
        self._url = URL(url)
        self._most_connections = most_connections
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Make ready to call."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._most_connections, keepalive_timeout=KEPT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
        )

    async def stop(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def ask(self, body: bytes, headers: Mapping[str, str], until_s: float) -> Answer:
        """The answer to a POST of this body with these headers; `until_s` is on the loop's clock. Raises NoAnswer, at
        the deadline at the latest."""
        try:
            async with asyncio.timeout_at(until_s):
                return await self._asked(body, headers)
        except TimeoutError:
            raise NoAnswer("timed_out") from None
        except aiohttp.ClientConnectorError:
            raise NoAnswer("unreachable") from None
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, OSError):
            raise NoAnswer("disconnected") from None
        except (aiohttp.ClientError, ValueError):
            raise NoAnswer("answer_malformed") from None

    async def _asked(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            return await self._followed(body, headers)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            return await self._followed(body, headers)

    async def _followed(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        assert self._session is not None, "a gate is started before it is asked"  # noqa: S101 -- by the service
        url = self._url
        for _ in range(MOST_REDIRECTS + 1):
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                if response.status not in _REDIRECTS or hdrs.LOCATION not in response.headers:
                    return await _read(response)
                url = _next(url, response.headers[hdrs.LOCATION])
        raise NoAnswer("redirected")


async def _read(response: aiohttp.ClientResponse) -> Answer:
    if (response.content_length or 0) > MAX_ANSWER_BYTES:
        raise NoAnswer("answer_too_large")
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            raise NoAnswer("answer_too_large")
    return Answer(
        response.status,
        bytes(body),
        _plain(response.headers.get(hdrs.CONTENT_TYPE)),
        _plain(response.headers.get(hdrs.CONTENT_ENCODING)),
    )


def _plain(value: str | None) -> str | None:
    """A header that can be passed on."""
    return value if value and value.isascii() and value.isprintable() else None


def _next(url: URL, location: str) -> URL:
    following = url.join(URL(location))
    if following.user is not None or following.origin() != url.origin():
        raise NoAnswer("redirected")
    return following
