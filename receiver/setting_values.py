"""How each kind of setting is read. Pure.

A reader takes what was written (or, in a program, the value itself) and returns the value. It raises ValueError with
the second half of a sentence that begins with the setting's name: what is wrong, then what to write instead. Readers of
secrets never repeat what they read.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from receiver.hosts import AllowedHost, read_allowed_host
from receiver.tokens import ApiToken, read_token

_HOST_NAME = re.compile(r"(?!.*\.[0-9]+$)(?![0-9]+$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*\.?")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within limits."""

    low: int
    high: int
    example: int

    def __call__(self, value: object) -> int:
        """The number. Raises ValueError."""
        number = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value) else value
        if not isinstance(number, int) or isinstance(number, bool) or not self.low <= number <= self.high:
            raise ValueError(f"is not a whole number between {self.low} and {self.high}; write e.g. {self.example}")
        return number


@dataclass(frozen=True, slots=True)
class Seconds:
    """A length of time in seconds, at least a millisecond."""

    high: float
    example: float
    low: float = 0.001

    def __call__(self, value: object) -> float:
        """The seconds. Raises ValueError."""
        number = float(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value
        if not isinstance(number, int | float) or isinstance(number, bool) or not self.low <= number <= self.high:
            least = "above 0" if self.low < 1 else f"of at least {self.low:g}"
            raise ValueError(f"is not a number of seconds {least} and at most {self.high}; write e.g. {self.example}")
        return float(number)


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several words, in small letters or capitals."""

    words: tuple[str, ...]

    def __call__(self, value: object) -> str:
        """The word in small letters. Raises ValueError."""
        word = str(value).lower()
        if word not in self.words:
            raise ValueError(f"is unknown; write {', '.join(self.words[:-1])} or {self.words[-1]}")
        return word


def read_yes_or_no(value: object) -> bool:
    """True or false. Raises ValueError for all that is not plainly one of them: no guess decides about safety."""
    match value.lower() if isinstance(value, str) else value:
        case True | "true":
            return True
        case False | "false":
            return False
        case _:
            raise ValueError("is neither true nor false; write one of them")


def read_host(value: object) -> str:
    """An address or name to listen on. Raises ValueError for one with a port, a scheme or brackets."""
    text = str(value)
    if _address(text) is None and not _HOST_NAME.fullmatch(text):
        raise ValueError(
            "is not an address to listen on; write e.g. 127.0.0.1, or 0.0.0.0 for every network (the port has its own"
            " setting)"
        )
    return text


def is_loopback(name: str) -> bool:
    """Whether only this machine can reach it."""
    address = _address(name)
    return name.lower() == "localhost" if address is None else address


def is_unspecified(name: str) -> bool:
    """Whether to listen on it is to listen on all addresses of this machine: 0.0.0.0 or ::."""
    try:
        return ip_address(name).is_unspecified
    except ValueError:
        return False


def _address(text: str) -> bool | None:
    """Whether an IP address is this machine's own; None for what is no address."""
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return None


def read_directory(value: object) -> Path:
    """An absolute path; `~` is the user's home. Raises ValueError where there is no home to be found."""
    try:
        return Path(str(value)).expanduser().absolute()
    except RuntimeError:
        raise ValueError("names a home that is not known; write the whole path") from None


def read_database_url(value: object) -> str:
    """`sqlite:///file` or `postgresql://...`. Raises ValueError for anything else; as a URL may hold a password, the
    message does not repeat it."""
    text = str(value)
    scheme, _, rest = text.partition("://")
    if scheme == "sqlite":
        return _sqlite_url(text, rest)
    if scheme in {"postgresql", "postgres"} and _names_server(text):
        return f"postgresql://{rest}"
    raise ValueError(
        "is no database that is known; write e.g. postgresql://user:password@host/database or"
        " sqlite:////var/lib/receiver/receiver.sqlite3, or remove it for a file in the data directory"
    )


def _names_server(text: str) -> bool:
    """Whether a URL has a host, or the folder of a server's socket in its place (`?host=/run/postgresql`)."""
    return url_parts(text) is not None or (
        url_parts(text.replace(":///", "://socket/", 1)) is not None and "host=/" in text
    )


def _sqlite_url(text: str, rest: str) -> str:
    if not re.fullmatch(r"/[^?#]+", rest) or rest == "/:memory:":
        raise ValueError(
            "names no file, and what is in memory alone is lost; write three slashes and a path, e.g."
            " sqlite:////var/lib/receiver/receiver.sqlite3"
        )
    return text


def read_studio_url(value: object) -> str:
    """The root of the Studio API, without a slash at its end. Raises ValueError unless it is HTTPS, or on this machine:
    the API key is sent there."""
    text = str(value)
    parts = url_parts(text)
    if parts is None or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("is not the address of an API; write e.g. https://livepeer.studio/api")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ValueError("would send the API key in the clear; write an address that begins with https://")
    return text.rstrip("/")


def url_parts(text: str) -> SplitResult | None:
    """The parts of a URL that has a host, and no blank in it."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.hostname and text.isprintable() and " " not in text else None


def read_secrets(value: object) -> tuple[str, ...]:
    """Webhook secrets, separated by commas. Raises ValueError for none, an empty one, and one that stands twice."""
    found = tuple(_entries(value, "secret"))
    for number, secret in enumerate(found, 1):
        must_be_text(secret, f"secret {number}")
    if len(set(found)) < len(found):
        raise ValueError("has one secret twice; remove the second")
    return found


def read_tokens(value: object) -> tuple[ApiToken, ...]:
    """API tokens, separated by commas, each perhaps with scopes. Raises ValueError for none, an empty or malformed one,
    and one that stands twice."""
    if isinstance(value, tuple) and all(isinstance(entry, ApiToken) for entry in value):
        found = value
    else:
        found = tuple(_token(number, text) for number, text in enumerate(_entries(value, "token"), 1))
    if len({entry.token for entry in found}) < len(found):
        raise ValueError("has one token twice; remove the second")
    return found


def _token(number: int, text: str) -> ApiToken:
    try:
        return read_token(text)
    except ValueError as error:
        raise ValueError(f"token {number} {error}") from None


def read_one_secret(value: object) -> str:
    """A single secret. Raises ValueError for none, several, and one with a blank in it."""
    entries = [value] if isinstance(value, str) else list(_entries(value, "key"))
    if len(entries) != 1:
        raise ValueError("holds several lines; write the key alone")
    secret = entries[0].strip()
    must_be_text(secret, "the key")
    if re.search(r"\s", secret) or not secret.isascii():
        raise ValueError("holds a blank or a letter that no key has; write the key alone")
    return secret


def read_allowed_hosts(value: object) -> tuple[AllowedHost, ...]:
    """Hosts that may be probed, separated by commas. Raises ValueError for none, an empty one, what is no host, and one
    that stands twice."""
    if isinstance(value, tuple) and all(isinstance(entry, AllowedHost) for entry in value):
        return value
    found = tuple(_allowed_host(number, text) for number, text in enumerate(_entries(value, "host"), 1))
    if len(set(found)) < len(found):
        raise ValueError("has one host twice; remove the second")
    return found


def _allowed_host(number: int, text: str) -> AllowedHost:
    try:
        return read_allowed_host(text)
    except ValueError:
        raise ValueError(
            f"host {number} is none; write a name such as livepeercdn.studio, .livepeercdn.studio for all below it, or"
            " an address, each with a port where only that may be used, and without https:// or a path"
        ) from None


def _entries(value: object, what: str) -> Sequence[str]:
    """The entries of a list, without the blanks around them."""
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, Sequence) or not all(isinstance(entry, str) for entry in entries):
        raise ValueError(f"is no list of texts; write each {what} as text")
    stripped = [entry.strip() for entry in entries]
    if "" in stripped:
        raise ValueError(f"{what} {stripped.index('') + 1} is empty; write it out, or remove the comma")
    return stripped


def must_be_text(secret: str, what: str) -> None:
    """Raises ValueError for a secret with control characters; `what` names it."""
    if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in secret):
        raise ValueError(f"{what} holds a control character or is not UTF-8; write it again as plain text")
