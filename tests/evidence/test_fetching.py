"""P13: a probe goes only where it may, whatever answers, names and redirects say; and ends."""

import asyncio
import socket
import tracemalloc
from collections.abc import AsyncIterator, Sequence

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from receiver.evidence.probing.doorkeeper import AddressRefused, Doorkeeper
from receiver.evidence.probing.fetching import Fetched, FetchLimits, GuardedClient, NotFetched
from receiver.hosts import AllowedHosts, read_allowed_host
from tests.edge import Edge, Reply, bomb, leads_to, serving

LIMITS = FetchLimits(within_s=0.5, body_bytes=1 << 16)
NAME = "edge.example"


class Names(AbstractResolver):
    """A DNS server that answers each question with the next of these addresses."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.questions: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """One answer."""
        self.questions.append(host)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in self.answers.pop(0)
        ]

    async def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """A host that may be asked."""
    edge = Edge()
    async with serving(edge):
        yield edge


async def fetch(url: str, *allowed: str, names: Names | None = None, limits: FetchLimits = LIMITS) -> Fetched:
    """One GET with these allowed hosts. Raises NotFetched."""
    hosts = AllowedHosts(tuple(read_allowed_host(text) for text in allowed))
    async with GuardedClient(hosts, limits, names) as client:
        return await client.get(url, {"Livepeer-Jwt": "secret"})


async def refusal(url: str, *allowed: str, names: Names | None = None) -> NotFetched:
    """Why nothing is fetched."""
    with pytest.raises(NotFetched) as caught:
        await fetch(url, *allowed, names=names)
    return caught.value


async def test_an_answer_is_fetched(edge: Edge) -> None:
    """Whatever its status; plainly, without cookies, as ourselves."""
    edge.puts("/x", Reply(b"no", 403, {"Set-Cookie": "a=b"}))
    answer = await fetch(f"{edge.url}/x", "127.0.0.1")
    assert (403, b"no", 0) == (answer.status, answer.body, answer.redirects)
    headers = edge.asked[0].headers
    assert ("identity", "secret", False) == (headers["accept-encoding"], headers["livepeer-jwt"], "cookie" in headers)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(status: int, edge: Edge) -> None:
    """At most five, by GET, with the credentials, without cookies (FACTS 8)."""
    for number in range(5):
        edge.puts(f"/{number}", Reply(b"", status, {"Location": f"/{number + 1}", "Set-Cookie": "a=b"}))
    edge.puts("/5", Reply(b"there"))
    answer = await fetch(f"{edge.url}/0", "127.0.0.1")
    assert (b"there", 5, f"{edge.url}/5") == (answer.body, answer.redirects, str(answer.url))
    assert {("GET", "secret", None)} == {
        (asked.method, asked.headers["livepeer-jwt"], asked.headers.get("cookie")) for asked in edge.asked
    }


async def test_redirects_have_an_end(edge: Edge) -> None:
    """The sixth is not followed."""
    edge.puts("/round", leads_to("/round"))
    refused = await refusal(f"{edge.url}/round", "127.0.0.1")
    assert ("redirects", 5, 6) == (refused.why, refused.redirects, len(edge.asked))


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:{port}/",
        "//127.0.0.2:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://localhost:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f000002:{port}/",
        "http://127.2:{port}/",
        "http://router.internal/",
        "http://127.0.0.1:1/",
        "http://user:password@127.0.0.1:{port}/",
        "http://user@127.0.0.1:{port}/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "data:text/plain,x",
        "gopher://127.0.0.1:{port}/",
        "http://[",
        "http://127.0.0.1:99999/",
        "javascript:alert(1)",
    ],
)
async def test_a_redirect_leads_nowhere_else(target: str, edge: Edge) -> None:
    """Every place is looked at anew; nothing arrives there."""
    other = Edge("127.0.0.2")
    async with serving(other):
        edge.puts("/", leads_to(target.format(port=other.port)))
        refused = await refusal(f"{edge.url}/", f"127.0.0.1:{edge.port}")
    assert (refused.why in {"not_allowed", "malformed"}, 0, 307) == (True, refused.redirects, refused.status or 307)
    assert ([], 1) == (other.asked, len(edge.asked))
    assert "password" not in refused.detail.replace("a password", "")


@pytest.mark.parametrize("url", ["", "index.m3u8", "//127.0.0.1/", "/etc/passwd", "http:///x", "https://", "\x00"])
async def test_an_address_must_be_whole(url: str) -> None:
    """There is nothing to take the rest from."""
    assert (await refusal(url, "127.0.0.1")).why in {"not_allowed", "malformed"}


async def test_no_redirect_leaves_tls() -> None:
    """Players do not follow it, and credentials would be in the clear."""
    async with GuardedClient(AllowedHosts((read_allowed_host("127.0.0.1"),)), LIMITS) as client:
        refused = await _onward(client, "https://127.0.0.1/", "http://127.0.0.1/")
        assert ("not_allowed", True) == (refused.why, "from https:// to http://" in refused.detail)


async def _onward(client: GuardedClient, base: str, url: str) -> NotFetched:
    with pytest.raises(NotFetched) as caught:
        await client.get(url, {}, URL(base))
    return caught.value


async def test_a_name_leads_to_what_was_looked_at(edge: Edge) -> None:
    """It is asked for once; the address that was allowed is the one that is connected to."""
    edge.puts("/", Reply(b"there"))
    names = Names(["127.0.0.1"])
    answer = await fetch(f"http://{NAME}:{edge.port}/", NAME, "127.0.0.1", names=names)
    assert (b"there", [NAME]) == (answer.body, names.questions)
    assert f"{NAME}:{edge.port}" == edge.asked[0].headers["host"]


async def test_a_name_that_changes_leads_nowhere_else(edge: Edge) -> None:
    """DNS rebinding: what was good a moment ago is not asked again under another address. 127.0.0.1 stands for the
    public address here, 127.0.0.2 for the private one."""
    inside = Edge("127.0.0.2")
    async with serving(inside):
        edge.puts("/", leads_to(f"http://{NAME}:{inside.port}/admin"))
        names = Names(["127.0.0.1"], ["127.0.0.2"])
        refused = await refusal(f"http://{NAME}:{edge.port}/", NAME, "127.0.0.1", names=names)
    assert ("not_allowed", [NAME, NAME], []) == (refused.why, names.questions, inside.asked)
    assert f"{NAME} leads to 127.0.0.2, which is neither public nor named in RECEIVER_PROBE_ALLOWED_HOSTS" == str(
        refused
    )


async def test_of_several_addresses_only_the_allowed_are_tried(edge: Edge) -> None:
    """Nothing arrives at the others, whatever their place."""
    inside = Edge("127.0.0.2")
    async with serving(inside):
        names = Names(["127.0.0.2", "127.0.0.1", "::1"])
        await fetch(f"http://{NAME}:{edge.port}/", NAME, "127.0.0.1", names=names)
    assert (1, []) == (len(edge.asked), inside.asked)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fe80::1%lo"]
)
async def test_an_allowed_name_does_not_open_a_private_address(address: str, edge: Edge) -> None:
    """It has to be named itself."""
    refused = await refusal(f"http://{NAME}:{edge.port}/", NAME, names=Names([address]))
    assert ("not_allowed", []) == (refused.why, edge.asked)


async def test_only_allowed_addresses_are_given_to_connect_to() -> None:
    """The first of two nets: sockets for others are not even made."""
    keeper = Doorkeeper(AllowedHosts(()), Names(["10.0.0.1", "8.8.8.8", "::1"], ["10.0.0.1"], []))
    assert ["8.8.8.8"] == [one["host"] for one in await keeper.resolve(NAME, 80)]
    with pytest.raises(AddressRefused):
        await keeper.resolve(NAME, 80)
    with pytest.raises(OSError, match="no address"):
        await keeper.resolve(NAME, 80)


async def test_every_socket_is_looked_at_once_more() -> None:
    """Also where no name was resolved."""
    keeper = Doorkeeper(AllowedHosts(()), Names())
    with pytest.raises(AddressRefused):
        keeper.open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80)))
    keeper.open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 80))).close()


async def test_the_environment_sets_no_proxy(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would connect to what we have not looked at."""
    proxy = Edge("127.0.0.2")
    async with serving(proxy):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        await fetch(f"{edge.url}/", "127.0.0.1")
    assert ([], 1) == (proxy.asked, len(edge.asked))


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(fault="hangs"), "timeout"),
        (Reply(fault="slow"), "timeout"),
        (Reply(fault="endless"), "too_large"),
        (Reply(b"x" * 70_000), "too_large"),
        (bomb(50 << 20), "too_large"),
        (Reply(b"no gzip", 200, {"Content-Encoding": "gzip"}), "malformed"),
        (Reply(bomb(100).body[:-9], 200, {"Content-Encoding": "gzip"}), "malformed"),
        (Reply(b"x", 200, {"Content-Encoding": "br"}), "malformed"),
        (Reply(b"", 200, {"Content-Encoding": "gzip, gzip"}), "malformed"),
        (Reply(fault="broken_chunks"), "timeout"),  # aiohttp tells nobody, and waits
        (Reply(b"x", fault="cut_off"), "malformed"),
        (Reply(fault="no_http"), "malformed"),
        (Reply(fault="closes"), "no_connection"),
        (Reply(b"", 200, {"X-Long": "x" * 10_000}), "malformed"),
    ],
)
async def test_a_fault_has_a_name_and_an_end(reply: Reply, why: str, edge: Edge) -> None:
    """Within the limits of time and size."""
    edge.puts("/secret-path", reply)
    refused = await refusal(f"{edge.url}/secret-path?jwt=secret", "127.0.0.1")
    assert why == refused.why
    assert "secret" not in refused.detail


async def test_what_would_become_too_large_is_never_made(edge: Edge) -> None:
    """Fifty megabytes out of fifty kilobytes do not even exist for a moment."""
    edge.puts("/", bomb(50 << 20))
    tracemalloc.start()
    try:
        assert "too_large" == (await refusal(f"{edge.url}/", "127.0.0.1")).why
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


async def test_what_is_compressed_is_read(edge: Edge) -> None:
    """Though it was not asked for."""
    edge.puts("/", bomb(100))
    assert b"#EXTM3U\n" + b"#" * 100 == (await fetch(f"{edge.url}/", "127.0.0.1")).body


async def test_nobody_there(edge: Edge) -> None:
    """A refused connection is told in the system's words, an unknown name as such."""
    async with serving(gone := Edge()):
        pass
    assert "127.0.0.1: Connection refused" == (await refusal(f"{gone.url}/", "127.0.0.1")).detail
    refused = await refusal(f"http://{NAME}/", NAME, names=Names([]))
    assert "no_connection" == refused.why


async def test_what_speaks_no_tls_is_not_trusted() -> None:
    """Where the address says https."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        refused = await refusal(f"https://127.0.0.1:{port}/", "127.0.0.1")
    assert ("no_connection", True) == (refused.why, "certificate or TLS" in refused.detail)


async def test_it_can_be_cancelled(edge: Edge) -> None:
    """At once, and nothing is left open."""
    edge.puts("/", Reply(fault="hangs"))
    task = asyncio.create_task(fetch(f"{edge.url}/", "127.0.0.1", limits=FetchLimits(within_s=60)))
    while not edge.asked:  # noqa: ASYNC110 -- the server has no event for it
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
