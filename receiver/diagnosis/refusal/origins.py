"""Whether a page may play: the gate compares its `Origin` with the list, letter by letter (FACTS 7.2, 7.5)."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

from receiver.diagnosis.refusal.values import Access, Asked, Finding, Quote, failed, passed, unknown

ANY: Final = "*"
_MOST_SHOWN: Final = 5
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


def check_origin(asked: Asked, access: Access, quote: Quote) -> Finding:
    """Whether the origin is listed, also for public content; entries that can never match are named."""
    if access.allowed_origins is None:
        if access.probe is not None and access.probe.played:
            return passed("It was played without any `Origin`.")
        return unknown("Whether there is a list of allowed origins is not known: it takes RECEIVER_STUDIO_API_KEY.")
    listed = access.allowed_origins.value
    if not listed or ANY in listed:
        return passed("Every origin is allowed.")
    return _compared(asked.origin, listed, quote)


def _compared(origin: str | None, listed: Sequence[str], quote: Quote) -> Finding:
    faults = _listed_faults(listed, quote)
    if origin is None:
        return unknown(
            "There are allowed origins, and the player's was not told. Browsers send one; what sends neither `Origin` "
            f"nor `Referer` is refused.{faults}"
        )
    if origin == "null":
        return unknown(f'The origin is "null", as of a file or a sandboxed frame: then `Referer` counts.{faults}')
    if not origin:
        return failed("OriginNotAllowed", f"The player sends no `Origin`, and there are allowed origins.{faults}")
    if origin in listed:
        return passed(f"{quote(origin)} is listed.{faults}")
    return failed("OriginNotAllowed", f"{quote(origin)} is not listed.{_nearly(origin, listed)}{faults}")


def entry_fault(entry: str) -> str | None:
    """Why no browser ever sends what an entry says; None where one might."""
    parts = _split(entry)
    if any(letter.isspace() for letter in entry):
        return "there is a blank in it"
    if entry.lower() == "null":
        return "for that, `Referer` counts"
    if parts is None or not parts.netloc:
        return "it is no origin" if "://" in entry else "its scheme is missing"
    faults = (
        (bool(parts.query or parts.fragment or "@" in parts.netloc), "there is more than scheme, host and port in it"),
        (parts.path == "/", "it ends in a slash"),
        (bool(parts.path), "there is a path in it"),
        (entry != entry.lower(), "there are capital letters in it"),
        (entry.endswith(_DEFAULT_PORTS.get(parts.scheme, "\0")), "browsers leave the usual port out"),
        (ANY in entry, "part of an origin cannot be left open"),
    )
    return next((fault for holds, fault in faults if holds), None)


def origin_of(text: str) -> str:
    """What a browser would send for a page at such an address, as far as that can be told."""
    text = text.strip().lower()
    parts = _split(text if "://" in text else f"https://{text}")
    if parts is None or not parts.netloc:
        return text
    host = parts.netloc.rpartition("@")[2].removesuffix(_DEFAULT_PORTS.get(parts.scheme, "\0"))
    return f"{parts.scheme}://{host}"


def _nearly(origin: str, listed: Sequence[str]) -> str:
    alike = [entry for entry in listed if origin_of(entry) == origin_of(origin)]
    if not alike:
        return ""
    told = entry_fault(origin)
    return " It is listed, but not letter by letter the same." + (f" No browser sends it so: {told}." if told else "")


def _listed_faults(listed: Sequence[str], quote: Quote) -> str:
    faults = [(entry, fault) for entry in listed if (fault := entry_fault(entry)) is not None]
    if not faults:
        return ""
    shown = "; ".join(f"{quote(entry)} ({fault})" for entry, fault in faults[:_MOST_SHOWN])
    more = f"; and {len(faults) - _MOST_SHOWN} more" if len(faults) > _MOST_SHOWN else ""
    return f" Entries that can never match: {shown}{more}."


def _split(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None
