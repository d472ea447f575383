"""The types of the fields of what the Studio API answers: a value of another type than FACTS gives reads as absent, a
text is shown without what looks like a secret."""

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from receiver.livepeer.reading import (
    read_boolean,
    read_integer,
    read_milliseconds,
    read_name,
    read_number,
    read_text,
)
from receiver.livepeer.redaction import redact_text

_LONGEST_TEXT: Final = 1000
_LONGEST_URL: Final = 2000
_LONGEST_PEM: Final = 4000
_MOST_ITEMS: Final = 1000


class Shape(BaseModel):
    """A value that the Studio API answered. Unknown fields are left out: what this service does not read, it does not
    hold."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, validate_by_name=True, validate_by_alias=True
    )


S = TypeVar("S", bound=Shape)


def _said(value: object) -> str | None:
    text = read_text(value, _LONGEST_TEXT)
    return None if text is None else redact_text(text)


def _url(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_URL and value.isprintable() else None


def _pem(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_PEM and value.isascii() else None


def _items(read: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    """Reads a list, leaving out what `read` gives None for. One value that is no list counts as a list of one."""

    def read_all(value: object) -> tuple[Any, ...]:
        items = value if isinstance(value, list | tuple) else [value]
        return tuple(found for found in map(read, items[:_MOST_ITEMS]) if found is not None)

    return read_all


def _part(value: object) -> object:
    """What may be read as a part of its own: an object, or one that was read already."""
    return value if isinstance(value, dict | Shape) else None


def _parts(value: object) -> tuple[object, ...]:
    """The objects in a list."""
    return _items(_part)(value)


Name: TypeAlias = Annotated[str | None, BeforeValidator(read_name)]
Id: TypeAlias = Annotated[str, BeforeValidator(read_name)]
"""Needed: an object without one is none."""
Said: TypeAlias = Annotated[str | None, BeforeValidator(_said)]
Url: TypeAlias = Annotated[str | None, BeforeValidator(_url)]
Pem: TypeAlias = Annotated[str | None, BeforeValidator(_pem)]
Flag: TypeAlias = Annotated[bool | None, BeforeValidator(read_boolean)]
Whole: TypeAlias = Annotated[int | None, BeforeValidator(read_integer)]
Number: TypeAlias = Annotated[float | None, BeforeValidator(read_number)]
Moment: TypeAlias = Annotated[int | None, BeforeValidator(read_milliseconds)]
"""Unix milliseconds."""
Names: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_items(read_name))]
Texts: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_items(_said))]
Part: TypeAlias = Annotated[S | None, BeforeValidator(_part)]
Parts: TypeAlias = Annotated[tuple[S, ...], BeforeValidator(_parts)]
