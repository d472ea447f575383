"""A value with some of its fields changed.

The values here are structs of msgspec: every event makes a dozen and changes the state of its stream several times
over, and a dataclass, which sets each field by itself, takes four times as long for either. A struct's fields are
checked by the type checker as a dataclass's are, so it is told that this is the standard library's `replace`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import replace
else:
    from msgspec.structs import replace

__all__ = ["replace"]
