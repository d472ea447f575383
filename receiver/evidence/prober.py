"""Probes as findings: what viewers of a stream, or of a recording, get, told to the state machines."""

import asyncio
from dataclasses import dataclass
from typing import Final

from receiver.clock import Clock
from receiver.diagnosis.looks import PlaybackFinding
from receiver.diagnosis.refusal import Access, Asked, explain
from receiver.evidence.probing.fetching import Fetched, GuardedClient, NotFetched
from receiver.evidence.probing.look import Sleep
from receiver.evidence.probing.probe import probe
from receiver.evidence.probing.studio import PlaybackInfoSource
from receiver.evidence.probing.values import Probed, ProbeRequest
from receiver.livepeer.studio import StudioClient
from receiver.livepeer.studio.failures import RateLimited

_OF_TOKENS: Final = "Jwt"


@dataclass(frozen=True, slots=True)
class PacedPlaybackInfo:
    """Asks the Studio API for playback info only when it is our turn: it is one of its calls, though without a key."""

    source: PlaybackInfoSource
    studio: StudioClient

    async def __call__(self, playback_id: str) -> Fetched:
        """See `PlaybackInfoSource`."""
        try:
            await self.studio.turn()
        except RateLimited as error:
            raise NotFetched("timeout", error.detail) from None
        return await self.source(playback_id)


@dataclass(frozen=True, slots=True)
class Prober:
    """Looks at what viewers get. `sleep` passes the time in which new segments are awaited."""

    client: GuardedClient
    playback_info: PlaybackInfoSource
    clock: Clock
    sleep: Sleep = asyncio.sleep

    async def __call__(self, request: ProbeRequest) -> Probed:
        """Look once. Raises InvalidRequest for what cannot be asked."""
        return await probe(request, self.client, self.playback_info, self.sleep)


def finding_of(probed: Probed, request: ProbeRequest, session_id: str | None = None) -> PlaybackFinding:
    """What is kept of a probe: no credential, and no address. Of a token that was refused, what is wrong with it."""
    return PlaybackFinding(
        verdict=probed.verdict,
        reason=_token_fault(probed, request) or probed.reason,
        http_status=probed.http_status,
        error_line=probed.error_line,
        segments=probed.segments,
        renditions=probed.renditions,
        live=None if probed.live is None else bool(probed.live),
        credential="access_key" if request.credential == "both" else request.credential,
        origin=request.origin is not None,
        session_id=session_id,
    )


def _token_fault(probed: Probed, request: ProbeRequest) -> str | None:
    if probed.verdict != "denied" or request.jwt is None or request.access_key is not None:
        return None
    explained = explain(Asked(request.playback_id, request.jwt, None, None, None), Access(), request.at_ms)
    return explained.reason if explained.verdict == "denied" and explained.reason.startswith(_OF_TOKENS) else None
