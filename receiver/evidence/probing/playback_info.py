"""What Livepeer's playback info says of a playback id (FACTS 8). Pure."""

from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

_HLS: Final = "html5/application/vnd.apple.mpegurl"
_HLS_NAME: Final = "hls"
_WEBRTC_NAME: Final = "webrtc"
_EVERYWHERE: Final = "*"


class PlaybackInfo(Struct, frozen=True):
    """Where and how something is played. `type` is `live`, `vod` or `recording`; `live` may lag by two minutes;
    `policy` is the kind of its playback policy, `public` where it has none. `origins` are those that may embed it; None
    where any may."""

    type: str | None = None
    live: bool | None = None
    policy: str = "public"
    origins: tuple[str, ...] | None = None
    hls_url: str | None = None
    webrtc_url: str | None = None


class _Source(Struct, gc=False):
    hrn: object = None
    type: object = None
    url: object = None

    def named(self, name: str) -> bool:
        return isinstance(self.hrn, str) and self.hrn.lower().startswith(name)


class _Policy(Struct, rename="camel"):
    type: object = None
    allowed_origins: object = None


class _Meta(Struct, rename="camel"):
    live: object = None
    playback_policy: _Policy | None = None
    source: list[_Source] = []


class _Info(Struct):
    type: object = None
    meta: _Meta = msgspec.field(default_factory=_Meta)
    errors: UnsetType = UNSET


_DECODER: Final = msgspec.json.Decoder(_Info)


def read_playback_info(body: bytes) -> PlaybackInfo | None:
    """What is looked at of an answer; None where it has not the form of one. What it says that we do not know is passed
    over."""
    try:
        info = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    policy = info.meta.playback_policy or _Policy()
    return PlaybackInfo(
        type=info.type if isinstance(info.type, str) else None,
        live=bool(info.meta.live) if isinstance(info.meta.live, int) else None,
        policy=policy.type if isinstance(policy.type, str) else "public",
        origins=_origins(policy.allowed_origins),
        hls_url=_url(info.meta.source, kind=_HLS, name=_HLS_NAME),
        webrtc_url=_url(info.meta.source, kind=None, name=_WEBRTC_NAME),
    )


def _url(sources: list[_Source], kind: str | None, name: str) -> str | None:
    """The address of the first source of that type, or that is called so. It is never built (FACTS 8)."""
    for source in sources:
        if isinstance(source.url, str) and ((kind is not None and source.type == kind) or source.named(name)):
            return source.url
    return None


def _origins(given: object) -> tuple[str, ...] | None:
    """None where all are allowed: an empty list, and one that has `*` (FACTS 7.2)."""
    listed = tuple(one for one in given if isinstance(one, str)) if isinstance(given, list) else ()
    return listed if listed and _EVERYWHERE not in listed else None
