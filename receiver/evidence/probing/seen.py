"""What a probe has met so far, and how it is told: without credentials."""

from dataclasses import dataclass, field
from typing import Final

from receiver.evidence.probing.playback_info import PlaybackInfo
from receiver.evidence.probing.playlists import Playlist
from receiver.evidence.probing.values import Probed, ProbeRequest, WebrtcAnswer
from receiver.evidence.probing.verdicts import Finding
from receiver.livepeer.redaction import redact_text
from receiver.redaction import Redactor

_LONGEST_TEXT: Final = 200
_LOOKED_INTO: Final = 4096


@dataclass(slots=True)
class Seen:
    """Filled while it is looked; the names are those of `Probed`."""

    request: ProbeRequest
    url: str | None = field(default=None, repr=False)
    http_status: int | None = None
    error_line: str | None = None
    detail: str | None = None
    segments: int | None = None
    renditions: int | None = None
    redirects: int = 0
    media_sequence: int | None = None
    moved: bool | None = None
    node: str | None = None
    info: PlaybackInfo | None = None
    webrtc: WebrtcAnswer | None = None

    def count(self, playlist: Playlist) -> None:
        """What a media playlist holds."""
        self.segments, self.media_sequence = playlist.segments, playlist.media_sequence

    def line(self, text: str) -> str | None:
        """What somebody says, in one short line without secrets; None where it says nothing."""
        line = " ".join(self._plain(text).split())
        return (line if len(line) <= _LONGEST_TEXT else f"{line[: _LONGEST_TEXT - 1]}…") or None

    def told(self, finding: Finding, took_ms: int) -> Probed:
        """The answer."""
        info = self.info or PlaybackInfo()
        return Probed(
            playback_id=redact_text(self.request.playback_id),
            url=None if self.url is None else self._plain(self.url),
            verdict=finding.verdict,
            reason=finding.reason,
            at_ms=self.request.at_ms,
            took_ms=took_ms,
            http_status=self.http_status,
            error_line=self.error_line,
            detail=None if self.detail is None else self.line(self.detail),
            segments=self.segments,
            renditions=self.renditions,
            redirects=self.redirects,
            media_sequence=self.media_sequence,
            moved=self.moved,
            node=self.node,
            type=info.type,
            live=info.live,
            policy=None if self.info is None else info.policy,
            credential=self.request.credential,
            origin=self.request.origin,
            webrtc=self.webrtc,
        )

    def _plain(self, text: str) -> str:
        known = (one for one in (self.request.jwt, self.request.access_key) if one is not None)
        return redact_text(Redactor(known).text(text))


def text_of(body: bytes) -> str:
    """The beginning of what a body says."""
    return body[:_LOOKED_INTO].decode("utf-8", "replace")
