"""What an answer that is no success means: which failure, and what it says (FACTS 9).

Two shapes of errors are known, `{"errors": ["text"]}` and `{"error": "text", "error_detail": "text"}`; a text of the
first may itself be JSON, of a schema that did not hold.
"""

from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from pydantic import JsonValue
from pydantic_core import from_json

from receiver.livepeer.studio.failures import (
    Denied,
    InsufficientScope,
    Invalid,
    NotFound,
    RateLimited,
    Redirected,
    StudioError,
    Unauthorized,
    Unavailable,
    UserSuspended,
)

UNSAID_RETRY_S: Final = 5.0
"""How long to wait after a 429 that does not say so."""
_MOST_ERRORS: Final = 20
_LONGEST_READ: Final = 20_000
_LONGEST_ERROR: Final = 500
_LONGEST_WAIT_S: Final = 3_600.0
"""Whoever wants to be left alone for longer is asked once an hour: the answer could be a mistake."""
_MEANINGS: Final[Mapping[type[StudioError], str]] = {
    UserSuspended: "The account is suspended at Livepeer Studio",
    InsufficientScope: "RECEIVER_STUDIO_API_KEY may not do this",
    Denied: "The Studio API refuses this key",
    NotFound: "The Studio API has no such thing",
    Redirected: (
        "The Studio API redirects, and no redirect is followed, as the API key would go along: set RECEIVER_STUDIO_URL"
        " to the address of the API itself"
    ),
    Invalid: "The Studio API does not accept this",
    Unavailable: "The Studio API failed",
}
_PASSING: Final = frozenset({408, 425})
"""Of the 4xx, those that say nothing of what was asked."""


def failure(
    status: int, texts: tuple[str, ...], shown: Callable[[str], str], retry_after_s: float | None
) -> StudioError:
    """The failure that an answer is. `texts` are as the API wrote them; `shown` takes secrets out of one."""
    if status == 401:
        return Unauthorized("The Studio API does not know RECEIVER_STUDIO_API_KEY.", status=401)
    if status == 429:
        return rate_limited(UNSAID_RETRY_S if retry_after_s is None else retry_after_s, status=429)
    kind = _kind(status, texts)
    errors = tuple(shown(text[:_LONGEST_READ])[:_LONGEST_ERROR] for text in texts)
    said = f" It says: {'; '.join(errors)}" if errors else ""
    return kind(f"{_MEANINGS[kind]} ({status}).{said}", status=status, errors=errors)


def _kind(status: int, texts: tuple[str, ...]) -> type[StudioError]:
    if status == 403:
        scope = any(text.startswith("credential has insuf") for text in texts)
        return UserSuspended if "user is suspended" in texts else InsufficientScope if scope else Denied
    if status == 404:
        return NotFound
    if 300 <= status < 400:
        return Redirected
    return Invalid if 400 <= status < 500 and status not in _PASSING else Unavailable


def rate_limited(retry_after_s: float, *, status: int | None = None) -> RateLimited:
    """The failure of asking too much, or too early after that."""
    text = f"The Studio API wants to be left alone for {retry_after_s:.0f} s more."
    return RateLimited(text, retry_after_s=retry_after_s, status=status)


def error_texts(body: bytes) -> tuple[str, ...]:
    """What an answer says is wrong, as it says it, but for what is JSON within a text. Empty where it says nothing that
    can be read."""
    try:
        value: JsonValue = from_json(body)
    except ValueError:
        return ()
    if not isinstance(value, dict):
        return ()
    return tuple(_listed(value))[:_MOST_ERRORS]


def _listed(answer: Mapping[str, JsonValue]) -> Iterator[str]:
    errors = answer.get("errors")
    if isinstance(errors, list):
        yield from (_readable(error) for error in errors if isinstance(error, str) and error)
    error, detail = answer.get("error"), answer.get("error_detail")
    if isinstance(error, str) and error:
        yield f"{error}: {detail}" if isinstance(detail, str) and detail else error


def _readable(error: str) -> str:
    """A schema that did not hold, in words: `/events/0 must be equal to one of the allowed values`."""
    if not error.startswith("{"):
        return error
    try:
        value: dict[str, JsonValue] = from_json(error)
    except ValueError:
        return error
    where = value.get("instancePath") or "/"
    match value:
        case {"message": str() as message, "params": {"additionalProperty": str() as name}}:
            return f"{where} {message}: {name}"
        case {"message": str() as message}:
            return f"{where} {message}"
    return error


def read_retry_after(value: str | None, now_ms: int) -> float | None:
    """`Retry-After` in seconds from now, at most an hour: it is a number of seconds, or a date (RFC 9110, 10.2.3). None
    for what is neither."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), _LONGEST_WAIT_S)
    try:
        at_s = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(at_s - now_ms / 1000, 0.0), _LONGEST_WAIT_S)
