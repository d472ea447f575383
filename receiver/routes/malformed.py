"""What is no HTTP at all: aiohttp refuses it before any of our handlers. Its own answer is a text that names its
version, after an error in the log, with a traceback. Anybody can send such, any number of times: ours is a problem like
any other, and it is worth no line."""

import asyncio
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from receiver.errors import BadRequest
from receiver.routes.problems import problem

_TOO_LONG: Final = "A line of the request's head is longer than is read here (8190 bytes)."
_NO_HTTP: Final = "This is not HTTP/1.1 as it can be read: the request line, a header, or how the body is framed."


class Connection(web.RequestHandler):
    """One connection. `heard_s` is when something last came over it, on the loop's clock."""

    __slots__ = ("heard_s",)

    heard_s: float

    def data_received(self, data: bytes) -> None:
        """Take what came, and the time: where much comes at once, a handler begins later."""
        self.heard_s = self._loop.time()
        super().data_received(data)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what cannot be read; it ends the connection. What else goes wrong is aiohttp's to answer."""
        if not isinstance(exc, HttpProcessingError) or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        response = problem(BadRequest(_TOO_LONG if isinstance(exc, LineTooLong) else _NO_HTTP))
        response.force_close()
        return response


def heard_s(request: web.BaseRequest) -> float:
    """When a request came whose handler begins now, on the loop's clock."""
    connection = request.protocol
    return connection.heard_s if isinstance(connection, Connection) else asyncio.get_running_loop().time()


class Connections(web.Server):
    """Makes the connections of an application's server, which keeps them and ends them."""

    def __init__(self, application: web.Server, **options: Any) -> None:  # noqa: ANN401 -- aiohttp's own
        super().__init__(application.request_handler, request_factory=application.request_factory)
        self._application = application
        self._options = options

    def __call__(self) -> Connection:
        """What a socket that was accepted is handed to."""
        return Connection(self._application, loop=asyncio.get_running_loop(), **self._options)
