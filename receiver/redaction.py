"""Keeps secrets out of what is written for others: log lines, API messages, stored messages (DESIGN P10).

Pure. Three nets, one behind the other: secrets that are known by heart (`Redactor`), what looks like a secret wherever
it stands (`redact_text`), and what stands under a secret's name (`is_secret_name`). Ids are no secrets: a UUID, an
event's id, a playback id come out as they went in.
"""

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from itertools import islice
from typing import Any, Final
from urllib.parse import quote, quote_plus

from pydantic import JsonValue

MASK: Final = "[redacted]"
SHORTEST_LITERAL: Final = 4
"""A shorter secret cannot be taken out of a text without taking words apart."""
_SHORT: Final = 64
_MOST_KNOWN: Final = 4096
_DEEPEST: Final = 12
_MOST_ITEMS: Final = 1000

_QUOTED = r"""b?"(?:[^"\\\n]|\\.)*|b?'(?:[^'\\\n]|\\.)*|\\+["'].*?(?=\\+["']|$)"""
_BARE = r"""(?:\[redacted]|[^\s&"',;<>)}\]\[{(])(?:\[redacted]|[^\s&"',;<>)}\]])*"""
_LISTED = r"""[\[{(][^\]})\n]*[\]})]?"""
_NAMED = (
    r"authorization|jwt|access[_-]?(?:key|token)|api[_-]?key|stream[_-]?key|private[_-]?key|tkn|tokens?|secrets?"
    r"|passwd|password|passphrase|pwd|credentials?|cookie|webhook[_-]?context"
)
_RULES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE | re.MULTILINE), replacement)
    for pattern, replacement in (
        # a private key, even a truncated one
        (r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?s:.*?)(?:-----END|\Z)", MASK),
        # headers whose value may hold spaces, as sent or as Python and JSON show them
        (r"""((?:authorization|cookie)\\*["']?\s*(?:=>|[:=,])\s*b?\\*["']?)(?!\[redacted])[^"'\r\n]+""", rf"\1{MASK}"),
        (r"(\bbearer(?:\s+|%20))[\w.~+/=:-]{6,}", rf"\1{MASK}"),
        # user and password in a URL
        (r"""(?<=://)[^\s/?#"'<>]+@""", f"{MASK}@"),
        # where encoders push to (FACTS 6): what follows the application is the stream key
        (r"""(\brtmps?://[^\s/"'<>]*/(?:live/)?)(?!live/?(?:[\s"'<>]|$))[^\s"'<>]+""", rf"\1{MASK}"),
        (r"""(/live/)[^\s/?&#"'<>]+""", rf"\1{MASK}"),
        (r"""([?&](?:key|sig|signature|auth|streamid)=)[^\s&#"'<>]+""", rf"\1{MASK}"),
        # name=value, "name": "value", ('name', 'value'), name%3Dvalue
        (rf"""((?:{_NAMED})(?:\\*["']?\s*(?:=>|[=:]|%3D)\s*|\\*["']\s*,\s*))(?:{_QUOTED}|{_BARE}|{_LISTED})""", None),
        # a JWT, or the part of one that survived
        (r"eyJ[\w-]{6,}(?:\.[\w=-]*)*", MASK),
        # a stream key: four times four of base 36 (FACTS 2.3); a UUID has no such part
        (r"(?<![A-Za-z0-9])[A-Za-z0-9]{4}(?:-[A-Za-z0-9]{4}){3,}(?![A-Za-z0-9])", MASK),
        # what we make ourselves (receiver.keys)
        (r"(?:whsec|rcv)_[\w-]{8,}", MASK),
        # the Studio API repeats a key that it does not know (FACTS 9)
        (r"(\bno token )\S+(?= found)", rf"\1{MASK}"),
    )
)
_UUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TIME: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
_WORD: Final = "(?![A-Za-z0-9_.]{0,64}?(?:eyJ|whsec_|rcv_))[A-Za-z0-9_.]{0,64}+"
"""The only rules that match a mere word begin with one of these."""
_ADDRESS: Final = "[0-9a-f:.]{2,45}+"
"""Of IPv6 too."""
_PLAIN_TEXT: Final = f"(?:{_UUID}|{_TIME}|{_WORD}|{_ADDRESS})"
"""Most of what is logged: ids, names, addresses, times. No rule can match it, so none need be tried."""
_PLAIN: Final = re.compile(_PLAIN_TEXT, re.ASCII)
_PLAIN_LINES: Final = re.compile(rf"(?:{_PLAIN_TEXT}\n)*+", re.ASCII)

_SECRET_PARTS: Final = (
    "authorization",
    "jwt",
    "accesskey",
    "apikey",
    "streamkey",
    "privatekey",
    "secret",
    "passwd",
    "password",
    "passphrase",
    "credential",
    "cookie",
    "bearer",
    "webhookcontext",
)
_SECRET_ENDS: Final = ("token", "tokens", "tkn", "pwd")
_SECRET_WHOLE: Final = frozenset({"key", "pull"})
"""`pull` holds the headers with which Livepeer fetches a source (FACTS 2.1)."""


@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Whether what stands under this name is a secret whatever it looks like. The id of a secret is none."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if plain.endswith(("id", "ids")):
        return False
    return plain in _SECRET_WHOLE or plain.endswith(_SECRET_ENDS) or any(part in plain for part in _SECRET_PARTS)


class Redactor:
    """Redacts texts and values; knows some secrets by heart, and finds those in any of the forms in which JSON, URLs
    and Python show them. Secrets shorter than `SHORTEST_LITERAL` are left out."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = frozenset(secret for secret in secrets if len(secret) >= SHORTEST_LITERAL)
        forms = {form for secret in self._secrets for form in forms_of(secret)}
        self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        self._any_form = re.compile("|".join(map(re.escape, self._forms))) if self._forms else None
        self._shortest = min(map(len, self._forms), default=0)
        self._known = lru_cache(maxsize=_MOST_KNOWN)(self._redacted)
        self._key = lru_cache(maxsize=1024)(lambda name: (self._redacted(name), is_secret_name(name)))
        self._plain_names = lru_cache(maxsize=256)(
            lambda names: self._plain(names) and not any(map(is_secret_name, names))
        )

    def protecting(self, *secrets: str) -> "Redactor":
        """One that knows these as well."""
        return Redactor(self._secrets | set(secrets))

    def text(self, text: str) -> str:
        """The text without its secrets, `MASK` in the place of each. Most texts are short, and come again and again."""
        return self._known(text) if len(text) <= _SHORT else self._redacted(text)

    def _redacted(self, text: str) -> str:
        if self._any_form is not None and len(text) >= self._shortest and self._any_form.search(text):
            for form in self._forms:
                text = text.replace(form, MASK)
        return text if _PLAIN.fullmatch(text) else redact_text(text)

    def leaves(self, names: frozenset[str], texts: Collection[str]) -> bool:
        """Whether texts under such names can be told at a glance to hold nothing to redact, and nothing that JSON
        escapes: so it is with most lines of a log. Where it cannot, nothing is said."""
        return self._plain_names(names) and self._plain(texts)

    def _plain(self, texts: Collection[str]) -> bool:
        """All of them at once, each on a line of its own."""
        listed = "\n".join((*texts, ""))
        return (
            listed.count("\n") == len(texts)
            and _PLAIN_LINES.fullmatch(listed) is not None
            and not any(form in listed for form in self._forms)
        )

    def value(self, value: object, depth: int = 0) -> JsonValue:  # noqa: PLR0911 - one for each kind of value
        """Any value as JSON can hold it, redacted at every depth, keys too. What JSON does not know becomes text."""
        match value:
            case None | bool() | int():
                return value
            case float():
                return value if math.isfinite(value) else str(value)
            case str():
                return self.text(value)
            case bytes() | bytearray():
                return self.text(value.decode("utf-8", "backslashreplace"))
            case Mapping() | list() | tuple() | AbstractSet() if depth >= _DEEPEST:
                return "[too deep]"
            case Mapping():
                return self.mapping(value, depth)
            case list() | tuple() | AbstractSet():
                return [self.value(item, depth + 1) for item in _first(value)]
            case _:
                return self.text(_shown(value))

    def mapping(self, value: Mapping[Any, object], depth: int = 0) -> dict[str, JsonValue]:
        """A mapping, its keys redacted like its values."""
        shown: dict[str, JsonValue] = {}
        for key, member in islice(value.items(), _MOST_ITEMS):
            name, secret = self._key(str(key))
            if secret and _may_be_secret(member):
                shown[name] = MASK
            else:
                shown[name] = self.text(member) if type(member) is str else self.value(member, depth + 1)
        return shown


def _may_be_secret(value: object) -> bool:
    """A secret's name hides what stands under it, unless that is a mere yes, no or nothing."""
    return value is not None and value != "" and not isinstance(value, bool)


def redact_text(text: str) -> str:
    """The text without what looks like a secret: for messages that come from outside, before they are stored or shown.
    Redacting twice changes nothing."""
    for pattern, replacement in _RULES:
        text = pattern.sub(_mask_value if replacement is None else replacement, text)
    return text


def _mask_value(found: re.Match[str]) -> str:
    """Keep the name and the opening quote, so that the text can still be read."""
    name, value = found[1], found[0][len(found[1]) :]
    quoted = re.match(r"""b?\\*["']""", value)
    return f"{name}{quoted[0] if quoted else ''}{MASK}"


def forms_of(secret: str) -> set[str]:
    """The secret in every form in which JSON, URLs and Python show it."""
    escaped = quote(secret, safe="")
    forms = {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        repr(secret.encode("utf-8", "surrogatepass"))[2:-1],
        escaped,
        re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), escaped),
        quote_plus(secret),
    }
    return forms | {json.dumps(form)[1:-1] for form in forms}


def _first(items: Iterable[object]) -> Iterable[object]:
    return islice(items, _MOST_ITEMS)


def _shown(value: object) -> str:
    """A text for what is no JSON. Logging must not fail for an object that cannot show itself."""
    try:
        return repr(value) if isinstance(value, BaseException) else str(value)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything
        return f"<{type(value).__name__}>"
