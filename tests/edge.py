"""A playback edge and Studio's playback info, as FACTS 7.5 and 8 have them, on real sockets, with faults as data."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import JsonValue

FIXTURES = Path(__file__).parent / "fixtures" / "probe"
PLAYBACK_ID = "7c1ek7izba9nzj4b"
MASTER = f"/hls/{PLAYBACK_ID}/index.m3u8"
WEBRTC = f"/webrtc/{PLAYBACK_ID}"
INFO = f"/api/playback/{PLAYBACK_ID}"
HLS_TYPE = "html5/application/vnd.apple.mpegurl"
OFFLINE = "Stream open failed"
DENIED = "Shutting down since this session is not allowed to view this stream"
Fault: TypeAlias = Literal["none", "hangs", "slow", "endless", "broken_chunks", "cut_off", "closes", "no_http"]


@dataclass(frozen=True)
class Reply:
    """What is answered, and what goes wrong with it."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault = "none"


@dataclass(frozen=True)
class Asked:
    """One request that came: its path and query, its headers in small letters."""

    method: str
    target: str
    headers: Mapping[str, str]


Handler: TypeAlias = Callable[[Asked], Reply]


class Edge:
    """A server on 127.0.0.1 (or another loopback address) that answers by path; what it has no reply for is 404."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = 0
        self.replies: dict[str, Reply | Handler] = {}
        self.asked: list[Asked] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}"

    def puts(self, path: str, reply: "Reply | Handler") -> None:
        """Answer this there."""
        self.replies[path] = reply

    def knows(self, **info: JsonValue) -> None:
        """Playback info of the one playback id; `hls` is where it is played, `webrtc` likewise."""
        hls = info.pop("hls", f"{self.url}{MASTER}")
        webrtc = info.pop("webrtc", None)
        kind = info.pop("type", "live")
        sources: list[JsonValue] = (
            [{"hrn": "WebRTC (H264)", "type": "html5/video/h264", "url": webrtc}] if webrtc else []
        )
        sources.append({"hrn": "HLS (TS)", "type": HLS_TYPE, "url": hls})
        self.puts(INFO, as_json({"type": kind, "meta": {"live": 1, "source": sources, **info}}))

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request on one connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            named = (line.split(": ", 1) for line in head[1:] if line)
            asked = Asked(method, target, {name.lower(): value for name, value in named})
            self.asked.append(asked)
            found = self.replies.get(target.partition("?")[0], Reply(b"404", 404))
            await _send(writer, found if isinstance(found, Reply) else found(asked))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    if reply.fault == "closes":
        return
    if reply.fault == "no_http":
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        return
    if reply.fault == "hangs":
        await asyncio.sleep(60)
    chunked = reply.fault in {"broken_chunks", "endless", "slow"}
    length = len(reply.body) + (100 if reply.fault == "cut_off" else 0)
    framing = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(length)}
    lines = [f"{name}: {value}" for name, value in {**reply.headers, **framing, "Connection": "close"}.items()]
    writer.write("\r\n".join([f"HTTP/1.1 {reply.status} Because", *lines, "", ""]).encode("latin-1"))
    if not chunked:
        writer.write(reply.body)
        await writer.drain()
        return
    if reply.fault == "broken_chunks":
        writer.write(b"1\r\n#\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(b"no number at all\r\n")
        return
    while True:
        writer.write(b"5\r\nslow\n\r\n" if reply.fault == "slow" else b"10000\r\n" + b"#" * 65536 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.02 if reply.fault == "slow" else 0)


@asynccontextmanager
async def serving(*edges: Edge) -> AsyncIterator[None]:
    """They listen meanwhile, each on a port of its own."""
    connections: set[asyncio.Task[None]] = set()
    servers = [await _listen(edge, connections) for edge in edges]
    try:
        yield
    finally:
        for server in servers:
            server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        for server in servers:
            await server.wait_closed()


async def _listen(edge: Edge, connections: set[asyncio.Task[None]]) -> asyncio.Server:
    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(edge.answer(reader, writer)))

    server = await asyncio.start_server(connected, edge.host, 0)
    edge.port = server.sockets[0].getsockname()[1]
    return server


def as_json(value: JsonValue, status: int = 200) -> Reply:
    """JSON, as Studio writes it."""
    return Reply(json.dumps(value, separators=(",", ":")).encode(), status, {"Content-Type": "application/json"})


def refused(text: str, status: int) -> Reply:
    """An error of Studio's (FACTS 9)."""
    return as_json({"errors": [text]}, status)


def leads_to(url: str, status: int = 307) -> Reply:
    """A redirect."""
    return Reply(b"", status, {"Location": url})


def fixture(name: str) -> Reply:
    """A fixture as it travels: manifests byte for byte, JSON compact."""
    body = (FIXTURES / name).read_bytes()
    return as_json(json.loads(body)) if name.endswith(".json") else playlist(body)


def playlist(text: str | bytes) -> Reply:
    """An HLS manifest."""
    body = text.encode() if isinstance(text, str) else text
    return Reply(body, 200, {"Content-Type": "application/vnd.apple.mpegurl"})


def with_error(text: str, end: str = "\r\n") -> Reply:
    """A manifest that says what is wrong, with a 200."""
    return playlist(end.join(["#EXTM3U", f"#EXT-X-ERROR: {text}", "#EXT-X-ENDLIST", ""]))


def bomb(size: int) -> Reply:
    """A playlist of so many bytes, in a thousandth of them."""
    return Reply(gzip.compress(b"#EXTM3U\n" + b"#" * size), 200, {"Content-Encoding": "gzip"})


@dataclass
class LiveSource:
    """A live stream whose segments appear as the test moves time (FACTS 8): CRLF, relative addresses, the newest
    segment withheld, an empty media playlist with an end while there is none."""

    edge: Edge
    renditions: Sequence[str] = ("0_1", "1_1", "2_1")
    """The first is the source."""
    segment_s: int = 2
    window: int = 5
    published: dict[str, int] = field(default_factory=dict)
    stalled: set[str] = field(default_factory=set)
    over: bool = False
    slept_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.published = dict.fromkeys(self.renditions, 0)
        self.edge.puts(MASTER, leads_to(f"/hls/video+{PLAYBACK_ID}/index.m3u8?tkn=1"))
        self.edge.puts(f"/hls/video+{PLAYBACK_ID}/index.m3u8", lambda _: playlist(self.master()))
        for name in self.renditions:
            path = f"/hls/video+{PLAYBACK_ID}/{name}/index.m3u8"
            self.edge.puts(path, partial(self._answer, name))

    def _answer(self, name: str, _: Asked) -> Reply:
        return playlist(self.media(name))

    def pass_s(self, seconds: float) -> None:
        """Let time pass at the source."""
        for name in self.renditions:
            if name not in self.stalled and not self.over:
                self.published[name] += round(seconds / self.segment_s)

    async def sleep(self, seconds: float) -> None:
        """What a probe is given to wait with."""
        self.slept_s.append(seconds)
        self.pass_s(seconds)
        await asyncio.sleep(0)

    def master(self) -> str:
        """The master playlist as it is now."""
        lines = ["#EXTM3U"]
        for place, name in enumerate(self.renditions):
            bandwidth = 4_000_000 // (place + 1)
            lines += [f"#EXT-X-STREAM-INF:PROGRAM-ID=1,BANDWIDTH={bandwidth}", f"{name}/index.m3u8?tkn=1"]
        return "\r\n".join([*lines, ""])

    def media(self, name: str) -> str:
        """A media playlist as it is now."""
        newest = self.published[name]
        first = max(0, newest - self.window)
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{self.segment_s}"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first}")
        for number in range(first, newest):
            lines += [f"#EXTINF:{self.segment_s}.000,", f"{number}_{number + 1}.ts?tkn={number}"]
        if self.over or newest == 0:
            lines.append("#EXT-X-ENDLIST")
        return "\r\n".join([*lines, ""])
