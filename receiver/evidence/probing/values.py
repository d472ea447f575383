"""What a probe is asked for, and what it found."""

import re
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from receiver.diagnosis.looks import PlaybackVerdict
from receiver.errors import FieldError, InvalidRequest

Verdict: TypeAlias = PlaybackVerdict
Credential: TypeAlias = Literal["none", "jwt", "access_key", "both"]
Webrtc: TypeAlias = Literal["never", "inconclusive", "always"]

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_CREDENTIAL: Final = re.compile(r"[!-~]{1,8192}", re.ASCII)
_ORIGIN: Final = re.compile(r"null|[a-z][a-z0-9+.-]*://[^\s/?#@\\]{1,255}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """What to look at, and as whom. Its `repr` shows no credential.

    `hls_url` is asked for instead of the one that the playback info names, which is then not read. `origin` is that of
    the page that embeds the player (`https://www.example.com`). `expected_renditions` counts those that the master
    playlist should list, the source's included. `watch` says whether to look again for new segments of a live stream,
    which takes twice the length of a segment at most. `at_ms` is the moment at which the probe begins.
    """

    playback_id: str
    at_ms: int
    jwt: str | None = field(default=None, repr=False)
    access_key: str | None = field(default=None, repr=False)
    origin: str | None = None
    hls_url: str | None = field(default=None, repr=False)
    expected_renditions: int | None = None
    watch: bool = True
    webrtc: Webrtc = "inconclusive"

    def check(self) -> None:
        """Raises InvalidRequest for what cannot be asked; no message repeats a value."""
        rules = (
            (not _ID.fullmatch(self.playback_id), "/playback_id", "is no playback id: 16 letters and digits"),
            (not _sendable(self.jwt), "/jwt", "must be one word of visible ASCII characters"),
            (not _sendable(self.access_key), "/access_key", "must be one word of visible ASCII characters"),
            (
                self.origin is not None and not is_origin(self.origin),
                "/origin",
                "must be an origin as browsers send it: scheme and host, no path, such as https://www.example.com",
            ),
        )
        broken: list[FieldError] = [{"pointer": pointer, "detail": detail} for wrong, pointer, detail in rules if wrong]
        if broken:
            raise InvalidRequest("The probe cannot be made.", broken)

    @property
    def credential(self) -> Credential:
        """Which kind of credential is sent."""
        if self.jwt is not None and self.access_key is not None:
            return "both"
        return "jwt" if self.jwt is not None else "access_key" if self.access_key is not None else "none"


class WebrtcAnswer(Struct, frozen=True, gc=False):
    """What a harmless GET to the WebRTC address was answered; `text` is redacted."""

    http_status: int
    text: str


class Probed(Struct, frozen=True):
    """What a probe found; it holds no credential.

    `url` is the HLS address that was asked for, without credentials and query; None where there was none to ask for.
    `verdict` says what a viewer would have got, `reason` why, in the catalogue's names (`hls_manifest_empty`,
    `playback_forbidden`); None where it plays, or where no reason is known. `http_status` is that of the answer that
    decided. `error_line` is what `#EXT-X-ERROR` or the answer's body said, redacted; `detail` what went wrong on the
    way. `segments` counts those of the rendition that was looked at, `renditions` those that the master lists,
    `redirects` all that were followed. `moved` says whether new segments came while we looked; None where none were
    awaited. `type`, `live` and `policy` are of the playback info, which may lag by two minutes (FACTS 8).
    """

    playback_id: str
    url: str | None
    verdict: Verdict
    reason: str | None
    at_ms: int
    took_ms: int
    http_status: int | None = None
    error_line: str | None = None
    detail: str | None = None
    segments: int | None = None
    renditions: int | None = None
    redirects: int = 0
    media_sequence: int | None = None
    moved: bool | None = None
    node: str | None = None
    """The host that answered last."""
    type: str | None = None
    live: bool | None = None
    policy: str | None = None
    credential: Credential = "none"
    origin: str | None = None
    webrtc: WebrtcAnswer | None = None


def is_origin(text: str) -> bool:
    """Whether a browser may send it as its `Origin`."""
    return _ORIGIN.fullmatch(text) is not None


def _sendable(credential: str | None) -> bool:
    return credential is None or _CREDENTIAL.fullmatch(credential) is not None
