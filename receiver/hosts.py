"""Which hosts and addresses may be asked (DESIGN P13). Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)(?!(?:.*\.)?[0-9]+\Z)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*"
)
"""Its last part is no number: such a name is an address to some programs."""
_WITH_PORT: Final = re.compile(r"(.*):([0-9]{1,5})")
_LOOPBACK_NAME: Final = "localhost"
_LOOPBACKS: Final = ("127.0.0.1", "::1")

_SPECIAL: Final = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # of carriers, behind their NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local: the metadata of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
        "2001::/23",  # Teredo, ORCHID and other protocols: some carry an IPv4 address
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries an IPv4 address
        "3fff::/20",
    )
)
_GLOBAL_V6: Final = ip_network("2000::/3")
"""All that is assigned to the public: what is outside is local, multicast, or stands for an IPv4 address (mapped,
NAT64)."""


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """One host that may be asked, or with `subdomains` all below it, but not itself. `name` is a name in small letters
    or an address as `ipaddress` writes it. Without a `port`, on any."""

    name: str
    port: int | None = None
    subdomains: bool = False

    def matches(self, host: str, port: int) -> bool:
        """Whether it stands for this host, as `canonical` writes it."""
        if self.port not in {None, port}:
            return False
        if self.subdomains:
            return host.endswith(f".{self.name}") and parsed(host) is None
        return host == self.name


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """All that may be asked: a host is allowed by what names it; an address that is connected to is allowed if it is
    public, or itself named. With `any_address` the hosts are trusted wherever they are: an operator has written out
    their whole URL."""

    hosts: tuple[AllowedHost, ...]
    any_address: bool = False

    def allows_host(self, host: str, port: int) -> bool:
        """Whether a URL may have this host."""
        name = canonical(host)
        return any(entry.matches(name, port) for entry in self.hosts)

    def allows_address(self, address: str, port: int) -> bool:
        """Whether it may be connected to, whatever name led there. `localhost` names the loopback addresses."""
        found = parsed(address)
        if found is None or self.any_address:
            return self.any_address
        return is_public(found) or any(one.matches(str(found), port) for one in self._addresses)

    @property
    def _addresses(self) -> Iterable[AllowedHost]:
        for entry in self.hosts:
            if entry.name == _LOOPBACK_NAME:
                yield from (AllowedHost(address, entry.port) for address in _LOOPBACKS)
            else:
                yield entry


def canonical(host: str) -> str:
    """A host as it is compared: small letters, no dot at the end, an address in its shortest form."""
    name = host.lower().removesuffix(".")
    found = parsed(name)
    return name if found is None else str(found)


def parsed(text: str) -> Address | None:
    """An address; None for what is none, or one with a zone."""
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Whether an address belongs to somebody on the Internet: not private, local, shared, multicast or reserved, and
    no IPv6 address that stands for an IPv4 one."""
    if address.version == 6 and address not in _GLOBAL_V6:
        return False
    return not any(address in network for network in _SPECIAL if network.version == address.version)


def read_allowed_host(text: str) -> AllowedHost:
    """A host as it is configured: `name`, `.name` for all below it, an address, each perhaps with `:port`; an IPv6
    address with a port in brackets. Raises ValueError, without words."""
    bare = parsed(text.lower())
    if bare is not None:
        return AllowedHost(str(bare))
    found = _WITH_PORT.fullmatch(text)
    host, port = (found[1], int(found[2])) if found else (text, None)
    if port is not None and not 0 < port < 65536:
        raise ValueError
    if host.startswith("[") and host.endswith("]"):
        return AllowedHost(str(_v6(host[1:-1])), port)
    name = canonical(host.removeprefix("."))
    subdomains = host.startswith(".")
    if not (_HOST_NAME.fullmatch(name) or (not subdomains and parsed(name) and ":" not in name)):
        raise ValueError
    return AllowedHost(name, port, subdomains=subdomains)


def _v6(text: str) -> IPv6Address:
    found = parsed(text)
    if not isinstance(found, IPv6Address):
        raise ValueError  # noqa: TRY004 -- a wrong value, not a wrong type
    return found


LIVEPEER: Final = tuple(
    AllowedHost(name, subdomains=subdomains)
    for name in ("livepeercdn.studio", "playback.livepeer.studio", "lp-playback.com", "livepeercdn.com")
    for subdomains in (False, True)
) + tuple(AllowedHost(name, subdomains=True) for name in ("livepeer.studio", "lp-playback.studio"))
"""Where Livepeer serves what is played (FACTS 7.5, 8). Assets and recordings come from storages, too, which whoever
probes them names."""
