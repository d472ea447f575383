"""A thousand hostile requests, as bytes: what strangers, scanners, broken proxies and broken senders say.

None has a right to be taken in unless it is signed with the service's secret; whatever is in it, the answer must be
among those that are documented.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from receiver.livepeer.signature import sign

PATH = "/webhooks/livepeer"
STRANGER = "stranger"
"""Begins every id in what is not signed: none of them may be anything to us."""
STREAM_KEY = "k3yz-5ecr-et00-0001"
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzZWNyZXQifQ.c2VjcmV0LXNpZ25hdHVyZQ"


@dataclass(frozen=True)
class Saying:
    """What is sent on a connection of its own. `broken_off`: the connection ends with it, and no answer need come."""

    kind: str
    data: bytes
    broken_off: bool = False


@dataclass(frozen=True)
class Knowledge:
    """What hostile requests are made of: the secret of the service, a token, genuine bodies, the present moment."""

    secret: str
    token: str
    bodies: tuple[bytes, ...]
    now_ms: int

    def signed(self, body: bytes) -> str:
        """A valid signature; its time is the body's, where it has one."""
        try:
            t_ms = json.loads(body)["timestamp"]
        except (ValueError, TypeError, KeyError, RecursionError):
            t_ms = self.now_ms
        fits = isinstance(t_ms, int) and not isinstance(t_ms, bool) and 0 <= t_ms < 10**16
        return sign(self.secret, body, t_ms if fits else self.now_ms)


def request(
    body: bytes = b"",
    *,
    line: bytes = b"POST /webhooks/livepeer HTTP/1.1",
    headers: Iterable[tuple[bytes, bytes]] = (),
    length: bytes | None = None,
) -> bytes:
    """A whole request after which the connection ends; `length` is what it says of the body's."""
    given = [(b"Host", b"receiver"), (b"Connection", b"close"), (b"Content-Type", b"application/json"), *headers]
    given.append((b"Content-Length", str(len(body)).encode() if length is None else length))
    return line + b"\r\n" + b"".join(name + b": " + value + b"\r\n" for name, value in given) + b"\r\n" + body


def delivery(body: bytes, signature: str | bytes | None) -> bytes:
    """A delivery as it should be, whatever its body and its signature."""
    value = signature.encode() if isinstance(signature, str) else signature
    return request(body, headers=() if value is None else [(b"Livepeer-Signature", value)])


def everything(known: Knowledge, random: Random) -> list[Saying]:
    """All of it, in no order."""
    kinds: Mapping[str, Callable[[Knowledge, Random], Iterator[bytes]]] = {
        "wrong types": _wrong_types,
        "strange bodies": _strange_bodies,
        "strangers": _strangers,
        "signatures": _signatures,
        "lengths": _lengths,
        "chunks": _chunks,
        "heads": _heads,
        "lines": _lines,
        "api": _api,
    }
    said = [Saying(kind, data) for kind, make in kinds.items() for data in make(known, random)]
    said += [Saying("truncated", data, broken_off=True) for data in _truncated(known, random)]
    random.shuffle(said)
    return said


_VALUES: tuple[str, ...] = (
    *("null", "true", "-1", "0", "1e999", "-1e999", "0.5", "12345678901234567890", "9" * 4000, "NaN", "-Infinity"),
    *('""', '"\\u0000"', '"\\ud800"', '"\\u202e"', '"\u2028"', '"' + "x" * 5000 + '"', '"' + STREAM_KEY + '"'),
    *("[]", "{}", '{"id":{"id":[]}}', "[" * 150 + "]" * 150, '"2024-09-12"', '"' + "%s%n" * 9 + '"'),
)


def _wrong_types(known: Knowledge, random: Random) -> Iterator[bytes]:
    """Validly signed, every field in turn something else than it should be."""
    for body in known.bodies:
        value = json.loads(body)
        for path in _paths(value):
            wrong = _with(value, path, random.choice(_VALUES))
            yield delivery(wrong, known.signed(wrong))


def _paths(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    members: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    for key, member in members:
        yield (*path, key)
        yield from _paths(member, (*path, key))


def _with(value: Any, path: tuple[Any, ...], text: str) -> bytes:  # noqa: ANN401 -- any JSON
    """The JSON with a text, JSON or not, in the place of one value."""
    changed = json.loads(json.dumps(value))
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = "@here@"
    return json.dumps(changed, separators=(",", ":")).replace('"@here@"', text).encode("utf-8", "surrogatepass")


def _strange_bodies(known: Knowledge, random: Random) -> Iterator[bytes]:
    """Validly signed, and no event."""
    body = random.choice(known.bodies)
    strange = [
        *(b"", b"null", b"true", b"0", b'"x"', b"[]", b"{}", b"{", b'{"id":', b"\x00", b"\xff\xfe", b"\xef\xbb\xbf{}"),
        *(b"[" * depth for depth in (10, 1000, 100_000)),
        *(b'{"a":' * depth + b"1" + b"}" * depth for depth in (100, 300, 50_000)),
        *(b"1" * digits for digits in (400, 4301, 200_000)),
        *(body + tail for tail in (b"\x00", b"{}", b" ", b"\n" * 9000, b"]")),
        *(body[:at] + b"\xc3\x28" + body[at:] for at in (1, 20, len(body) // 2)),
        body.replace(b'"event"', b'"\x00event"'),
        body.replace(b'"id"', b'"id":"twice","id"', 1),
        body.decode().encode("utf-16"),
        body[:-1] + b',"context":{"a":1}}',
        body[:-1] + b',"accessKey":"k"}',
        body[:-1] + b"," + b",".join(b'"k%d":%d' % (n, n) for n in range(20_000)) + b"}",
        body[:-1] + b',"padding":"' + b"p" * 900_000 + b'"}',
        *(body[:at] for at in range(1, len(body), len(body) // 40)),
    ]
    for one in strange:
        yield delivery(one, known.signed(one))


def _strangers(known: Knowledge, random: Random) -> Iterator[bytes]:
    """Of Livepeer's shape, with ids of their own, unsigned or signed with another secret; some carry what is secret."""
    for number in range(150):
        value = json.loads(random.choice(known.bodies))
        value |= {"id": f"{STRANGER}-event-{number}", "webhookId": f"{STRANGER}-webhook"}
        value["stream"] = {"id": f"{STRANGER}-stream-{number}", "streamKey": STREAM_KEY, "name": JWT}
        body = json.dumps(value, separators=(",", ":")).encode()
        signatures = (None, sign("another secret", body, value["timestamp"]), known.signed(body + b" "), "t=1,v1=2")
        yield delivery(body, random.choice(signatures))


def _signatures(known: Knowledge, _: Random) -> Iterator[bytes]:
    """Headers of every malformed kind, made of the right signature."""
    value = json.loads(known.bodies[0]) | {"webhookId": f"{STRANGER}-webhook", "stream": {"id": f"{STRANGER}-stream"}}
    body = json.dumps(value, separators=(",", ":")).encode()
    genuine = known.signed(body)
    t, v1 = (part.partition("=")[2] for part in genuine.split(","))
    for value in _malformed(genuine, t, v1):
        yield delivery(body, value.encode("utf-8"))
        yield delivery(body, value.encode("latin-1", "replace"))
    line = (b"Livepeer-Signature", genuine.encode())
    yield request(body, headers=[line, line])
    yield request(body, headers=[line, (b"Livepeer-Signature", b"t=1,v1=" + b"0" * 64)])


def _malformed(genuine: str, t: str, v1: str) -> Iterator[str]:
    """Headers that are not quite, and not at all, what `genuine` is."""
    yield from ("", ",", "=", "t", "t=", "v1=", "t=,v1=", f"t={t}", f"v1={v1}", f"t={t} v1={v1}", f"t={t};v1={v1}")
    for seal in (v1[:-1], f"{v1}0", f"{v1[:-1]}g", f"\u00e9{v1[1:]}", "0" * 64, f"{v1},v1=", f"0x{v1}", f"'{v1}'"):
        yield f"t={t},v1={seal}"
    strange = (f"-{t}", f"+{t}", f"{t}.0", "0x1", f"{t}e1", "9" * 17, "9" * 5000, "\u0661\u0662", f"{t}{t}", "NaN")
    for time in (*strange, str(int(t) + 1), str(int(t) // 1000), f"{t},t={t}", f"\u00b9{t}", ""):
        yield f"t={time},v1={v1}"
    yield from (f"T={t},V1={v1}", f"t={t},v0={v1}", f"sha256={v1}", f'"{genuine}"', f"{genuine}\x0b", f"{genuine}\xff")
    yield from (genuine + "," * 5000, f"t={t}," + ",".join(["v1=" + "0" * 64] * 17), f"t={t}," * 200 + f"v1={v1}")
    yield from ("a" * 8000, "{}", "null", "%00", STREAM_KEY, JWT)


def _lengths(_: Knowledge, __: Random) -> Iterator[bytes]:
    """What is said of the body's length is not so, or no length."""
    body = b"{}" * 40
    for length in (
        *(b"", b"+2", b"2, 2", b"2,3", b" 2 2", b"\xb2", b"9" * 30, b"1" * 9000),
        *b"-1 0x10 1e3 2.0 abc 10000000 1048577 99999999999 18446744073709551616 0 1 79".split(),
    ):
        yield request(body, length=length)
        yield request(body, headers=[(b"Content-Length", b"80")], length=length)
        yield request(body, headers=[(b"Transfer-Encoding", b"chunked")], length=length)
    for coding in (b"gzip", b"deflate", b"br", b"zstd", b"identity, gzip", b"x" * 500, b"\xff"):
        yield request(body, headers=[(b"Content-Encoding", coding)])
        yield request(body, headers=[(b"Transfer-Encoding", coding)])
    yield from (request(b"x" * size) for size in (1_048_577, 3_000_000))


def _chunks(_: Knowledge, __: Random) -> Iterator[bytes]:
    """Chunked bodies that are none, and one that does not end."""
    head = request(headers=[(b"Transfer-Encoding", b"chunked")]).replace(b"Content-Length: 0\r\n", b"")
    for size in b"zz -1 -0 0x2 ffffffffffffffff 99999999999999999999999 2, \x00 \xb2".split():
        yield head + size + b"\r\n{}\r\n0\r\n\r\n"
    for chunks in (
        *(b"0\r\n\r\n", b"\r\n\r\n", b"1" * 200 + b"\r\n", b"5\r\nab\r\n0\r\n\r\n", b"2\r\n{}0\r\n\r\n"),
        *(b"2\n{}\n0\n\n", b" 2\r\n{}\r\n0\r\n\r\n", b"2 \r\n{}\r\n0\r\n\r\n", b"2\r\n{}\r\n0\r\nA: b\r\n\r\n"),
        b"2;" + b"e" * 9000 + b"\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}\r\n0\r\n" + b"T: t\r\n" * 300 + b"\r\n",
    ):
        yield head + chunks
    yield head + (b"8000\r\n" + b"y" * 0x8000 + b"\r\n") * 64


_HEADERS: tuple[bytes, ...] = (
    *(b"X: " + b"y" * 9000, b"X" * 9000 + b": y", b"\r\n".join(b"X-%d: y" % number for number in range(300))),
    *(b"X: \x00", b"X\x00Y: y", b"X : y", b": y", b" X: y", b"X: a\r\n b", b"X: a\rb", b"X: a\nb", b"X\xff: y", b"X"),
    *(
        b"X: " + bytes(range(128, 256)),
        b"Host: other",
        b"Content-Type: text/plain",
        b"Content-Type: application/json;;;=;\xff",
    ),
    *(
        b"Expect: 100-continue",
        b"Expect: the impossible",
        b"Upgrade: websocket\r\nConnection: Upgrade",
        b"Upgrade: h2c",
    ),
    *(b"Cookie: a=" + b"b" * 4000, b"X-Forwarded-For: " + STRANGER.encode(), b"Range: bytes=0-", b"Connection: , ,"),
    *(b"X-Request-Id: a b\tc" + b"d" * 500, b'Content-Type: application/json; charset="' + b"z" * 300),
)


def _heads(known: Knowledge, _: Random) -> Iterator[bytes]:
    """Heads that are none, or strange."""
    posted = request(known.bodies[0])
    asked = request(line=b"GET /v1/streams HTTP/1.1", headers=[(b"Authorization", known.token.encode()[:-1])])
    for header in _HEADERS:
        yield posted.replace(b"Host: receiver", header, 1)
        yield posted.replace(b"Connection: close", b"Connection: close\r\n" + header, 1)
        yield asked.replace(b"Connection: close", b"Connection: close\r\n" + header, 1)


_METHODS = (b"", *b"GET HEAD PUT DELETE PATCH OPTIONS TRACE CONNECT FOO post P\xd6ST".split())
_VERSIONS = (b"", *b"HTTP/0.9 HTTP/1.0 HTTP/1.2 HTTP/2.0 HTTP/9.9 HTTP/1. http/1.1 ICAP/1.0".split())
_PATHS = (
    *(b"", b"/webhooks/livepeer\x00", b"/\xc3\x28", b"/" + b"a" * 9000, b"/webhooks/livepeer?" + b"a=1&" * 1500),
    *b"/ * //webhooks/livepeer /webhooks//livepeer /webhooks/livepeer/ /WEBHOOKS/LIVEPEER /webhooks/./livepeer".split(),
    *b"/v1/../webhooks/livepeer /webhooks/%2e%2e/webhooks/livepeer /webhooks%2Flivepeer webhooks/livepeer".split(),
    *b"/webhooks/livepeer%00 /webhooks/livepeer;x /webhooks/livepeer%zz /%ff%fe /%E2%80%AE /etc/passwd /.env".split(),
    *b"http://other.example/webhooks/livepeer http://[::1 http:// /../../etc/passwd /wp-login.php".split(),
)


def _lines(_: Knowledge, random: Random) -> Iterator[bytes]:
    """Request lines: methods, versions, paths, and what is no line at all."""
    yield from (request(b"{}", line=method + b" /webhooks/livepeer HTTP/1.1") for method in _METHODS)
    yield from (request(b"{}", line=b"POST /webhooks/livepeer " + version) for version in _VERSIONS)
    for path in _PATHS:
        yield request(b"{}", line=b"POST " + path + b" HTTP/1.1")
        yield request(line=b"GET " + path + b" HTTP/1.1")
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.randbytes(200) + b"\r\n\r\n"
    yield from (random.randbytes(size) + b"\r\n\r\n" for size in (1, 10, 100, 1000, 9000, 60_000))


_QUERIES = (
    *(b"limit=" + b"9" * 5000, b"cursor=" + b"A" * 6000, b"stream_key=" + STREAM_KEY.encode(), b"jwt=" + JWT.encode()),
    *b"limit=0 limit=-1 limit=1e9 cursor=%00 cursor=..%2f %zz=1 %ff=%fe a[]=1 limit=1&limit=2 raw=x = &&&&".split(),
    *b"state=%27%20OR%201=1-- since=0000 since=%00 status=".split(),
)
_REPORTS = (
    *(b"", b"null", b"[]", b"{}", b"[" * 60_000, b"\xff", b"x" * 70_000, b'{"kind":1}'),
    b'{"kind":"publish_intent","stream_id":"\\u0000"}',
    b'{"kind":"publish_intent","stream_id":"s","at":1e999}',
    b'{"kind":"playback_error","playback_id":{}}',
    *(b'{"kind":"publish_intent","%s":"x"}' % key for key in (b"stream_id\x00", b"webhook_id", b"__proto__")),
)


def _api(known: Knowledge, _: Random) -> Iterator[bytes]:
    """The API's paths with hostile queries, ids, tokens and bodies."""
    token = (b"Authorization", b"Bearer " + known.token.encode())
    for name in b"streams diagnoses deliveries webhooks conditions events/x sessions/x nothing".split():
        for query in _QUERIES:
            yield request(line=b"GET /v1/" + name + b"?" + query + b" HTTP/1.1", headers=[token])
    for bearer in (b"", b"Bearer", b"Bearer ", b"Basic x", b"Bearer \xff", b"Bearer " + b"x" * 600, token[1][7:]):
        yield request(line=b"GET /v1/streams HTTP/1.1", headers=[(b"Authorization", bearer)])
    for body in _REPORTS:
        yield request(body, line=b"POST /v1/observations HTTP/1.1", headers=[token])
        yield request(body, line=b"POST /v1/observations HTTP/1.1")


def _truncated(known: Knowledge, random: Random) -> Iterator[bytes]:
    """A genuine request that ends at any place before its end."""
    for _ in range(120):
        body = random.choice(known.bodies)
        whole = delivery(body, known.signed(body))
        yield whole[: random.randrange(1, len(whole))]
