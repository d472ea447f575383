"""What of a stored body may be shown: bodies can carry credentials (FACTS 2.1), and viewers' data.

Pure. It errs on the side of hiding: the raw body is there for a token with the scope `raw`.
"""

import math
import re
from typing import Final

from pydantic import JsonValue

REDACTED: Final = "[redacted]"

_SECRET_WORDS: Final = (
    "secret",
    "password",
    "token",
    "accesskey",
    "apikey",
    "streamkey",
    "authorization",
    "jwt",
    "cookie",
)
_SECRET_KEYS: Final = frozenset({"webhookcontext", "context", "userip", "credentials", "playurl"})
_SAFE_KEYS: Final = frozenset({"createdbytokenname"})
_STREAM_KEY: Final = re.compile(r"\b[a-z0-9]{4}(?:-[a-z0-9]{4}){3}\b", re.IGNORECASE)
_JWT: Final = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")
_URL: Final = re.compile(r"\b([a-z][a-z0-9+.-]*)://[^\s\"'<>]*", re.IGNORECASE)
_PUSH_SCHEMES: Final = frozenset({"rtmp", "rtmps", "srt"})


def redact_body(value: JsonValue) -> JsonValue:
    """A copy of a decoded body for the API's answers (DESIGN, P10).

    Hidden are: values under keys named for secrets, `playbackPolicy.webhookContext`, the gate's `context`, `userIP`
    and `playURL`, the headers of `pull`; and in any text: stream keys, JWTs, the credentials and queries of URLs, the
    paths of push URLs. Infinite numbers, which JSON cannot hold, become null.
    """
    match value:
        case dict():
            return {key: _redact_member(key, member) for key, member in value.items()}
        case list():
            return [redact_body(member) for member in value]
        case str():
            return redact_text(value)
        case float() if not math.isfinite(value):
            return None
    return value


def redact_text(text: str) -> str:
    """A text without what looks like a stream key, a JWT, or the secret parts of a URL."""
    text = _URL.sub(_redact_url, text)
    text = _JWT.sub(REDACTED, text)
    return _STREAM_KEY.sub(REDACTED, text)


def _redact_member(key: str, member: JsonValue) -> JsonValue:
    name = "".join(letter for letter in key.lower() if letter.isalnum())
    if member is None or isinstance(member, bool) or name in _SAFE_KEYS:
        return redact_body(member)
    if name in _SECRET_KEYS or any(word in name for word in _SECRET_WORDS):
        return REDACTED
    if name == "pull" and isinstance(member, dict):
        return {part: REDACTED if part == "headers" else _redact_member(part, inner) for part, inner in member.items()}
    return redact_body(member)


def _redact_url(match: re.Match[str]) -> str:
    url, scheme = match[0], match[1]
    head, has_fragment, _ = url.partition("#")
    head, has_query, _ = head.partition("?")
    authority, has_path, path = head[len(scheme) + 3 :].partition("/")
    host = authority.rpartition("@")[2]
    if scheme.lower() in _PUSH_SCHEMES:
        return f"{scheme}://{host}{'/' + REDACTED if has_path or has_query or has_fragment else ''}"
    kept = f"{scheme}://{f'{REDACTED}@' if '@' in authority else ''}{host}{has_path}{path}"
    return f"{kept}?{REDACTED}" if has_query or has_fragment else kept
