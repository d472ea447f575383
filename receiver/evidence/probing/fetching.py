"""GET from hosts that are allowed, and from nowhere else (DESIGN P13).

The rule is applied to each URL before it is asked for, to each address before it is connected to (`Doorkeeper`), and to
every place that an answer leads on to. What is read is bounded in time and size, also once it is decompressed.
"""

import asyncio
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

import aiohttp
from msgspec import Struct
from yarl import URL

from receiver.evidence.probing.doorkeeper import AddressRefused, Doorkeeper
from receiver.hosts import AllowedHosts

Why: TypeAlias = Literal["not_allowed", "no_connection", "timeout", "too_large", "malformed", "redirects"]

MOST_REDIRECTS: Final = 5
_LEADS_ON: Final = frozenset({301, 302, 303, 307, 308})
_SCHEMES: Final = frozenset({"http", "https"})
_PLAIN: Final = frozenset({"", "identity"})
_ZIPPED: Final = frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_OR_ZLIB: Final = 47
_CHUNK: Final = 1 << 16
_AGENT: Final = "livepeer-receiver (probe)"


class FetchLimits(Struct, frozen=True, gc=False):
    """For one request, its redirects included: seconds, and bytes of the body, as sent and decompressed."""

    within_s: float = 10.0
    body_bytes: int = 1 << 20


USUAL: Final = FetchLimits()


class Fetched(Struct, frozen=True, gc=False):
    """An answer. `url` is the last place that was asked."""

    url: URL
    status: int
    body: bytes
    redirects: int


class NotFetched(Exception):
    """There is no whole answer. `detail` names hosts, no paths and queries; `status` is there where an answer began.
    `not_allowed`: it was we who would not go there."""

    def __init__(self, why: Why, detail: str, *, redirects: int = 0, status: int | None = None) -> None:
        super().__init__(detail)
        self.why: Why = why
        self.detail = detail
        self.redirects = redirects
        self.status = status


class GuardedClient:
    """Asks hosts that are allowed. To be made inside a running event loop, and closed; any number may use it at once.
    It keeps no cookies, uses no proxy, and connects to no address that it has not just looked at."""

    def __init__(
        self,
        allowed: AllowedHosts,
        limits: FetchLimits = USUAL,
        resolver: aiohttp.abc.AbstractResolver | None = None,
    ) -> None:
        self._allowed = allowed
        self._limits = limits
        self._doorkeeper = Doorkeeper(allowed, resolver or aiohttp.ThreadedResolver())
        self._session = aiohttp.ClientSession(
            connector=self._doorkeeper.connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": _AGENT, "Accept": "*/*", "Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
        await self._doorkeeper.close()

    async def get(self, url: str, headers: Mapping[str, str], base: URL | None = None) -> Fetched:
        """What is answered at a URL, which may be relative to `base`, after its redirects; the headers go to each place
        that is asked. Raises NotFetched."""
        here, trail = self._checked(url, base), _Trail()
        try:
            async with asyncio.timeout(self._limits.within_s):
                while isinstance(answer := await self._ask(here, headers, trail), str):
                    here = self._onward(answer, here, trail)
        except NotFetched as error:
            error.redirects, error.status = trail.redirects, trail.status
            raise
        except TimeoutError:
            detail = f"no whole answer within {self._limits.within_s:g} s"
            raise NotFetched("timeout", detail, redirects=trail.redirects, status=trail.status) from None
        return Fetched(here, answer.status, answer.body, trail.redirects)

    def _onward(self, url: str, base: URL, trail: "_Trail") -> URL:
        """Where an answer leads to. Raises NotFetched."""
        if trail.redirects == MOST_REDIRECTS:
            raise NotFetched("redirects", f"{base.raw_host} leads on after {MOST_REDIRECTS} redirects")
        onward = self._checked(url, base)
        trail.redirects += 1
        return onward

    def _checked(self, url: str, base: URL | None) -> URL:
        """A URL that may be asked for. Raises NotFetched."""
        try:
            found = URL(url) if base is None else base.join(URL(url))
            host, port = found.raw_host, found.port
        except ValueError:
            raise NotFetched("malformed", "an address is no URL") from None
        if found.scheme not in _SCHEMES or not host or port is None:
            raise NotFetched("not_allowed", "an address does not begin with https:// or http://")
        if found.raw_user is not None or found.raw_password is not None:
            raise NotFetched("not_allowed", f"the address at {host} holds a user or a password")
        if base is not None and base.scheme == "https" and found.scheme == "http":
            raise NotFetched("not_allowed", f"{base.raw_host} leads from https:// to http://, which no player follows")
        if not self._allowed.allows_host(host, port):
            raise NotFetched("not_allowed", f"{host} is not among RECEIVER_PROBE_ALLOWED_HOSTS")
        return found

    async def _ask(self, url: URL, headers: Mapping[str, str], trail: "_Trail") -> Fetched | str:
        """One answer, or where it leads to. Raises NotFetched, TimeoutError."""
        trail.status = None
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False, timeout=_NO_OTHER) as response:
                trail.status = status = response.status
                if status in _LEADS_ON and (target := response.headers.get("Location")):
                    return target
                return Fetched(url, status, await self._body(response), 0)
        except TimeoutError:
            raise
        except (aiohttp.ClientError, ValueError, OSError) as error:
            raise _failure(error, url, trail.status) from None

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        """The body, read while it is not too large. Raises NotFetched."""
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in _PLAIN | _ZIPPED:
            raise NotFetched("malformed", "the answer is encoded in a way that we did not ask for")
        most, body = self._limits.body_bytes, bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > most:
                raise _too_large(most)
        return bytes(body) if encoding in _PLAIN else _unzipped(bytes(body), most)


@dataclass(slots=True)
class _Trail:
    """How far a request has come: redirects followed, and the status of the place asked last; None while it is
    silent."""

    redirects: int = 0
    status: int | None = None


_NO_OTHER: Final = aiohttp.ClientTimeout(total=None)
"""The time is taken around all of a request's redirects."""


def _unzipped(body: bytes, most: int) -> bytes:
    """Raises NotFetched for what would become too large, without making it."""
    unzip = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        plain = unzip.decompress(body, most + 1)
    except zlib.error:
        raise NotFetched("malformed", "the answer cannot be decompressed") from None
    if len(plain) > most:
        raise _too_large(most)
    if not unzip.eof:
        raise NotFetched("malformed", "the answer cannot be decompressed: its end is missing")
    return plain


def _too_large(most: int) -> NotFetched:
    return NotFetched("too_large", f"the answer is larger than {most} bytes")


def _failure(error: Exception, url: URL, status: int | None) -> NotFetched:
    """What the system said, without the URL that the library would put into it."""
    refused = _refusal(error)
    if refused is not None:
        return NotFetched("not_allowed", f"{url.raw_host} leads to {refused}")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return NotFetched("no_connection", f"the name {url.raw_host} is not known")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return NotFetched("no_connection", f"{url.raw_host} cannot be trusted: its certificate or TLS is not valid")
    if isinstance(error, aiohttp.ClientConnectorError):
        return NotFetched("no_connection", f"{url.raw_host}: {_said(error.os_error)}")
    if status is not None or isinstance(error, aiohttp.ClientResponseError | ValueError):
        return NotFetched("malformed", f"the answer of {url.raw_host} is broken off or malformed")
    return NotFetched("no_connection", f"{url.raw_host} closed the connection")


def _refusal(error: BaseException) -> AddressRefused | None:
    """The doorkeeper's word, where it is what is behind an error of the library's."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, AddressRefused):
        found = found.os_error if isinstance(found, aiohttp.ClientConnectorError) else None
    return found


def _said(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else "no connection"
