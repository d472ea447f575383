"""`replace` for frozen dataclasses without slots: one copy of a dict.

Every signal replaces the state of its stream several times over. `dataclasses.replace` reads and sets each field by
itself, which costs ten times as much, and was most of what folding took.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import replace
else:

    def replace(value: object, /, **changes: object) -> object:
        """The value with these fields changed; the dataclass must have neither slots nor `__post_init__`."""
        other = object.__new__(type(value))
        object.__setattr__(other, "__dict__", value.__dict__ | changes)
        return other


__all__ = ["replace"]
