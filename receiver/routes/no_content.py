"""204 without a body: what nearly every delivery is answered with, the same bytes for all within a second."""

from collections.abc import Mapping
from email.utils import formatdate
from typing import Final

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from receiver.clock import Clock

_NOTHING_MORE: Final[Mapping[str, str]] = {}


class NoContent(web.StreamResponse):
    """The answer to HTTP/1.1 on a connection that stays open. All requests share one: it keeps nothing of any."""

    def __init__(self, headers: Mapping[str, str], clock: Clock) -> None:
        super().__init__(status=204, headers=headers)
        self._clock = clock
        self._second = -1
        self._head, self._last_head = b"", b""

    @property
    def keep_alive(self) -> bool:
        """The connection stays open."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Send all there is: the head."""
        await request.writer.write_eof(self.head())
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""

    def head(self, *, stays_open: bool = True) -> bytes:
        """All there is to send, and whether the connection stays open behind it."""
        second = self._clock.now_ms() // 1000
        if second != self._second:
            self._second = second
            self._head = head_of(self, second)
            self._last_head = head_of(self, second, {hdrs.CONNECTION: "close"})
        return self._head if stays_open else self._last_head


def head_of(response: web.StreamResponse, second: int, more: Mapping[str, str] = _NOTHING_MORE) -> bytes:
    """The head of an answer at a moment, in seconds since 1970, to HTTP/1.1."""
    headers = {**response.headers, hdrs.DATE: formatdate(second, usegmt=True), **more}
    lines = [f"HTTP/1.1 {response.status} {response.reason}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()
