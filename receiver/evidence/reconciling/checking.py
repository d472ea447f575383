"""A registration explained: one line for each thing that may be wrong with it, and what to do.

What keeps deliveries away is known in `receiver.diagnosis.senders.registration`; here it is told together with what is
in order, and with what is not known.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

from receiver.diagnosis.catalogue import reason_entry
from receiver.diagnosis.looks import WebhookLook
from receiver.diagnosis.senders.registration import NEEDED, TYPE, causes
from receiver.evidence.reconciling.ours import leads_here
from receiver.livepeer.studio.webhooks import CURRENT, Webhook
from receiver.reception import PATH
from receiver.times import rfc3339

Verdict: TypeAlias = Literal["ok", "wrong", "unknown"]
_OF: Final[Mapping[str, str]] = {
    "UserSuspended": "account",
    "WebhookDeleted": "registered",
    "UrlNotPublic": "public",
    "RedirectSwallowed": "redirects",
    "EndpointFailing": "last_call",
    "EndpointUnreachable": "last_call",
    "SignatureMissing": "secret",
    "SignatureMismatch": "secret",
    "NeverTriggered": "called",
    "NotSubscribed": "events",
    "EventNeverSent": "never_sent",
    "WrongProject": "project",
}
"""Which check a reason belongs to."""


class Check(Struct, frozen=True, gc=False):
    """One thing that was looked at. `reason` is the catalogue's, `fix` what to do, where something is wrong, or is to
    be known though it does no harm."""

    check: str
    verdict: Verdict
    detail: str
    reason: str | None = None
    fix: str | None = None


class Checked(Struct, frozen=True, gc=False):
    """All that was looked at of a webhook; `url` is without what may be secret in it, None where there is none."""

    webhook_id: str
    url: str | None
    checks: tuple[Check, ...]

    @property
    def wrong(self) -> bool:
        """Whether anything is."""
        return any(one.verdict == "wrong" for one in self.checks)


def check_missing(webhook_id: str, look: WebhookLook, last_ms: int | None, now_ms: int) -> Checked:
    """A webhook that the key does not find, or of an account that is suspended."""
    return Checked(webhook_id, None, tuple(_wrong(look, last_ms, now_ms).values()))


def check(
    webhook: Webhook, look: WebhookLook, last_ms: int | None, now_ms: int, same_url: Sequence[str] = ()
) -> Checked:
    """A webhook, with the snapshot of it that was just made. `last_ms` is when it last called us, `same_url` are the
    ids of others that lead to the same URL."""
    wrong = _wrong(look, last_ms, now_ms)
    checks = [wrong.get(one.check, one) for one in (*_of_url(webhook, look), *_of_calls(webhook, look, last_ms))]
    return Checked(webhook.id, webhook.shown_url, (*checks, *_hints(webhook, same_url)))


def _wrong(look: WebhookLook, last_ms: int | None, now_ms: int) -> dict[str, Check]:
    found: dict[str, Check] = {}
    for reason, happened, _ in causes(look, last_ms, now_ms):
        check_name = _OF[reason]
        entry = reason_entry(TYPE, reason)
        verdict: Verdict = "ok" if entry.severity == "info" else "wrong"
        found.setdefault(check_name, Check(check_name, verdict, happened, reason, entry.next_step))
    return found


def _of_url(webhook: Webhook, look: WebhookLook) -> Iterator[Check]:
    scheme = urlsplit(webhook.url or "").scheme
    if look.url_public is None:
        yield Check("public", "unknown", "The URL's host has no address that can be found from here.")
    elif not look.url_public:
        yield Check(
            "public", "ok", "From here the URL leads to a private address, and Livepeer has called it all the same."
        )
    else:
        yield Check("public", "ok", "The URL's host has public addresses only.")
    if scheme == "https":
        yield Check("https", "ok", "The URL begins with https://.")
    else:
        detail = "The URL does not begin with https://: what it is told can be read, and changed, on the way."
        yield Check("https", "wrong", detail, fix="Register a URL that begins with https://.")
    if leads_here(webhook):
        yield Check("path", "ok", f"The URL's path ends in {PATH}.")
    else:
        detail = f"The URL's path does not end in {PATH}: only a proxy that maps it leads here."
        yield Check("path", "unknown", detail)
    if look.redirects is None:
        yield Check("redirects", "unknown", "Whether the URL redirects was not found out from here.")
    elif look.redirects:
        detail = f"The URL redirects with {look.redirects}, which keeps the body; register the URL that it leads to."
        yield Check("redirects", "ok", detail)
    else:
        yield Check("redirects", "ok", "The URL does not redirect.")


def _of_calls(webhook: Webhook, look: WebhookLook, last_ms: int | None) -> Iterator[Check]:
    yield Check("events", "ok", f"It is subscribed to all that is needed: {', '.join(NEEDED)}.")
    yield Check("never_sent", "ok", "It is subscribed to nothing that Livepeer never sends.")
    newer = (
        "" if webhook.secret in CURRENT else " It is not the first of them: `receiver webhooks register URL` sets it."
    )
    yield Check("secret", "ok", f"Its secret is configured here.{newer}")
    told = "the key's" if webhook.project_id is None else webhook.project_id
    detail = f"It is of project {told}. Streams of other projects are not told of, and multistream events only to the"
    yield Check("project", "ok" if last_ms is not None else "unknown", f"{detail} default project's webhooks.")
    yield Check("last_call", *_last_call(look))
    if last_ms is not None:
        yield Check("called", "ok", f"It last called this service at {rfc3339(last_ms)}.")
    elif look.triggered_ms is not None:
        detail = f"Livepeer last called it at {rfc3339(look.triggered_ms)}, and nothing of it has arrived here."
        yield Check("called", "unknown", detail)
    else:
        yield Check("called", "unknown", "It was never called: perhaps there was nothing to tell.")


def _last_call(look: WebhookLook) -> tuple[Verdict, str]:
    if look.triggered_ms is None:
        return "unknown", "Livepeer has not called it yet."
    before = "" if look.failed_ms is None else f" The last failure before, at {rfc3339(look.failed_ms)}, is over."
    return "ok", f"Livepeer's last call, at {rfc3339(look.triggered_ms)}, succeeded.{before}"


def _hints(webhook: Webhook, same_url: Sequence[str]) -> Iterator[Check]:
    if same_url:
        detail = f"Other webhooks have the same URL, so each event comes several times: {', '.join(same_url)}."
        yield Check("same_url", "wrong", detail, fix="Delete all but one in Livepeer Studio.")
    if webhook.stream_id is not None:
        detail = f"It is set to stream {webhook.stream_id}, which filters nothing: it is told of all streams."
        yield Check("stream_id", "ok", detail)
