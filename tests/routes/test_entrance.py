"""Connections at the entrance, over bare sockets. What is stored, and when, the tests say; what is not for the entrance
goes to a real server of aiohttp."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from receiver.clock import ManualClock
from receiver.errors import Overloaded, StoreUnavailable
from receiver.routes.entrance import Entrance, Entrances
from receiver.routes.no_content import NoContent
from tests.routes.test_whole import request
from tests.running import until

SILENT_S = 0.2
NEW_YEAR_MS = 1_767_225_600_000
TAKEN_IN = b"HTTP/1.1 204 No Content\r\nServer: receiver\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
LATER = b"GET /later HTTP/1.1\r\nHost: receiver\r\n\r\n"
CLOSE = b"Connection: close"


@dataclass
class Store:
    """Takes in what the entrance does; `stored` of each is done when the test says so."""

    taken: list[tuple[bytes, str | None, str]] = field(default_factory=list)
    stored: list[asyncio.Future[Any]] = field(default_factory=list)
    refusing: Exception | None = None

    def take_in(self, body: bytes, signature: str | None, remote: str) -> asyncio.Future[Any]:
        """One more."""
        if self.refusing is not None:
            raise self.refusing
        self.taken.append((body, signature, remote))
        self.stored.append(asyncio.get_running_loop().create_future())
        return self.stored[-1]


@dataclass
class Visitor:
    """A client."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def says(self, data: bytes) -> None:
        """Send it in one piece."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> bytes:
        """Of the next answer."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """All until the connection ends."""
        return await self.reader.read()


class Watched(Entrance):
    """One whose socket can be closed by hand."""

    transport: asyncio.BaseTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As ever."""
        self.transport = transport
        super().connection_made(transport)


@dataclass
class House:
    """The entrance, what is behind it, and those who came."""

    entrances: Entrances
    store: Store
    port: int
    connections: list[Watched]
    came: list[Visitor] = field(default_factory=list)

    async def visitor(self) -> Visitor:
        """A new one."""
        self.came.append(Visitor(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.came[-1]

    async def takes_in(self, number: int) -> asyncio.Future[Any]:
        """The delivery of that number, once it is there."""
        await until(lambda: len(self.store.stored) > number)
        return self.store.stored[number]


async def answer(asked: web.BaseRequest) -> web.StreamResponse:
    """Whatever is not for the entrance."""
    return web.Response(text=f"{asked.method} {len(await asked.read())}")


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """At New Year."""
    store, clock = Store(), ManualClock(NEW_YEAR_MS)
    others = web.Server(answer)
    entrances = Entrances(store.take_in, NoContent({"Server": "receiver"}, clock), others, SILENT_S, clock)
    connections: list[Watched] = []

    def enter() -> Watched:
        connections.append(Watched(entrances))
        return connections[-1]

    server = await asyncio.get_running_loop().create_server(enter, "127.0.0.1", 0)
    found = House(entrances, store, server.sockets[0].getsockname()[1], connections)
    yield found
    for visitor in found.came:
        visitor.writer.close()
    server.close()
    await others.shutdown(1)


async def test_deliveries_are_answered_once_they_are_stored(house: House) -> None:
    """One after the other on a connection that stays open; nothing is said before."""
    visitor = await house.visitor()
    for number in range(3):
        await visitor.says(request())
        stored = await house.takes_in(number)
        early = asyncio.create_task(visitor.head())
        await asyncio.sleep(0.01)
        assert not early.done()
        stored.set_result(None)
        assert TAKEN_IN + b"\r\n" == await early
    assert [(b'{"id":"1"}', "t=1,v1=ab", "127.0.0.1")] * 3 == house.store.taken


async def test_a_connection_that_is_to_end_ends(house: House) -> None:
    """As Livepeer's do, and the answer says so."""
    visitor = await house.visitor()
    await visitor.says(request(CLOSE))
    (await house.takes_in(0)).set_result(None)
    assert TAKEN_IN + b"Connection: close\r\n\r\n" == await visitor.rest()
    await until(lambda: not house.entrances.open)


async def test_what_is_no_delivery_goes_on_as_any_other_connection(house: House) -> None:
    """So do deliveries on it from then on."""
    visitor = await house.visitor()
    await visitor.says(request())
    (await house.takes_in(0)).set_result(None)
    await visitor.head()
    await visitor.says(LATER + request())
    assert (await visitor.head()).startswith(b"HTTP/1.1 200 OK")
    assert b"GET 0" == await visitor.reader.readexactly(5)
    await visitor.head()
    assert b"POST 10" == await visitor.reader.readexactly(7)
    assert (1, 0) == (len(house.store.taken), len(house.entrances.open))


async def test_a_delivery_in_pieces_is_answered_too(house: House) -> None:
    """By aiohttp, which waits for the rest."""
    visitor = await house.visitor()
    await visitor.says(request(CLOSE)[:-3])
    await until(lambda: not house.entrances.open)
    await visitor.says(request(CLOSE)[-3:])
    assert (await visitor.rest()).endswith(b"POST 10")


@pytest.mark.parametrize("error", [Overloaded("Too much."), RuntimeError("A defect.")])
async def test_what_cannot_be_taken_in_is_for_others_to_answer(house: House, error: Exception) -> None:
    """Whatever is wrong with it: they meet it again, and know what to say."""
    house.store.refusing = error
    visitor = await house.visitor()
    await visitor.says(request(CLOSE))
    assert (await visitor.rest()).endswith(b"POST 10")


async def test_what_comes_behind_a_delivery_waits_for_its_answer(house: House) -> None:
    """However much it is; the answers are in the order of what was asked."""
    visitor, large = await house.visitor(), b"x" * 300_000
    await visitor.says(request())
    stored = await house.takes_in(0)
    sending = asyncio.create_task(visitor.says(request(CLOSE, body=large)))
    await asyncio.sleep(0.05)
    stored.set_result(None)
    assert (await visitor.rest()).startswith(TAKEN_IN + b"\r\nHTTP/1.1 200 OK")
    await sending


async def test_a_whole_delivery_behind_another_is_taken_in(house: House) -> None:
    """It came while the first was being stored."""
    visitor = await house.visitor()
    await visitor.says(request())
    first = await house.takes_in(0)
    await visitor.says(request(CLOSE))
    await asyncio.sleep(0.01)
    first.set_result(None)
    (await house.takes_in(1)).set_result(None)
    assert TAKEN_IN + b"\r\n" + TAKEN_IN + b"Connection: close\r\n\r\n" == await visitor.rest()


async def test_what_cannot_be_stored_is_a_problem(house: House) -> None:
    """With `Retry-After`; the connection ends behind it."""
    visitor = await house.visitor()
    await visitor.says(request())
    (await house.takes_in(0)).set_exception(StoreUnavailable("Please try again."))
    head, _, body = (await visitor.rest()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    for line in (
        b"Content-Type: application/problem+json; charset=utf-8",
        b"Retry-After: 5",
        b"Server: receiver",
        b"Connection: close",
        b"Content-Length: %d" % len(body),
        b"Date: Thu, 01 Jan 2026 00:00:00 GMT",
    ):
        assert line in head.split(b"\r\n")
    assert b'"code": "store_unavailable"' in body
    assert b"Please try again." in body


async def test_a_defect_is_told_without_its_text(house: House) -> None:
    """500, which the sender tries again."""
    visitor = await house.visitor()
    await visitor.says(request())
    (await house.takes_in(0)).set_exception(ValueError("of a secret"))
    told = await visitor.rest()
    assert told.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"secret" not in told


async def test_who_is_gone_is_not_answered(house: House) -> None:
    """What it delivered is stored, and the next is served."""
    visitor = await house.visitor()
    await visitor.says(request())
    stored = await house.takes_in(0)
    visitor.writer.transport.abort()
    await until(lambda: not house.entrances.open)
    stored.set_result(None)
    other = await house.visitor()
    await other.says(request(CLOSE))
    (await house.takes_in(1)).set_result(None)
    assert (await other.rest()).startswith(TAKEN_IN)


async def test_a_silent_connection_is_closed(house: House) -> None:
    """Not one whose delivery is being stored, however long that takes; silence counts from its answer."""
    silent, busy = await house.visitor(), await house.visitor()
    await busy.says(request())
    stored = await house.takes_in(0)
    assert b"" == await silent.rest()
    await asyncio.sleep(SILENT_S)
    assert len(house.entrances.open) == 1
    stored.set_result(None)
    assert TAKEN_IN + b"\r\n" == await busy.rest()


async def test_shutting_answers_what_is_being_stored(house: House) -> None:
    """And closes the rest at once, as well as who comes later."""
    house.entrances.silent_s = 3600
    idle, busy = await house.visitor(), await house.visitor()
    await busy.says(request())
    stored = await house.takes_in(0)
    await until(lambda: len(house.entrances.open) == 2)
    house.entrances.shut()
    assert b"" == await idle.rest()
    async with asyncio.timeout(5):
        assert b"" == await (await house.visitor()).rest()
    stored.set_result(None)
    assert TAKEN_IN + b"Connection: close\r\n\r\n" == await busy.rest()


async def test_nobody_is_answered_on_a_connection_that_is_ending(house: House) -> None:
    """Who hangs up in the moment of the commit: what came behind the delivery is nobody's any more."""
    visitor = await house.visitor()
    await visitor.says(request())
    stored = await house.takes_in(0)
    await visitor.says(LATER)
    await asyncio.sleep(0.01)
    handed_over: list[asyncio.Protocol] = []

    def ordinary() -> asyncio.Protocol:
        handed_over.append(asyncio.Protocol())
        return handed_over[-1]

    house.entrances.ordinary = ordinary
    stored.set_result(None)
    house.connections[0].transport.close()
    assert b"" == await visitor.rest()
    assert [] == handed_over


async def test_who_does_not_read_is_handed_over_as_such(house: House) -> None:
    """Whoever goes on with the connection is told that it is full, before it is told that there is room again."""
    told: list[str] = []

    class Next(asyncio.Protocol):
        def pause_writing(self) -> None:
            told.append("full")

        def resume_writing(self) -> None:
            told.append("room")

    house.entrances.ordinary = Next
    visitor = await house.visitor()
    await visitor.says(request())
    stored = await house.takes_in(0)
    entrance = house.connections[0]
    entrance.pause_writing()
    entrance.resume_writing()
    entrance.pause_writing()
    stored.set_result(None)
    await visitor.head()
    await visitor.says(LATER)
    await until(lambda: told)
    assert ["full"] == told
