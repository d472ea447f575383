"""How the access gates are configured (FACTS 7): `RECEIVER_GATES`. Pure.

A gate has a secret of its own: Livepeer can be made to sign any body with it (FACTS 12), so whoever knows a playback id
could make up events, had a webhook the same (DESIGN P12).
"""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from pydantic import JsonValue

from receiver.setting_values import must_be_text, url_parts

_NAME = re.compile(r"[a-z0-9-]{1,64}")
_EXAMPLE = 'write e.g. {"main": {"url": "https://example.com/may-watch", "secret": "..."}}'


@dataclass(frozen=True, slots=True)
class GateSetting:
    """One gate: the decision URL of the operator's own service, and the secret of the webhook that names the gate."""

    name: str
    url: str = field(repr=False)
    secret: str = field(repr=False)


def read_gates(value: object) -> tuple[GateSetting, ...]:
    """The gates of a JSON object, by name: `{"name": {"url": "https://...", "secret": "..."}}`. Raises ValueError; the
    message repeats neither secrets nor URLs."""
    if isinstance(value, tuple) and all(isinstance(entry, GateSetting) for entry in value):
        gates: tuple[GateSetting, ...] = value
    else:
        gates = tuple(_gate(name, entry) for name, entry in _entries(value))
    for gate in gates:
        _check(gate)
    if len({gate.secret for gate in gates}) < len(gates):
        raise ValueError("two gates have the same secret; give each one of its own")
    return gates


def must_be_apart(gates: Sequence[GateSetting], webhook_secrets: Collection[str], tokens: Iterable[str]) -> None:
    """Raises ValueError where a gate's secret is a webhook's, or a token of the API (P12)."""
    others = set(tokens)
    for gate in gates:
        if gate.secret in webhook_secrets:
            raise ValueError(
                f"RECEIVER_GATES: the gate `{gate.name}` has the secret of a webhook (of RECEIVER_WEBHOOK_SECRETS, or"
                " `webhook_secret` in the data directory); give it one of its own, here and in Livepeer Studio, as"
                " strangers can have anything signed with a gate's secret"
            )
        if gate.secret in others:
            raise ValueError(
                f"RECEIVER_GATES: the secret of the gate `{gate.name}` is also a token of the API; use a different"
                " value for each, as whoever knows one would know both"
            )


def _entries(value: object) -> list[tuple[str, JsonValue]]:
    """Names and what stands under them. A name that stands twice is a mistake: one of both would count for nothing."""
    try:
        decoded: JsonValue = json.loads(value, object_pairs_hook=_unique) if isinstance(value, str) else None
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON (line {error.lineno}, column {error.colno}); {_EXAMPLE}") from None
    except RecursionError:
        decoded = None
    if not isinstance(decoded, dict) or not decoded:
        raise ValueError(f"is no JSON object with a gate in it; {_EXAMPLE}")
    return list(decoded.items())


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("has one name twice in the same object; remove the second")
    return found


def _gate(name: str, entry: JsonValue) -> GateSetting:
    _check_name(name)
    match entry:
        case {"url": str(url), "secret": str(secret), **more} if not more:
            return GateSetting(name, url, secret)
        case _:
            raise ValueError(f"the gate `{name}` is no object of two texts, `url` and `secret`; {_EXAMPLE}")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError("has a gate whose name cannot stand in its path; write 1 to 64 small letters, digits and `-`")


def _check(gate: GateSetting) -> None:
    _check_name(gate.name)
    if not gate.secret:
        raise ValueError(f"the secret of the gate `{gate.name}` is empty; write that of its webhook in Livepeer Studio")
    must_be_text(gate.secret, f"the secret of the gate `{gate.name}`")
    parts = url_parts(gate.url)
    if parts is None or parts.scheme not in {"https", "http"} or parts.username is not None or parts.fragment:
        raise ValueError(
            f"the URL of the gate `{gate.name}` is none that can be called; write e.g. https://example.com/may-watch,"
            " without user and password"
        )
    if parts.scheme == "http" and not _is_near(parts.hostname or ""):
        raise ValueError(
            f"the URL of the gate `{gate.name}` would send viewers' access keys in the clear; write one that begins"
            " with https:// (http:// is for this machine, private addresses, and names without a dot)"
        )


def _is_near(host: str) -> bool:
    """Whether only this machine or a network of ours can reach it: addresses that are not public, and names without a
    dot, as containers have."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host
