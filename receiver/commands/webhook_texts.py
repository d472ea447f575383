"""How `receiver webhooks` says what it found and did."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from receiver.evidence.reconciling.checking import Checked
from receiver.evidence.reconciling.registering import Registered
from receiver.evidence.reconciling.values import Missed, Report
from receiver.times import rfc3339

MOST_SHOWN: Final = 10
_REFUSED: Final = {
    "no_body": "the log has no body of them",
    "too_large": "their body is larger than RECEIVER_MAX_BODY_BYTES",
    "not_an_event": "their body is no event",
    "gate_request": "their body has a key that only an access control gate's has: somebody may have forged them",
    "foreign_webhook": "their body names another webhook than the one in whose log they stand",
}


def lines_of_checks(found: Sequence[Checked], named: str | None) -> Iterator[str]:
    """Each webhook with each check."""
    if not found:
        yield f"No webhook {'leads here' if named is None else f'has the URL {named}'}."
        yield "Make one: receiver webhooks register URL"
    for one in found:
        yield f"{one.webhook_id}  {one.url or ''}".rstrip()
        for check in one.checks:
            yield from _wrapped(f"{check.verdict:<8} {check.check + ':':<11} {check.detail}", "  ", 23)
            if check.fix is not None:
                yield from _wrapped(f"To do: {check.fix}", " " * 23, 23)


def lines_of_registered(done: Registered, *, dry_run: bool) -> Iterator[str]:
    """What was done."""
    would = "would be " if dry_run else ""
    about = f"A webhook ({done.url})" if done.webhook_id is None else f"Webhook {done.webhook_id} ({done.url})"
    for change in done.changes:
        yield from _wrapped(f"{about} {would or 'was '}{change}.", "", 2)
    if not done.changes:
        yield f"{about} is in order: nothing was changed."
    if done.created and not dry_run:
        yield "It has this service's current secret. Look at it: receiver webhooks check"
    if done.others:
        yield from _wrapped(
            f"These have the same URL, so each event comes several times: {', '.join(done.others)}. Delete them in"
            " Livepeer Studio.",
            "",
            2,
        )


def lines_of_report(report: Report, *, dry_run: bool) -> Iterator[str]:
    """What was missing and why, and what became of it."""
    yield (
        f"Read {report.attempts} attempts in the logs of {_count(report.webhooks, 'webhook')}, from"
        f" {rfc3339(report.from_ms)} to {rfc3339(report.until_ms)}; the last minute is left out, as attempts are logged"
        " when they end."
    )
    taken = "nothing was taken in, as this is a dry run" if dry_run else f"{report.taken_in} taken in"
    if report.missing:
        yield f"Missing: {_count(report.missing, 'event')}, counted once for each webhook; {taken}."
    elif report.attempts:
        yield "All of it was here."
    elif report.webhooks and report.failure is None:
        yield "Livepeer delivered nothing then."
    yield from _fates(report)
    if report.earlier:
        yield f"Of {_count(report.earlier, 'event')} an earlier attempt was read than had been known."
    for code, count in report.refused.items():
        yield f"Not usable: {_count(count, 'attempt')}: {_REFUSED[code]}."
    for webhook_id in report.unread:
        yield f"Webhook {webhook_id} has called this service, and the key does not find it: its log was not read."
    if not report.webhooks and report.failure is None:
        yield "No webhook leads here. Make one: receiver webhooks register URL"
    if report.detail is not None:
        yield f"It ended early. {report.detail}"


def _fates(report: Report) -> Iterator[str]:
    for status, count in report.answered.items():
        yield f"  {count} fired, and answered {status}"
    if report.unanswered:
        yield f"  {report.unanswered} fired, and not answered"
    if report.not_stored:
        yield f"  {report.not_stored} fired and answered 2xx, but not stored here: by a redirect, or another server"
    for never in report.never_fired[:MOST_SHOWN]:
        yield f"  never fired: {never.event} of session {never.session_id} of stream {never.stream_id}"
    for missed in report.examples[:MOST_SHOWN]:
        yield f"    {_of(missed)}"


def _of(missed: Missed) -> str:
    fate = "not answered" if missed.fate == "unanswered" else f"answered {missed.status}"
    return (
        f"{rfc3339(missed.first_ms)}  {missed.event}  {missed.event_id}  {_count(missed.attempts, 'attempt')}, {fate}"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _wrapped(text: str, first: str, then: int) -> list[str]:
    return textwrap.wrap(text, 118, initial_indent=first, subsequent_indent=" " * then, break_long_words=False)
