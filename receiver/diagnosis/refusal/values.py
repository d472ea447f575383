"""What is asked, what is known, and what is found."""

from dataclasses import dataclass, field
from typing import Generic, Literal, TypeAlias, TypeVar

from receiver.diagnosis.verdicts import quoted
from receiver.redaction import MASK, SHORTEST_LITERAL, forms_of, redact_text

T = TypeVar("T")
Source: TypeAlias = Literal["studio_api", "store", "gate", "probe"]
Verdict: TypeAlias = Literal["pass", "fail", "unknown"]
Decision: TypeAlias = Literal["allowed", "denied", "failed", "slow"]
_SHORTEST_PART = 8


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """A fact, and who told it."""

    value: T
    source: Source


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One of the account's signing keys: `public_key` as the Studio API gives it, base64 of the PEM."""

    public_key: str
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class GateHistory:
    """What our gate has recorded of a playback id lately, in numbers of calls; of `rejected` the signature could not be
    verified. `decision` is the newest about the very access key that is asked about, where the gate can tell."""

    asked: int = 0
    denied: int = 0
    failed: int = 0
    slow: int = 0
    rejected: int = 0
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of fetching the manifest without any credential and without `Origin`; `played` is None where the answer
    tells neither."""

    played: bool | None
    at_ms: int
    http_status: int | None = None
    error_line: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What is known of the content behind a playback id; None is not known.

    `policy_type` is `public` where there is no policy. `allowed_origins` is empty where there is no list.
    `webhook_id`, `webhook_known`, `webhook_last_failure_ms` and `webhook_last_triggered_ms` are of the policy's
    webhook, and count for a policy of the type `webhook`. `playback_status` is the HTTP status of playback info (FACTS
    8). `policy_changed_ms` is when the policy, a signing key or the webhook was last seen to change.
    """

    stream_id: str | None = None
    policy_type: Known[str] | None = None
    allowed_origins: Known[tuple[str, ...]] | None = None
    policy_changed_ms: int | None = None
    suspended: Known[bool] | None = None
    deleted: Known[bool] | None = None
    user_disabled: Known[bool] | None = None
    playback_status: int | None = None
    webhook_id: str | None = None
    webhook_known: Known[bool] | None = None
    webhook_last_failure_ms: int | None = None
    webhook_last_triggered_ms: int | None = None
    signing_keys: Known[tuple[SigningKey, ...]] | None = None
    gate: GateHistory | None = None
    probe: Probed | None = None
    untold: str = "it takes RECEIVER_STUDIO_API_KEY"
    """Why the Studio API does not tell, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the player has: `origin` is empty where it sends none, None where that was not told; `error` is what it
    said, or the gate. The credentials are read and forgotten."""

    playback_id: str
    jwt: str | None = field(default=None, repr=False)
    access_key: str | None = field(default=None, repr=False)
    origin: str | None = field(default=None, repr=False)
    error: str | None = field(default=None, repr=False)

    @property
    def key_wins(self) -> bool:
        """Whether there are both credentials: then the node looks at the access key alone (FACTS 7.3)."""
        return bool(self.jwt and self.access_key)


class Quote:
    """Shows what came from outside, in quotation marks, short, printable, and without secrets: those of the question
    least of all. (No Redactor: that is made once for secrets that stay, and `re` would remember these.)"""

    def __init__(self, asked: Asked) -> None:
        parts = [part for part in (asked.jwt or "").split(".", 8) if len(part) >= _SHORTEST_PART]
        whole = [one for one in (asked.jwt, asked.access_key) if one and len(one) >= SHORTEST_LITERAL]
        forms = {form for secret in (*whole, *parts) for form in forms_of(secret)}
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text as it may be shown."""
        for form in self._forms:
            text = text.replace(form, MASK)
        shown = quoted(redact_text(text))
        return "".join(letter if letter.isprintable() else "\ufffd" for letter in shown)


@dataclass(frozen=True, slots=True)
class Check:
    """One check as it is told."""

    check: str
    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True)
class Explained:
    """Whether playback is allowed, why not, what to do, and every check in order."""

    verdict: Literal["allowed", "denied", "unknown"]
    reason: str
    message: str
    fix: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check. A failure has a reason; where something unknown is `needed`, nothing can be allowed."""

    verdict: Verdict
    detail: str
    reason: str = ""
    needed: bool = False


def passed(detail: str) -> Finding:
    """Nothing stands against it here."""
    return Finding("pass", detail)


def failed(reason: str, detail: str) -> Finding:
    """Here it is refused."""
    return Finding("fail", detail, reason)


def unknown(detail: str) -> Finding:
    """It depends on this, and it is not known."""
    return Finding("unknown", detail, needed=True)


def aside(detail: str) -> Finding:
    """Not known, or not looked at, and nothing depends on it."""
    return Finding("unknown", detail)
