"""A webhook's URL as we see it from here: whether its host is public, as Livepeer requires (FACTS 1.3), and whether it
redirects.

It is asked with a GET that holds nothing of ours, on public addresses alone (DESIGN P13), and not followed.
"""

import asyncio
import socket
from types import TracebackType
from typing import Final, Self

import aiohttp
from msgspec import Struct
from yarl import URL

from receiver.evidence.probing.doorkeeper import Doorkeeper
from receiver.hosts import AllowedHost, AllowedHosts, canonical, is_public, parsed

WITHIN_S: Final = 5.0
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SCHEMES: Final = frozenset({"http", "https"})


class Reached(Struct, frozen=True, gc=False):
    """`public` is None where the host has no address; `redirects` the status with which the URL redirects, 0 where it
    does not, None where that was not found out."""

    public: bool | None = None
    redirects: int | None = None


class Reach:
    """Looks at URLs. `also` are addresses that are asked though they are private. To be made inside a running event
    loop, and closed."""

    def __init__(self, also: tuple[AllowedHost, ...] = (), within_s: float = WITHIN_S) -> None:
        self._also = AllowedHosts(also)
        self._within_s = within_s
        self._session = aiohttp.ClientSession(
            connector=Doorkeeper(self._also, aiohttp.ThreadedResolver()).connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=within_s),
            headers={"User-Agent": "livepeer-receiver (check)"},
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

    async def look(self, url: str | None, *, ask: bool = True) -> Reached:
        """What can be seen of a URL; only with `ask` is it asked itself."""
        try:
            found = URL(url or "")
            host, port = found.raw_host, found.port
        except ValueError:
            return Reached()
        if found.scheme not in _SCHEMES or not host or port is None:
            return Reached()
        addresses = await self._addresses(host, port)
        if not addresses:
            return Reached()
        public = all((address := parsed(one)) is not None and is_public(address) for one in addresses)
        allowed = public or all(self._also.allows_address(one, port) for one in addresses)
        return Reached(public, await self._redirects(found) if ask and allowed else None)

    async def _addresses(self, host: str, port: int) -> list[str]:
        if parsed(host) is not None:
            return [canonical(host)]
        try:
            async with asyncio.timeout(self._within_s):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, TimeoutError):
            return []
        return sorted({str(address[0]) for _, _, _, _, address in found})

    async def _redirects(self, url: URL) -> int | None:
        plain = url.with_user(None)
        try:
            async with self._session.get(plain, allow_redirects=False) as response:
                return response.status if response.status in _REDIRECTS else 0
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError):
            return None


async def is_public_url(url: str) -> bool | None:
    """Whether a URL's host has public addresses only; None where it has none, or there is no host."""
    async with Reach() as reach:
        return (await reach.look(url, ask=False)).public
