"""What viewers of a playback id get (FACTS 7.5, 8, 10.2, 10.3).

It reads manifests, never media, and publishes nothing. Credentials are used and forgotten.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from yarl import URL

from receiver.evidence.probing.fetching import Fetched, GuardedClient, NotFetched
from receiver.evidence.probing.playback_info import read_playback_info
from receiver.evidence.probing.playlists import (
    Playlist,
    Rendition,
    Unreadable,
    is_playlist,
    read_playlist,
    shows_only_source,
)
from receiver.evidence.probing.seen import Seen, text_of
from receiver.evidence.probing.studio import PlaybackInfoSource
from receiver.evidence.probing.values import ProbeRequest, WebrtcAnswer
from receiver.evidence.probing.verdicts import (
    Asked,
    Finding,
    moved,
    of_error_line,
    of_no_playlist,
    of_playback_info,
    of_playlist,
    of_webrtc,
)
from receiver.livepeer.redaction import redact_text

Sleep: TypeAlias = Callable[[float], Awaitable[None]]

_WAITS: Final = (1.0, 0.5, 0.5)
"""Times the length of a segment: how players wait for a new one (RFC 8216, 6.3.4)."""
_SEGMENT_S: Final = (1, 10)
_UNKNOWN_SEGMENT_S: Final = 4
_LARGE: Final = 1 << 15
_INCONCLUSIVE: Final = frozenset({"unknown", "unreachable"})
_NO_SUCH_ID: Final = (
    "Livepeer's playback info knows no such id: it is wrong, or what it stood for is deleted or suspended (what has"
    " changed shows within 2 minutes)"
)
_SECRET_AS_ID: Final = "what was given has the form of a secret, such as a stream key, and was sent to nobody"  # noqa: S105


class Look:
    """One probe while it is made."""

    def __init__(self, seen: Seen, client: GuardedClient, playback_info: PlaybackInfoSource, sleep: Sleep) -> None:
        self._seen = seen
        self._request = seen.request
        self._client = client
        self._playback_info = playback_info
        self._sleep = sleep
        self._headers = _headers(seen.request)

    async def whole(self) -> Finding:
        """Playback info, then HLS, then WebRTC where it may tell more."""
        if redact_text(self._request.playback_id) != self._request.playback_id:
            self._seen.detail = _SECRET_AS_ID
            return Finding("missing", "WrongIdentifier")
        self._seen.url = self._request.hls_url
        if self._seen.url is None:
            refused = await self._find()
            if refused is not None:
                return refused
        finding = await self._of(self._hls())
        if self._request.webrtc == "always" or (
            self._request.webrtc == "inconclusive" and finding.verdict in _INCONCLUSIVE
        ):
            return await self._webrtc(finding)
        return finding

    async def _find(self) -> Finding | None:
        """Where to look; a finding where that is not told."""
        try:
            answer = await self._playback_info(self._request.playback_id)
        except NotFetched as error:
            self._seen.detail = f"Livepeer's playback info: {error.detail}"
            self._seen.http_status = error.status
            return Finding("unknown")
        info = read_playback_info(answer.body) if answer.status == 200 else None
        if info is None:
            self._seen.http_status, self._seen.error_line = answer.status, self._seen.line(text_of(answer.body))
            finding = of_playback_info(answer.status, text_of(answer.body))
            self._seen.detail = (
                _NO_SUCH_ID if finding.verdict == "missing" else "this is Livepeer's playback info's answer"
            )
            return finding
        self._seen.info, self._seen.url = info, info.hls_url
        if info.hls_url is None:
            self._seen.detail = "Livepeer's playback info names no HLS address"
            return Finding("unknown")
        return None

    async def _of(self, looking: Awaitable[Finding]) -> Finding:
        """A finding, also of what could not be fetched."""
        try:
            return await looking
        except NotFetched as error:
            self._seen.redirects += error.redirects
            self._seen.http_status, self._seen.detail = error.status, error.detail
            inconclusive = error.why in {"not_allowed", "too_large"}
            return Finding("unknown") if inconclusive else Finding("unreachable", "ManifestUnreachable")

    async def _hls(self) -> Finding:
        """What the HLS address gives. Raises NotFetched."""
        answer = await self._get(self._seen.url or "", None)
        found = await self._playlist(answer)
        if isinstance(found, Finding):
            return found
        if not found.renditions:
            return await self._media(answer, found)
        self._seen.renditions = len(found.renditions)
        finding = await self._renditions(answer.url, found.renditions)
        few = (self._request.expected_renditions or 0) > 1 and shows_only_source(found.renditions)
        return Finding("degraded", "TranscodingStalled") if few and finding.verdict == "plays" else finding

    async def _renditions(self, base: URL, renditions: tuple[Rendition, ...]) -> Finding:
        """What the least of them gives, which is transcoded if any is. Where that has no new media, what the greatest
        gives, which is the source's. Raises NotFetched."""
        ordered = sorted(renditions, key=lambda one: one.bandwidth)
        finding = await self._rendition(base, ordered[0])
        if finding.verdict not in {"empty", "stalled"} or len(ordered) == 1:
            return finding
        of_source = await self._rendition(base, ordered[-1])
        return Finding("degraded", "TranscodingStalled") if of_source.verdict == "plays" else of_source

    async def _rendition(self, base: URL, rendition: Rendition) -> Finding:
        answer = await self._get(rendition.uri, base)
        found = await self._playlist(answer)
        return found if isinstance(found, Finding) else await self._media(answer, found)

    async def _media(self, answer: Fetched, playlist: Playlist) -> Finding:
        """What a media playlist gives, also after a while where more is to come. Raises NotFetched."""
        self._seen.count(playlist)
        finding = of_playlist(playlist)
        if finding.verdict != "plays" or playlist.ended or not self._request.watch:
            return finding
        least_s, most_s = _SEGMENT_S
        segment_s = min(max(playlist.target_duration_s or _UNKNOWN_SEGMENT_S, least_s), most_s)
        for part in _WAITS:
            await self._sleep(part * segment_s)
            later = await self._playlist(await self._get(str(answer.url), None))
            if isinstance(later, Finding):
                return later
            self._seen.count(later)
            if moved(playlist, later):
                self._seen.moved = True
                return of_playlist(later)
        self._seen.moved = False
        over = self._seen.info is not None and self._seen.info.live is False
        return Finding("stalled", "StreamOffline" if over else "MediaLost")

    async def _webrtc(self, finding: Finding) -> Finding:
        """What a GET to the WebRTC address adds to a finding that tells little. It offers nothing and takes nothing."""
        url = None if self._seen.info is None else self._seen.info.webrtc_url
        if url is None:
            return finding
        try:
            answer = await self._client.get(url, self._headers)
        except NotFetched:
            return finding
        self._seen.webrtc = WebrtcAnswer(answer.status, self._seen.line(text_of(answer.body)) or "")
        added = of_webrtc(answer.status, text_of(answer.body), self._asked) if answer.status >= 300 else None
        return added if added is not None and finding.verdict in _INCONCLUSIVE else finding

    async def _get(self, url: str, base: URL | None) -> Fetched:
        answer = await self._client.get(url, self._headers, base)
        self._seen.redirects += answer.redirects
        self._seen.http_status, self._seen.node = answer.status, answer.url.raw_host
        return answer

    async def _playlist(self, answer: Fetched) -> Playlist | Finding:
        """A playlist without an error in it, or what the answer is instead."""
        if not is_playlist(answer.body) or answer.status >= 300:
            self._seen.error_line = self._seen.line(text_of(answer.body))
            return of_no_playlist(answer.status, text_of(answer.body), self._asked)
        try:
            playlist = await _read(answer.body)
        except Unreadable as error:
            self._seen.detail = str(error)
            return Finding("unreachable", "ManifestUnreachable")
        if playlist.error is None:
            return playlist
        self._seen.error_line = self._seen.line(playlist.error) or ""
        return of_error_line(playlist.error, self._asked)

    @property
    def _asked(self) -> Asked:
        return Asked(self._seen.info, self._request.credential, self._request.origin)


async def _read(body: bytes) -> Playlist:
    """A large one takes up to two seconds, which nobody else is to wait for. Raises Unreadable."""
    return read_playlist(body) if len(body) < _LARGE else await asyncio.to_thread(read_playlist, body)


def _headers(request: ProbeRequest) -> Mapping[str, str]:
    """As a browser's player sends them (FACTS 7.3, 7.5)."""
    named = {
        "Livepeer-Jwt": request.jwt,
        "Livepeer-Access-Key": request.access_key,
        "Origin": request.origin,
        "Referer": None if request.origin in {None, "null"} else f"{request.origin}/",
    }
    return {name: value for name, value in named.items() if value is not None}
