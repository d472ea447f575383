"""Single values of Livepeer's objects: one that does not have the type FACTS gives it is read as absent (None).

Pure. The sender may change, and what it says is never a reason to fail.
"""

from typing import Final

MAX_ID_LENGTH: Final = 200
LATEST_MS: Final = 10**14
"""Times beyond it (the year 5138) are no times."""


def read_name(value: object) -> str | None:
    """An id, or a name to look up: a printable, non-empty string that is not too long; what is another is none."""
    if isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH and value.isprintable():
        return value
    return None


def read_text(value: object, longest: int) -> str | None:
    """A text for people, of at most `longest` characters: what is longer or not printable is mended."""
    if not isinstance(value, str) or not value:
        return None
    if len(value) <= longest and value.isprintable():
        return value
    return "".join(c if c.isprintable() else " " for c in value[:longest])


def read_boolean(value: object) -> bool | None:
    """True or false."""
    return value if isinstance(value, bool) else None


def read_number(value: object) -> float | None:
    """A number, as a float."""
    if isinstance(value, float):
        return value
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else None


def read_integer(value: object) -> int | None:
    """A whole number that JavaScript can tell from its neighbours."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else None


def read_milliseconds(value: object) -> int | None:
    """A moment, in Unix milliseconds."""
    milliseconds = read_integer(value)
    return milliseconds if milliseconds is not None and 0 <= milliseconds < LATEST_MS else None
