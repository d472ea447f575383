"""P13: which hosts and addresses may be asked."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.hosts import LIVEPEER, AllowedHost, AllowedHosts, is_public, parsed, read_allowed_host

NONE = AllowedHosts(())
V4 = st.ip_addresses(v=4)
V6 = st.ip_addresses(v=6)
SHARED = ip_network("100.64.0.0/10")
NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))


def allowing(*texts: str) -> AllowedHosts:
    """Hosts as they are configured."""
    return AllowedHosts(tuple(read_allowed_host(text) for text in texts))


@pytest.mark.parametrize(
    "host",
    [
        "livepeercdn.studio",
        "vod.livepeercdn.studio",
        "playback.livepeer.studio",
        "fra-prod-catalyst-0.lp-playback.studio",
        "lp-playback.com",
        "prg-01.lp-playback.com",
        "livepeercdn.com",
        "LIVEPEERCDN.studio.",
    ],
)
def test_livepeers_playback_hosts_are_allowed(host: str) -> None:
    """By default, on any port (FACTS 7.5, 8)."""
    assert AllowedHosts(LIVEPEER).allows_host(host, 443)


@pytest.mark.parametrize(
    "host",
    [
        "livepeer.studio",
        "lp-playback.studio",
        "evil-livepeercdn.studio",
        "livepeercdn.studio.evil.example",
        "livepeercdn.studi",
        "studio",
        "127.0.0.1",
        "localhost",
        "169.254.169.254",
        "",
        ".",
    ],
)
def test_no_other_host_is(host: str) -> None:
    """Neither what looks alike nor what is near."""
    assert not AllowedHosts(LIVEPEER).allows_host(host, 443)


def test_a_leading_dot_names_what_is_below_alone() -> None:
    """The bare name has to be given as well."""
    allowed = allowing(".example.com")
    assert [True, True, False] == [
        allowed.allows_host(host, 443) for host in ("a.example.com", "a.b.example.com", "example.com")
    ]


def test_a_port_narrows() -> None:
    """Without one, all ports are meant."""
    allowed = allowing("example.com:8443", "[::1]:8080", "10.0.0.5:80")
    assert (True, False) == (allowed.allows_host("example.com", 8443), allowed.allows_host("example.com", 443))
    assert (True, False) == (allowed.allows_address("::1", 8080), allowed.allows_address("::1", 443))
    assert (True, False) == (allowed.allows_address("10.0.0.5", 80), allowed.allows_address("10.0.0.5", 443))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Example.COM.", AllowedHost("example.com")),
        (".a.example:81", AllowedHost("a.example", 81, subdomains=True)),
        ("xn--bcher-kva.example", AllowedHost("xn--bcher-kva.example")),
        ("127.0.0.1", AllowedHost("127.0.0.1")),
        ("0::1", AllowedHost("::1")),
        ("[FD00::1]", AllowedHost("fd00::1")),
        ("localhost", AllowedHost("localhost")),
    ],
)
def test_a_host_is_read(text: str, expected: AllowedHost) -> None:
    """As it is compared."""
    assert expected == read_allowed_host(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..example", "*.example", "a b", "https://a.example", "a.example/x", "user@a.example", "a.example:"),
        *("a.example:0", "a.example:65536", "2130706433", "127.1", "0177.0.0.1", "1.2.3.999", ".127.0.0.1", ".0.0.1"),
        *("[127.0.0.1]", "[::1", "[fd00::a", "::1%lo", "[fe80::1%25lo]", "bücher.example", "a..example", "-a.example"),
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    """Nothing is guessed of what decides about safety."""
    with pytest.raises(ValueError, match=r".*"):
        read_allowed_host(text)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.0.0.2",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
        ),
        *("192.0.0.8", "192.0.2.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "fec0::1", "2001:db8::1", "::127.0.0.1"),
        *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "2002:7f00:1::"),
        *(
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "100::1",
            "fe80::1%eth0",
            "not an address",
            "",
            "127.1",
            "2130706433",
        ),
    ],
)
def test_no_special_address_is_connected_to(address: str) -> None:
    """Private, loopback, link-local, shared, reserved, multicast, mapped, translated, tunnelled; nor what is none."""
    assert not AllowedHosts(LIVEPEER).allows_address(address, 443)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1"])
def test_a_public_address_is(address: str) -> None:
    """Whatever name led there was allowed."""
    assert NONE.allows_address(address, 443)


@given(V4 | V6)
def test_what_python_takes_for_special_is_never_public(address: IPv4Address | IPv6Address) -> None:
    """Our list is no shorter than that of the library, which changes with its version."""
    special = (
        not address.is_global
        or address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or (address.version == 4 and address in SHARED)
        or (address.version == 6 and any(address in network for network in NAT64))
    )
    assert not (special and is_public(address))
    assert is_public(address) == NONE.allows_address(str(address), 443)


@given(V4)
def test_an_ipv4_address_is_not_let_in_by_another_name(address: IPv4Address) -> None:
    """Mapped, compatible, translated (NAT64), by 6to4 or Teredo: none of these is connected to."""
    number = int(address)
    forms = (
        (0xFFFF << 32) | number,
        number,
        (0x64FF9B << 96) | number,
        (0x2002 << 112) | (number << 80),
        (0x20010000 << 96) | (number ^ 0xFFFFFFFF),
    )
    assert [] == [form for form in map(IPv6Address, forms) if is_public(form)]


@given(V4 | V6, st.integers(1, 65535))
def test_an_address_that_is_named_is_connected_to(address: IPv4Address | IPv6Address, port: int) -> None:
    """It alone, whatever it is."""
    allowed = allowing(str(address))
    assert allowed.allows_address(str(address), port)
    assert allowed.allows_host(str(address), port)
    assert is_public(neighbour := ip_address(int(address) ^ 1)) == allowed.allows_address(str(neighbour), port) or (
        neighbour.version != address.version
    )


def test_localhost_names_the_loopback_addresses() -> None:
    """To connect to; a URL has to say `localhost`."""
    allowed = allowing("localhost:8080")
    assert [True, True, False, False] == [
        allowed.allows_address(address, port)
        for address, port in (("127.0.0.1", 8080), ("::1", 8080), ("127.0.0.1", 80), ("127.0.0.2", 8080))
    ]
    assert [True, False] == [allowed.allows_host(host, 8080) for host in ("localhost", "127.0.0.1")]


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """What is read names itself."""
    try:
        entry = read_allowed_host(text)
    except ValueError:
        return
    assert parsed(entry.name) is not None or entry.name == entry.name.lower()
    assert AllowedHosts((entry,)).allows_host(f"{'x.' * entry.subdomains}{entry.name}", entry.port or 1)
