"""All that looks, for as long as the service runs: the watch, and probes on demand."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from receiver.clock import Clock
from receiver.errors import StoreUnavailable, Unavailable
from receiver.evidence.prober import PacedPlaybackInfo, Prober, finding_of
from receiver.evidence.probing.fetching import GuardedClient
from receiver.evidence.probing.look import Sleep
from receiver.evidence.probing.studio import StudioPlaybackInfo
from receiver.evidence.probing.values import Probed, ProbeRequest
from receiver.evidence.watch import Watch
from receiver.hosts import AllowedHosts
from receiver.ids import Ids
from receiver.livepeer.studio import StudioClient
from receiver.rates import Bucket, Rate
from receiver.seeing import Seen, note
from receiver.settings import Settings
from receiver.storage.engine import Database

ON_DEMAND = Rate(2, 20)
"""Probes that callers ask for: who asks for many at once is told to wait."""


class Lookout:
    """Made once; `start` and `stop` belong together. `tell` is called when something was seen."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        ids: Ids,
        clock: Clock,
        studio: StudioClient,
        tell: Callable[[], None],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._settings, self._database, self._ids, self._clock = settings, database, ids, clock
        self._studio, self._tell, self._sleep = studio, tell, sleep
        self._open = AsyncExitStack()
        self._prober: Prober | None = None
        self._watch: Watch | None = None
        self._on_demand = Bucket(ON_DEMAND, clock.now_ms())

    @property
    def store_fault(self) -> StoreUnavailable | None:
        """Why the watch could not use the store, if it could not."""
        return None if self._watch is None else self._watch.store_fault

    async def start(self, *, attended: bool = False) -> None:
        """Begin to look, as far as the settings want it. With `attended`, nothing happens by itself."""
        allowed = AllowedHosts(self._settings.probe_allowed_hosts)
        client = await self._open.enter_async_context(GuardedClient(allowed))
        playback_info = await self._open.enter_async_context(StudioPlaybackInfo(self._settings.studio_url))
        self._prober = Prober(client, PacedPlaybackInfo(playback_info, self._studio), self._clock, self._sleep)
        limits = self._settings.limits()
        if self._settings.diagnoses and (limits.asks_studio or limits.probes):
            studio = self._studio if limits.asks_studio else None
            prober = self._prober if limits.probes else None
            self._watch = Watch(self._database, self._ids, self._clock, studio, prober, self._tell)
            if not attended:
                await self._watch.start()

    async def stop(self) -> None:
        """Finish the looks at hand."""
        if self._watch is not None:
            await self._watch.stop()
        await self._open.aclose()

    async def look(self) -> int:
        """Look at what is due now; at how many streams. Raises StoreUnavailable."""
        return 0 if self._watch is None else await self._watch.look()

    async def probe(self, request: ProbeRequest, stream_id: str) -> Probed:
        """Look once at a stream, and tell the state machines. Raises InvalidRequest, StoreUnavailable, and Unavailable
        where too many were asked for, or we are not started."""
        now_ms = self._clock.now_ms()
        if self._prober is None or not self._on_demand.has(now_ms):
            raise Unavailable("Too many probes were asked for at once. Please try again.", retry_after_s=2)
        self._on_demand.take()
        probed = await self._prober(request)
        seen = Seen(finding_of(probed, request), stream_id=stream_id)
        await note(self._database, self._ids, self._clock.now_ms(), [seen])
        self._tell()
        return probed
