"""Which addresses are connected to (DESIGN P13)."""

import socket
from typing import Final

from aiohappyeyeballs import AddrInfoType
from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from receiver.hosts import AllowedHosts

_SAID: Final = "is neither public nor named in RECEIVER_PROBE_ALLOWED_HOSTS"


class AddressRefused(OSError):
    """An address that may not be connected to."""


class Doorkeeper(AbstractResolver):
    """Resolves a name once for each connection, and gives only addresses that may be connected to; and looks once more
    at the address of every socket that is made, which for a URL with an address is the only time. So what was looked at
    is what is connected to, whatever the name stands for a moment later."""

    def __init__(self, allowed: AllowedHosts, resolver: AbstractResolver) -> None:
        self._allowed = allowed
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses that may be connected to. Raises AddressRefused where there is no such one, OSError where there
        is none at all, as the resolver itself does."""
        found = await self._resolver.resolve(host, port, family)
        if not found:
            raise OSError("no address")
        allowed = [one for one in found if self._allowed.allows_address(one["host"], one["port"])]
        if not allowed:
            raise AddressRefused(f"{found[0]['host']}, which {_SAID}")
        return allowed

    async def close(self) -> None:
        """Release the resolver."""
        await self._resolver.close()

    def connector(self) -> TCPConnector:
        """Connections that this looks at, each of them: no address is remembered, and none is used again."""
        return TCPConnector(resolver=self, socket_factory=self.open_socket, use_dns_cache=False, force_close=True)

    def open_socket(self, info: AddrInfoType) -> socket.socket:
        """A socket for this address. Raises AddressRefused."""
        family, kind, protocol, _, address = info
        host, port = str(address[0]), int(address[1])
        if not self._allowed.allows_address(host, port):
            raise AddressRefused(f"{host}, which {_SAID}")
        return socket.socket(family, kind, protocol)
