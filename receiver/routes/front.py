"""The way in. Deliveries are nearly all that comes: whole ones are answered at the entrance, others go straight to
their handler. Everything else goes through the application, with its routes and middlewares, which would cost a
delivery more than reading it."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import hdrs, web

from receiver.clock import SystemClock
from receiver.reception import PATH
from receiver.routes.entrance import Entrances
from receiver.routes.malformed import Connections
from receiver.routes.webhook import TAKEN_IN, WebhookEndpoint

_EXPECT: Final = hdrs.EXPECT


class FrontRunner(web.AppRunner):
    """Serves an application; deliveries are `endpoint`'s. A connection may be silent for `keepalive_timeout` seconds;
    further `options` are those of each connection that is aiohttp's."""

    def __init__(
        self,
        app: web.Application,
        endpoint: WebhookEndpoint,
        *,
        shutdown_timeout: float,
        keepalive_timeout: float,
        **options: Any,  # noqa: ANN401 -- aiohttp's own
    ) -> None:
        options["keepalive_timeout"] = keepalive_timeout
        super().__init__(app, shutdown_timeout=shutdown_timeout, **options)
        self._endpoint = endpoint
        self._silent_s, self._options = keepalive_timeout, options
        self._entrances: Entrances | None = None

    @property
    def server(self) -> Any:  # noqa: ANN401 -- a site does nothing but call it
        """What a site makes its connections with; None before `setup` and after `cleanup`."""
        return None if super().server is None else self._entrances

    async def setup(self) -> None:
        """Start the application, and make the server ready."""
        await super().setup()
        server, receive = super().server, self._endpoint.receive
        assert server is not None  # noqa: S101 -- setup has made it
        others: Callable[[Any], Awaitable[web.StreamResponse]] = server.request_handler

        def enter(request: Any) -> Awaitable[web.StreamResponse]:  # noqa: ANN401 -- the application makes Requests
            straight = request.raw_path == PATH and _EXPECT not in request.headers
            return receive(request) if straight else others(request)

        server.request_handler = enter
        ordinary = Connections(server, **self._options)
        self._entrances = Entrances(self._endpoint.take_in, TAKEN_IN, ordinary, self._silent_s, SystemClock())

    async def shutdown(self) -> None:
        """Let go of who is at the entrance, as aiohttp does of the others. What is being stored there is answered when
        the application ends, which commits it, at the latest."""
        await super().shutdown()
        if self._entrances is not None:
            self._entrances.shut()
