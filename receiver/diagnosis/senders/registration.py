"""A webhook as it is registered with Livepeer: why it is not called, or is in vain (FACTS 1.3, 1.5, 10.5)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from receiver.diagnosis.frozen import replace
from receiver.diagnosis.looks import REGISTRATION_LASTS_MS, SNAPSHOT_OF_WEBHOOK, WebhookLook
from receiver.diagnosis.state import Mark
from receiver.diagnosis.values import Certainty, Condition
from receiver.diagnosis.verdicts import answer, clock, moment, quoted, seen, true

TYPE: Final = "webhook_not_firing"
NEEDED: Final = ("stream.started", "stream.idle", "recording.started", "recording.waiting", "recording.ready")
"""Without these, most of what is said here cannot be."""
NEVER_SENT: Final = ("playback.user.new", "stream.detection")
"""In the list of events, and sent by nothing (FACTS 3)."""
BODILESS: Final = frozenset({301, 302, 303})
"""These make a GET without a body of the POST (FACTS 1.3)."""
ACTIVE_BEFORE_MS: Final = 120_000
"""What happens so shortly after a webhook is made, or before it is looked at, may not have been told of yet."""


class Registration(Struct, frozen=True, gc=False):
    """A snapshot of a webhook, as it stands in the log."""

    webhook_id: str
    id: str
    at_ms: int
    look: WebhookLook


class Registered(Struct, frozen=True, gc=False, omit_defaults=True):
    """The last snapshot of a webhook, and the first of the run of snapshots that say the same."""

    first: Mark
    last: Mark
    look: WebhookLook


Cause = tuple[str, str, Certainty]


def fold_registrations(before: Registered | None, snapshots: Iterable[Registration]) -> Registered | None:
    """The webhook after these snapshots of it, whichever is told of first."""
    known = before
    for snapshot in sorted(snapshots, key=lambda one: (one.at_ms, one.id)):
        mark = Mark(snapshot.id, SNAPSHOT_OF_WEBHOOK, snapshot.at_ms)
        if known is not None and (mark.at_ms, mark.id) <= (known.last.at_ms, known.last.id):
            continue
        same = known is not None and _gist(known.look) == _gist(snapshot.look)
        known = Registered(known.first if known is not None and same else mark, mark, snapshot.look)
    return known


def _gist(look: WebhookLook) -> WebhookLook:
    """What it says, but for when it was called last."""
    return replace(look, triggered_ms=None, failed_ms=None, active_ms=None, failed_error=None)


def judge_registration(registered: Registered | None, last_ms: int | None, now_ms: int) -> Condition | None:
    """What the registration explains: a failure, or that there was nothing to tell; None where it is in order, or
    nothing lately is known of it. `last_ms` is when the webhook last delivered."""
    if registered is None or now_ms >= registered.last.at_ms + REGISTRATION_LASTS_MS:
        return None
    look, at_ms = registered.look, registered.last.at_ms
    evidence = seen(registered.last, f"The Studio API at {clock(at_ms)}: {_shown(look, at_ms)}.")
    fades_ms = at_ms + REGISTRATION_LASTS_MS
    for reason, happened, sure in causes(look, last_ms, at_ms):
        return true(
            TYPE, reason, happened, certainty=sure, since_ms=_since_ms(registered, reason), evidence=evidence,
            next_check_ms=fades_ms,
        )  # fmt: skip
    if last_ms is None and look.triggered_ms is None and look.standing == "found":
        message = "Nothing has happened yet that Livepeer would have called this webhook for."
        return answer(TYPE, "unknown", "NothingHappened", message, evidence=evidence, next_check_ms=fades_ms)
    return None


def causes(look: WebhookLook, last_ms: int | None, at_ms: int) -> Iterator[Cause]:
    """All that is wrong with a webhook as it was seen at `at_ms`, what keeps more away first: the reason, what
    happened, and how certain that is. `last_ms` is when the webhook last delivered."""
    found = (rule(look, last_ms, at_ms) for rule in _RULES)
    return (cause for cause in found if cause is not None)


def _since_ms(registered: Registered, reason: str) -> int:
    failed_ms = registered.look.failed_ms
    if failed_ms is not None and reason in {"EndpointFailing", "EndpointUnreachable"}:
        return min(failed_ms, registered.first.at_ms)
    return registered.first.at_ms


def _suspended(look: WebhookLook, _last_ms: int | None, _at_ms: int) -> Cause | None:
    if look.standing != "user_suspended":
        return None
    return "UserSuspended", "The Livepeer account is suspended: no webhook of it is called.", "confirmed"


def _elsewhere(look: WebhookLook, last_ms: int | None, at_ms: int) -> Cause | None:
    """A webhook that calls us and that the key does not find is another project's, or its retries outlive it (FACTS
    9, 12)."""
    if look.standing == "missing" and last_ms is not None and last_ms >= at_ms:
        happened = (
            "The webhook calls us, but RECEIVER_STUDIO_API_KEY does not find it: it is another project's, or was "
            "deleted less than a day ago, and what it could not deliver is still tried again."
        )
        return "WrongProject", happened, "suspected"
    if look.project is None or look.object_project is None or look.project == look.object_project:
        return None
    happened = (
        f"The webhook is of project {look.project}, and the streams of {look.object_project}: their events never reach "
        "it."
    )
    return "WrongProject", happened, "confirmed"


def _deleted(look: WebhookLook, _last_ms: int | None, _at_ms: int) -> Cause | None:
    if look.standing != "missing":
        return None
    return "WebhookDeleted", "Livepeer has no such webhook any more: no new event is delivered.", "confirmed"


def _private(look: WebhookLook, last_ms: int | None, _at_ms: int) -> Cause | None:
    """As seen from here, where a name may lead elsewhere than for Livepeer: who was called is public enough."""
    if look.url_public is not False or last_ms is not None or look.triggered_ms is not None:
        return None
    happened = f"The webhook's URL {look.url} leads to a private address: Livepeer drops its events without a trace."
    return "UrlNotPublic", happened, "confirmed"


def _redirected(look: WebhookLook, _last_ms: int | None, _at_ms: int) -> Cause | None:
    if look.redirects not in BODILESS:
        return None
    happened = (
        f"The webhook's URL {look.url} redirects with {look.redirects}, which makes a GET without a body of each "
        "delivery. Livepeer takes its 200 for success, and the event is lost."
    )
    return "RedirectSwallowed", happened, "confirmed"


def _failing(look: WebhookLook, last_ms: int | None, _at_ms: int) -> Cause | None:
    """`lastFailure` is never cleared: it counts where the last attempt was it, as far as the status tells, which may
    be a minute behind (FACTS 1.5), and as we know."""
    if look.failed_ms is None or look.failed_ms < max(look.triggered_ms or 0, last_ms or 0):
        return None
    if not look.failed_status:
        said = f", and said {quoted(look.failed_error)}" if look.failed_error else ""
        happened = f"Livepeer's last call at {clock(look.failed_ms)} found nobody who answered{said}."
        return "EndpointUnreachable", happened, "confirmed"
    again = "which it tries again" if look.failed_status >= 500 else "which it does not try again: the event is lost"
    happened = f"Livepeer's last call at {clock(look.failed_ms)} was answered {look.failed_status}, {again}."
    return "EndpointFailing", happened, "confirmed"


def _signed(look: WebhookLook, _last_ms: int | None, _at_ms: int) -> Cause | None:
    match look.secret:
        case "none":
            return "SignatureMissing", "The webhook has no secret, so its deliveries carry no signature.", "confirmed"
        case "other":
            return "SignatureMismatch", "The webhook's secret is none of those that are configured here.", "confirmed"
    return None


def _silent(look: WebhookLook, last_ms: int | None, at_ms: int) -> Cause | None:
    """Streams were active since it was made, and it was never called."""
    made_ms, active_ms = look.created_ms, look.active_ms
    if look.triggered_ms is not None or last_ms is not None or made_ms is None or active_ms is None:
        return None
    if active_ms <= made_ms + ACTIVE_BEFORE_MS or active_ms > at_ms - ACTIVE_BEFORE_MS // 2:
        return None
    happened = f"Livepeer has never called this webhook, though a stream was active at {clock(active_ms)}."
    return "NeverTriggered", happened, "confirmed"


def _unsubscribed(look: WebhookLook, _last_ms: int | None, _at_ms: int) -> Cause | None:
    lacking = [event for event in NEEDED if look.events is not None and event not in look.events]
    if not lacking:
        return None
    listed = ", ".join(f"`{event}`" for event in lacking)
    return "NotSubscribed", f"The webhook is not subscribed to {listed}.", "confirmed"


def _never_sent(look: WebhookLook, _last_ms: int | None, _at_ms: int) -> Cause | None:
    found = [event for event in NEVER_SENT if look.events is not None and event in look.events]
    if not found:
        return None
    listed = ", ".join(f"`{event}`" for event in found)
    return (
        "EventNeverSent",
        f"The webhook is subscribed to {listed}, which Livepeer lists but never sends.",
        "confirmed",
    )


_RULES: Final[Sequence[Callable[[WebhookLook, int | None, int], Cause | None]]] = (
    _suspended,
    _elsewhere,
    _deleted,
    _private,
    _redirected,
    _failing,
    _signed,
    _silent,
    _unsubscribed,
    _never_sent,
)
"""What keeps more away comes first."""


def _shown(look: WebhookLook, at_ms: int) -> str:
    if look.standing == "user_suspended":
        return "the account is suspended"
    if look.standing == "missing":
        return "there is no such webhook for this key"
    called = "never called" if look.triggered_ms is None else f"last called at {moment(look.triggered_ms, at_ms)}"
    failed = "" if look.failed_ms is None else f", last failed at {moment(look.failed_ms, at_ms)}"
    return f"{called}{failed}"
