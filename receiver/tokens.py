"""A token of the REST API, and what it may do (DESIGN 8)."""

import re
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

Scope: TypeAlias = Literal["read", "write", "raw"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
PLAIN: frozenset[Scope] = frozenset({"read", "write"})
"""What a token without scopes may do."""
SHORTEST = 16
_FORM = re.compile(r"[A-Za-z0-9._~+/=-]+")


@dataclass(frozen=True, slots=True)
class ApiToken:
    """One token. `raw` lets it read stored bodies as they came."""

    token: str = field(repr=False)
    scopes: frozenset[Scope] = PLAIN


def read_token(text: str) -> ApiToken:
    """A token as it is configured: `token` or `token:read+write+raw`.

    Raises ValueError for one that is too short, holds what no header can carry (RFC 6750), or names other scopes; the
    message never repeats the text.
    """
    token, colon, scopes = text.partition(":")
    if not _FORM.fullmatch(token):
        raise ValueError("holds characters that a token cannot have; write letters, digits and . _ ~ + / = - only")
    if len(token) < SHORTEST:
        raise ValueError(f"is too short; write at least {SHORTEST} characters")
    return ApiToken(token, _scopes(scopes) if colon else PLAIN)


def _scopes(text: str) -> frozenset[Scope]:
    named = text.split("+")
    found = frozenset(scope for scope in SCOPES if scope in named)
    if not set(named) <= found:
        raise ValueError("has something after its colon that is no scope; write scopes as in token:read+write+raw")
    return found
