"""The times in a token: `exp`, its seven days, `nbf` and `iat` (FACTS 7.3), all in seconds."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from receiver.diagnosis.refusal.values import Finding, failed, passed, unknown
from receiver.diagnosis.verdicts import span

LONGEST_S: Final = 7 * 24 * 3600
SKEW_S: Final = 60
"""Nobody means so little: clocks that differ do."""
_MILLISECONDS_FROM: Final = 10**11
"""In seconds the year 5138, in milliseconds 1973."""
_FINER_FROM: Final = 10**14
_MOMENT_FROM: Final = 10**9
"""In seconds the year 2001: no token is older, but many a lifetime is shorter."""
_LATEST_S: Final = 253_402_300_799
_OFF: Final = " So little is often no more than two clocks that differ: compare the signer's with NTP."


def check_exp(claims: Mapping[str, Any], now_ms: int) -> Finding:
    """Whether there is an `exp`, and it has not passed."""
    exp, now_s = _number(claims.get("exp")), now_ms / 1000
    if claims.get("exp") is None:
        return failed("JwtMalformed", "`exp` is missing; it must say, in seconds, when the token ends.")
    if exp is None:
        return failed("JwtMalformed", "`exp` is not a number; it must be a time in seconds.")
    if exp >= _MILLISECONDS_FROM:
        return passed("Read in seconds, `exp` has not passed; see `jwt_lifetime`.")
    if exp > now_s:
        near = f", in {span(_ms(exp - now_s))}" if exp - now_s <= SKEW_S else ""
        return passed(f"`exp` is {moment(exp)}{near}.")
    if exp < _MOMENT_FROM:
        return failed(
            "JwtExpired", f"`exp` is {exp:.0f}, which looks like a lifetime; it must be a time, in seconds since 1970."
        )
    late_s = now_s - exp
    hint = _OFF if late_s <= SKEW_S else ""
    return failed("JwtExpired", f"`exp` is {moment(exp)}: it passed {span(_ms(late_s))} ago.{hint}")


def check_lifetime(claims: Mapping[str, Any], now_ms: int) -> Finding:
    """Whether `exp` lies at most seven days ahead."""
    exp = _number(claims.get("exp"))
    if exp is None:
        return unknown("Without `exp` there is no lifetime.")
    left_s = LONGEST_S - (exp - now_ms / 1000)
    if left_s >= 0:
        near = f", only {span(_ms(left_s))} less than the most" if left_s <= SKEW_S else ""
        return passed(f"`exp` lies at most 7 days ahead{near}.")
    if exp >= _MILLISECONDS_FROM:
        return failed("JwtLifetimeTooLong", f"`exp` is {exp:.0f}: {_finer(exp)}; it must be in seconds.")
    hint = _OFF if -left_s <= SKEW_S else ""
    over = span(_ms(-left_s))
    return failed("JwtLifetimeTooLong", f"`exp` is {moment(exp)}: {over} more than the 7 days allowed.{hint}")


def check_begun(claims: Mapping[str, Any], now_ms: int) -> Finding:
    """Whether the token counts already: neither `nbf` nor `iat` lies ahead. Both may be missing. (The library that the
    node reads tokens with, golang-jwt 4, refuses an `iat` that lies ahead as well, without any leeway.)"""
    now_s = now_ms / 1000
    for name in ("nbf", "iat"):
        at = _number(claims.get(name))
        if at is None and claims.get(name) is not None:
            return failed("JwtMalformed", f"`{name}` is not a number; it must be a time in seconds, or be left out.")
        if at is not None and at >= _MILLISECONDS_FROM:
            return failed("JwtNotYetValid", f"`{name}` is {at:.0f}: {_finer(at)}; it must be in seconds.")
        if at is not None and at > now_s:
            hint = _OFF if at - now_s <= SKEW_S else ""
            return failed("JwtNotYetValid", f"`{name}` is {moment(at)}: {span(_ms(at - now_s))} ahead.{hint}")
    return passed(f"Neither `nbf` nor `iat` lies ahead.{_odd(claims)}")


def moment(at_s: float) -> str:
    """A time in seconds as people read it; one beyond the calendar is its nearest end."""
    return datetime.fromtimestamp(int(min(max(at_s, 0), _LATEST_S)), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(value: object) -> float | None:
    """A time in seconds; None for what is none."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None


def _ms(duration_s: float) -> int:
    return int(duration_s * 1000)


def _finer(at: float) -> str:
    if at >= _FINER_FROM:
        return "that is finer than milliseconds"
    return f"that is in milliseconds ({moment(at / 1000)})"


def _odd(claims: Mapping[str, Any]) -> str:
    issued, exp = _number(claims.get("iat")), _number(claims.get("exp"))
    if issued is None:
        return " `iat` is missing, which is allowed."
    if exp is not None and exp <= issued:
        return " `exp` is not later than `iat`."
    return ""
