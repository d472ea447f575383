"""The way in. Deliveries are nearly all that comes, and go straight to their handler; everything else goes through the
application, with its routes and middlewares, which would cost a delivery more than reading it."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import hdrs, web

from receiver.routes.malformed import Connections
from receiver.routes.webhook import PATH

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_EXPECT: Final = hdrs.EXPECT


class FrontRunner(web.AppRunner):
    """Serves an application; deliveries as they are usually sent are handled by `receive`. `options` are those of each
    connection."""

    def __init__(
        self,
        app: web.Application,
        receive: Handler,
        *,
        shutdown_timeout: float,
        **options: Any,  # noqa: ANN401 -- aiohttp's own
    ) -> None:
        super().__init__(app, shutdown_timeout=shutdown_timeout, **options)
        self._receive = receive
        self._options = options
        self._connections: Connections | None = None

    @property
    def server(self) -> web.Server | None:
        """What a site makes its connections with; None before `setup` and after `cleanup`."""
        return None if super().server is None else self._connections

    async def setup(self) -> None:
        """Start the application, and make the server ready."""
        await super().setup()
        server, receive = super().server, self._receive
        assert server is not None  # noqa: S101 -- setup has made it
        others: Callable[[Any], Awaitable[web.StreamResponse]] = server.request_handler

        def enter(request: Any) -> Awaitable[web.StreamResponse]:  # noqa: ANN401 -- the application makes Requests
            straight = request.raw_path == PATH and _EXPECT not in request.headers
            return receive(request) if straight else others(request)

        server.request_handler = enter
        self._connections = Connections(server, **self._options)
