"""The way in. Deliveries are nearly all that comes, and go straight to their handler; everything else goes through the
application, with its routes and middlewares, which would cost a delivery more than reading it."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import hdrs, web

from receiver.routes.webhook import PATH

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_EXPECT: Final = hdrs.EXPECT


class FrontRunner(web.AppRunner):
    """Serves an application; deliveries as they are usually sent are handled by `receive`."""

    def __init__(self, app: web.Application, receive: Handler, **options: Any) -> None:  # noqa: ANN401 -- aiohttp's own
        super().__init__(app, **options)
        self._receive = receive

    async def setup(self) -> None:
        """Start the application, and make the server ready."""
        await super().setup()
        server, receive = self.server, self._receive
        assert server is not None  # noqa: S101 -- setup has made it
        others: Callable[[Any], Awaitable[web.StreamResponse]] = server.request_handler

        def enter(request: Any) -> Awaitable[web.StreamResponse]:  # noqa: ANN401 -- the application makes Requests
            straight = request.raw_path == PATH and _EXPECT not in request.headers
            return receive(request) if straight else others(request)

        server.request_handler = enter
