"""204 without a body: what nearly every delivery is answered with, the same bytes for all within a second."""

from collections.abc import Mapping
from email.utils import formatdate

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from receiver.clock import Clock


class NoContent(web.StreamResponse):
    """The answer to HTTP/1.1 on a connection that stays open. All requests share one: it keeps nothing of any."""

    def __init__(self, headers: Mapping[str, str], clock: Clock) -> None:
        super().__init__(status=204, headers=headers)
        self._clock = clock
        self._second = -1
        self._head = b""

    @property
    def keep_alive(self) -> bool:
        """The connection stays open."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Send all there is: the head."""
        second = self._clock.now_ms() // 1000
        if second != self._second:
            self._second, self._head = second, self._head_at(second)
        await request.writer.write_eof(self._head)
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""

    def _head_at(self, second: int) -> bytes:
        headers = {**self.headers, hdrs.DATE: formatdate(second, usegmt=True)}
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode()
