"""What is read as a whole delivery is what aiohttp would read; whatever is not, is left to it."""

import asyncio
from collections.abc import Iterator

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser
from aiohttp.http_exceptions import HttpProcessingError
from hypothesis import given
from hypothesis import strategies as st

from receiver.reception import PATH
from receiver.routes.whole import Whole, read_whole

START = f"POST {PATH} HTTP/1.1".encode()
FIELDS = (
    b"Host: receiver",
    b"content-type: application/json",
    b"Livepeer-Signature: t=1,v1=ab",
    b"User-Agent: livepeer.studio",
)
BODY = b'{"id":"1"}'


def request(*more: bytes, start: bytes = START, fields: tuple[bytes, ...] = FIELDS, body: bytes = BODY) -> bytes:
    """A delivery with further lines in its head."""
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join([start, *fields, length, *more, b"", body])


def aiohttps(data: bytes) -> Whole | None:
    """What aiohttp reads in the same bytes: a delivery, if they are exactly one."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, max_line_size=8190, max_field_size=8190)
        messages, upgraded, tail = parser.feed_data(data)
        if len(messages) != 1 or upgraded or tail:
            return None
        (message, payload) = messages[0]
        body = payload.read_nowait()
        if not payload.is_eof() or (message.method, message.path) != ("POST", PATH):
            return None
        signature = message.headers.getall("Livepeer-Signature", None)
        return Whole(body, None if signature is None else ",".join(signature), not message.should_close)
    except HttpProcessingError:
        return None
    finally:
        loop.close()


@pytest.mark.parametrize(
    ("more", "stays_open"),
    [
        ((), True),
        ((b"Connection: close",), False),
        ((b"connection: Keep-Alive",), True),
        ((b"X-Forwarded-For: 192.0.2.7, 10.0.0.1", b"Accept: */*", b"Accept-Encoding: gzip,deflate"), True),
        ((b"X-Empty: ",), True),
    ],
)
def test_a_delivery_as_it_usually_comes(more: tuple[bytes, ...], *, stays_open: bool) -> None:
    """Body, signature, and whether the connection stays open."""
    found = read_whole(request(*more))
    assert Whole(BODY, "t=1,v1=ab", stays_open) == found == aiohttps(request(*more))


def test_a_delivery_without_signature() -> None:
    """It may be that none is wanted."""
    sent = request(fields=FIELDS[:2])
    assert Whole(BODY, None, stays_open=True) == read_whole(sent) == aiohttps(sent)


def unusual() -> Iterator[bytes]:
    """What is not read here."""
    yield from (b"", b"G", request()[:-1], request() + b" ", request() + request())
    yield request(start=b"GET /webhooks/livepeer HTTP/1.1")
    yield request(start=b"POST /webhooks/livepeer HTTP/1.0")
    yield request(start=b"POST /webhooks/livepeer/ HTTP/1.1")
    yield request(b"Content-Length: 10")
    yield request(b"content-length: 9")
    yield request(b"Transfer-Encoding: chunked")
    yield request(b"Transfer-encoding: identity")
    yield request(b"Content-Encoding: gzip")
    yield request(b"Expect: 100-continue")
    yield request(b"Upgrade: h2c", b"Connection: upgrade")
    yield request(b"Connection: close, keep-alive")
    yield request(b"Trailer: a")
    yield request(b"Proxy-Connection: close")
    yield request(b"Sec-WebSocket-Key1: a")
    yield request(*(b"A%d: b" % number for number in range(100)))
    yield request(b"Livepeer-Signature: t=2,v1=cd")
    yield request(b"A:b")
    yield request(b"A : b")
    yield request(b" folded: b")
    yield request(b"A: b\r c")
    yield request(b"A: b\n c")
    yield request(b"A: \xe4")
    yield request(b"A: \0")
    yield request(b"no colon")
    yield request(b"A: " + b"x" * 9000)
    yield request(fields=FIELDS[1:])
    yield request(fields=(FIELDS[0], b"Content-Type: application/json; charset=utf-8", *FIELDS[2:]))
    yield request(fields=(FIELDS[0], b"Content-Type: text/plain", *FIELDS[2:]))
    yield request().replace(b"Length: 10", b"Length: +10")
    yield request().replace(b"Length: 10", b"Length: 010")
    yield request().replace(b"\r\n", b"\n")


@pytest.mark.parametrize("sent", [*unusual()])
def test_what_is_unusual_is_not_read_here(sent: bytes) -> None:
    """Though aiohttp may take it."""
    assert read_whole(sent) is None


LINES = (b"Connection: close", b"Transfer-Encoding: chunked", b"Content-Length: 10", b"Host: b", b"X: y")
BITS = (b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b": ", b"\0", b"\xff", b"a", b"0", b"1", b"\r\n\r\n", b"chunked")
PIECES = st.sampled_from([b"", *BITS, *(line + b"\r\n" for line in LINES)])


@given(
    st.lists(st.tuples(st.integers(0, 220), st.integers(0, 3), st.one_of(st.just(b""), PIECES)), min_size=0, max_size=3)
)
def test_it_means_the_same_to_aiohttp(edits: list[tuple[int, int, bytes]]) -> None:
    """However a delivery is altered: what is read here at all is the one delivery that aiohttp reads."""
    sent = request(b"Connection: keep-alive")
    for at, cut, piece in edits:
        sent = sent[:at] + piece + sent[at + cut :]
    found = read_whole(sent)
    assert found is None or found == aiohttps(sent)
