"""What an HLS playlist says (FACTS 8). Pure. The only module that knows the library `m3u8`."""

import re
from typing import Final, Literal, TypeAlias

import m3u8
import msgspec
from msgspec import Struct

PlaylistKind: TypeAlias = Literal["master", "media", "bare"]

_HEAD: Final = "#EXTM3U"
_ERROR: Final = "#EXT-X-ERROR"
_LOOKED_AT: Final = (
    "#EXT-X-TARGETDURATION:",
    "#EXT-X-MEDIA-SEQUENCE:",
    "#EXT-X-ENDLIST",
    "#EXT-X-STREAM-INF:",
    "#EXTINF:",
)
"""All else is kept from the library: keys and the like cost it the square of their number, and what we do not look at
cannot be malformed."""
_OF_MEDIA: Final = ("#EXT-X-TARGETDURATION:", "#EXT-X-MEDIA-SEQUENCE:", "#EXTINF:")
_FIRST_TRACK: Final = re.compile(r"(?:^|/)([0-9]+)_[0-9]+/")
_LARGEST: Final = 1 << 53


class Unreadable(Exception):
    """A body is no playlist, or one that cannot be read."""


class Rendition(Struct, frozen=True, gc=False):
    """One variant of a master playlist; `uri` is relative to it."""

    uri: str
    bandwidth: int = 0
    resolution: str = ""

    @property
    def shows_source(self) -> bool:
        """Whether its name says that nothing was transcoded, as in recordings (`source/index.m3u8`)."""
        return "source" in self.uri.lower().partition("?")[0].split("/")


class Playlist(Struct, frozen=True):
    """What is looked at of a playlist. `bare` has neither renditions nor anything of a media playlist.

    `error` is the text of its first `#EXT-X-ERROR`, `segments` counts those that have an address, `last` is the address
    of the newest without its query, which may be the session's. `ended` says that no more will come.
    """

    kind: PlaylistKind
    error: str | None = None
    renditions: tuple[Rendition, ...] = ()
    segments: int = 0
    media_sequence: int | None = None
    target_duration_s: int | None = None
    last: str | None = None
    ended: bool = False


class _Segment(Struct, gc=False):
    uri: str | None = None


class _StreamInfo(Struct, gc=False):
    bandwidth: int = 0
    resolution: str = ""


class _Variant(Struct):
    uri: str
    stream_info: _StreamInfo


class _Read(Struct):
    """What the library gives, as far as it is looked at."""

    playlists: list[_Variant]
    segments: list[_Segment]
    media_sequence: int | None = None
    targetduration: int | None = None
    is_endlist: bool = False


def is_playlist(body: bytes) -> bool:
    """Whether a body claims to be a playlist, whatever status and content type came with it."""
    return body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_HEAD.encode())


def read_playlist(body: bytes) -> Playlist:
    """Read any bytes; lines may end with CRLF or LF. Raises Unreadable."""
    if not is_playlist(body):
        raise Unreadable("the answer is no HLS playlist")
    lines = [line.strip() for line in body.decode("utf-8-sig", "replace").splitlines()]
    read = _parsed([line for line in lines if line and (not line.startswith("#") or line.startswith(_LOOKED_AT))])
    segments = [one.uri for one in read.segments if one.uri]
    return Playlist(
        kind=_kind(read, lines),
        error=_error(lines),
        renditions=tuple(
            Rendition(one.uri, one.stream_info.bandwidth, one.stream_info.resolution) for one in read.playlists
        ),
        segments=len(segments),
        media_sequence=_limited(read.media_sequence),
        target_duration_s=_limited(read.targetduration),
        last=segments[-1].partition("?")[0] if segments else None,
        ended=read.is_endlist,
    )


def shows_only_source(renditions: tuple[Rendition, ...]) -> bool:
    """Whether a master playlist has nothing transcoded: a single rendition, several that share one video track (the
    media server's addresses are `VIDEO_AUDIO/index.m3u8`), or none that is not named for the source."""
    tracks = {found[1] if (found := _FIRST_TRACK.search(one.uri)) else one.uri for one in renditions}
    return len(tracks) == 1 or (bool(renditions) and all(one.shows_source for one in renditions))


def _parsed(lines: list[str]) -> _Read:
    """The library raises whatever it comes across."""
    try:
        return msgspec.convert(m3u8.parse("\n".join(lines)), _Read)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, msgspec.MsgspecError):
        raise Unreadable("the playlist is malformed") from None


def _kind(read: _Read, lines: list[str]) -> PlaylistKind:
    if read.playlists:
        return "master"
    return "media" if any(line.startswith(_OF_MEDIA) for line in lines) else "bare"


def _error(lines: list[str]) -> str | None:
    """Its text; one without text is still an error."""
    found = next((line for line in lines if line.startswith(_ERROR)), None)
    return None if found is None else found.removeprefix(_ERROR).removeprefix(":").strip()


def _limited(number: int | None) -> int | None:
    return number if number is not None and 0 <= number < _LARGEST else None
