"""All checks in order, and what they come to."""

from collections.abc import Mapping
from typing import Final

from receiver.diagnosis import catalogue
from receiver.diagnosis.players import classify, gate_reason
from receiver.diagnosis.refusal.gate_checks import (
    CACHED_MS,
    check_account,
    check_content,
    check_credential,
    check_gate,
    check_policy,
    check_signing_key,
    check_webhook,
)
from receiver.diagnosis.refusal.origins import check_origin
from receiver.diagnosis.refusal.token_checks import TOKEN_CHECKS, check_token
from receiver.diagnosis.refusal.values import (
    Access,
    Asked,
    Check,
    Explained,
    Finding,
    Quote,
    aside,
    failed,
    passed,
    unknown,
)
from receiver.diagnosis.verdicts import span

CHECKS: Final = (
    *TOKEN_CHECKS,
    "content",
    "account",
    "origin",
    "policy",
    "credential",
    "signing_key",
    "webhook",
    "gate",
    "error",
    "cache",
)
"""The names of all checks, in the order in which the node and then the gate decide. They are public, and stable."""

_CACHE: Final = (
    "A change made now shows after up to 10 minutes: nodes keep decisions, refusals too, and Studio keeps what it read "
    "for 2."
)
_SHARED: Final = " Without a credential all viewers of a playback id share one decision on each node."


def explain(asked: Asked, access: Access, now_ms: int) -> Explained:
    """Why playback is refused, or that it is not, or what is not known: denied by the first check that fails, allowed
    only if everything passes that it depends on."""
    quote = Quote(asked)
    found: Mapping[str, Finding] = {
        **check_token(asked, access, now_ms, quote),
        "content": check_content(access),
        "account": check_account(access),
        "origin": check_origin(asked, access, quote),
        "policy": check_policy(access, quote),
        "credential": check_credential(asked, access),
        "signing_key": check_signing_key(asked, access),
        "webhook": check_webhook(asked, access, now_ms),
        "gate": check_gate(asked, access),
        "error": _check_error(asked, quote),
        "cache": _check_cache(asked, access, now_ms),
    }
    checks = tuple(Check(name, found[name].verdict, found[name].detail) for name in CHECKS)
    failing = {name: found[name] for name in CHECKS if found[name].verdict == "fail"}
    if failing:
        return _denied(failing, checks)
    missing = {name: found[name] for name in CHECKS if found[name].needed}
    return _unknown(missing, checks) if missing else _allowed(checks)


def _check_error(asked: Asked, quote: Quote) -> Finding:
    """What the player was told: a refusal, and by which rule."""
    if not asked.error:
        return aside("What the player was told is not known.")
    reason = gate_reason(asked.error)
    if reason is not None:
        return failed(reason, f"The player was told {quote(asked.error)}.")
    if classify(None, asked.error) == "forbidden":
        return failed(
            "Forbidden",
            f"The player was told {quote(asked.error)}, which names no rule. A limit of viewers, or a decision that is "
            "still cached, looks the same.",
        )
    return aside(f"The player was told {quote(asked.error)}, which is no refusal.")


def _check_cache(asked: Asked, access: Access, now_ms: int) -> Finding:
    shared = "" if asked.jwt or asked.access_key else _SHARED
    if access.policy_changed_ms is None:
        return aside(f"{_CACHE}{shared}")
    ago_ms = now_ms - access.policy_changed_ms
    if ago_ms < CACHED_MS:
        return unknown(
            f"The policy changed {span(ago_ms)} ago; some nodes may still decide by the one before. {_CACHE}"
        )
    return passed(f"The policy has been as it is for more than 10 minutes. {_CACHE}{shared}")


def _denied(failing: Mapping[str, Finding], checks: tuple[Check, ...]) -> Explained:
    first, *_ = failing.values()
    others = [f"`{name}`" for name, one in failing.items() if one is not first and one.reason != "Forbidden"]
    also = f" Besides: {', '.join(others)}." if others else ""
    fix = catalogue.explain("playback_forbidden", first.reason).fix
    return Explained("denied", first.reason, f"{first.detail}{also}", fix, checks)


def _unknown(missing: Mapping[str, Finding], checks: tuple[Check, ...]) -> Explained:
    listed = ", ".join(f"`{name}`" for name in missing)
    first = next(iter(missing.values()))
    return Explained(
        "unknown",
        "AccessUnknown",
        f"Nothing that could be checked stands against it; it depends on what is not known ({listed}). {first.detail}",
        "Find out what the checks that are `unknown` name; with RECEIVER_STUDIO_API_KEY the service reads the policy, "
        "the signing keys and the webhook itself. Tell the player's exact message as `error`.",
        checks,
    )


def _allowed(checks: tuple[Check, ...]) -> Explained:
    return Explained(
        "allowed",
        "AccessAllowed",
        "Everything passes that the playback node and the gate check.",
        "Nothing needs to be done. Where a player is still refused, wait 10 minutes, then tell its exact message as "
        "`error`.",
        checks,
    )
