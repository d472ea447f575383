"""Frozen dataclasses without slots, made and changed by filling one dict.

Every event makes a signal of fifteen fields, and every signal replaces the state of its stream several times over. A
dataclass's own `__init__`, and `dataclasses.replace`, set each field by itself, which costs up to ten times as much,
and was most of what folding took. Neither function here is for a dataclass with slots or `__post_init__`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

if TYPE_CHECKING:
    from dataclasses import replace

    def made(kind: Callable[P, T], /, *args: P.args, **fields: P.kwargs) -> T:
        """What the checker is told: the fields are those of the dataclass."""
        ...

else:

    def made(kind: type, /, **fields: object) -> object:
        """A value of the dataclass with these fields: all of them, by name."""
        value = object.__new__(kind)
        value.__dict__.update(fields)
        return value

    def replace(value: object, /, **changes: object) -> object:
        """The value with these fields changed."""
        other = object.__new__(type(value))
        object.__setattr__(other, "__dict__", value.__dict__ | changes)
        return other


__all__ = ["made", "replace"]
