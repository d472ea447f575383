"""What of a stored body may be shown: bodies can carry credentials (FACTS 2.1), and viewers' data.

Pure. What secrets are called and look like is known in `receiver.redaction`; here is what is special about Livepeer's
bodies. It errs on the side of hiding: the raw body is there for a token with the scope `raw`.
"""

import math
import re
from typing import Final

from pydantic import JsonValue

from receiver import redaction
from receiver.redaction import MASK, is_secret_name

REDACTED: Final = MASK

_OF_VIEWERS: Final = frozenset({"context", "userip", "playurl"})
"""What a gate is told of a viewer (FACTS 7.1)."""
_URL: Final = re.compile(r"\b([a-z][a-z0-9+.-]*)://[^\s\"'<>]*", re.IGNORECASE)
_PUSH_SCHEMES: Final = frozenset({"rtmp", "rtmps", "srt"})


def redact_body(value: JsonValue) -> JsonValue:
    """A copy of a decoded body for the API's answers (DESIGN, P10).

    Hidden are: values under names of secrets, the gate's `context`, `userIP` and `playURL`, the headers of `pull`; and
    in any text what looks like a secret. Infinite numbers, which JSON cannot hold, become null.
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
    """A text without what looks like a secret; of every URL without credentials and query, and of one that is pushed
    to without its path."""
    return redaction.redact_text(_URL.sub(_redact_url, text))


def _redact_member(key: str, member: JsonValue) -> JsonValue:
    if member is None or isinstance(member, bool):
        return member
    if key == "pull" and isinstance(member, dict):
        return {part: REDACTED if part == "headers" else _redact_member(part, inner) for part, inner in member.items()}
    if is_secret_name(key) or key.lower() in _OF_VIEWERS:
        return REDACTED
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
