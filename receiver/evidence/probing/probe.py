"""One look at what viewers of a playback id get, bounded in time."""

import asyncio
from typing import Final

from receiver.evidence.probing.fetching import GuardedClient
from receiver.evidence.probing.look import Look, Sleep
from receiver.evidence.probing.seen import Seen
from receiver.evidence.probing.studio import PlaybackInfoSource
from receiver.evidence.probing.values import Probed, ProbeRequest
from receiver.evidence.probing.verdicts import Finding

WITHIN_S: Final = 90.0
"""For all of a probe. Each request has a limit of its own (`FetchLimits`)."""


async def probe(
    request: ProbeRequest, client: GuardedClient, playback_info: PlaybackInfoSource, sleep: Sleep = asyncio.sleep
) -> Probed:
    """Look once. What the network does is a verdict; raises InvalidRequest for what cannot be asked, and may be
    cancelled at any time. `sleep` passes the time in which new segments are awaited, at most twice a segment's
    length."""
    request.check()
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    seen = Seen(request)
    try:
        async with asyncio.timeout(WITHIN_S):
            finding = await Look(seen, client, playback_info, sleep).whole()
    except TimeoutError:
        seen.detail = f"it took longer than {WITHIN_S:g} s"
        finding = Finding("unknown")
    return seen.told(finding, took_ms=round((loop.time() - begun_s) * 1000))
