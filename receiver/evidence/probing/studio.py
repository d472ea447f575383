"""Livepeer's playback info, as anybody may ask for it: without a key (FACTS 8)."""

from types import TracebackType
from typing import Protocol, Self

from yarl import URL

from receiver.evidence.probing.fetching import USUAL, Fetched, FetchLimits, GuardedClient
from receiver.hosts import AllowedHost, AllowedHosts, canonical


class PlaybackInfoSource(Protocol):
    """Asks for the playback info of an id."""

    async def __call__(self, playback_id: str) -> Fetched:
        """Whatever is answered. Raises NotFetched."""
        ...


class StudioPlaybackInfo:
    """Asks the Studio API at `studio_url`, without a key, and no other host. To be made inside a running event loop,
    and closed."""

    def __init__(self, studio_url: str, limits: FetchLimits = USUAL) -> None:
        self._url = URL(studio_url)
        studio = AllowedHost(canonical(self._url.raw_host or ""), self._url.port)
        self._client = GuardedClient(AllowedHosts((studio,), any_address=True), limits)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def __call__(self, playback_id: str) -> Fetched:
        """Whatever is answered. Raises NotFetched."""
        return await self._client.get(str(self._url / "playback" / playback_id), {"Accept": "application/json"})

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
