"""The endpoint and the webhooks, built from the log of deliveries where what is stored of one of them no longer reads.
Without them no stream can be judged, so they do not wait for a retry."""

from collections.abc import Sequence

from sqlalchemy import Connection

from receiver.diagnoser.records import ENDPOINT, WEBHOOK, Record, read, text_of
from receiver.diagnoser.recounting import Recount
from receiver.diagnoser.senders import blank_subject
from receiver.diagnoser.spoiled import is_spoiled
from receiver.diagnosis.senders import WebhookState
from receiver.diagnosis.values import ENDPOINT as ENDPOINT_SUBJECT
from receiver.diagnosis.values import Condition, Subject
from receiver.storage import cases, episodes
from receiver.storage.claims import lock_senders


def mend_senders(connection: Connection, now_ms: int) -> Sequence[Subject]:
    """Build those anew whose row no longer reads, and have the streams tell them what is missing. Returns which."""
    if not any(map(_is_spoiled, cases.senders(connection))):
        return ()
    lock_senders(connection, cases.webhook_ids(connection))
    spoiled = [row for row in cases.senders(connection) if _is_spoiled(row)]
    endpoint, webhooks = Recount().complete(connection)
    for row in spoiled:
        if row["kind"] == ENDPOINT_SUBJECT.kind:
            folded = text_of(endpoint)
        else:
            folded = text_of(webhooks.get(row["id"]) or WebhookState(row["id"]))
        _write(connection, row, folded, now_ms)
    cases.hasten_waiting(connection, now_ms)
    return [Subject(row["kind"], row["id"]) for row in spoiled]


def _is_spoiled(row: Record) -> bool:
    try:
        if row["kind"] == ENDPOINT_SUBJECT.kind:
            read(ENDPOINT, row["folded"])
        else:
            read(WEBHOOK, row["folded"])
    except ValueError:
        return True
    return is_spoiled(row)


def _write(connection: Connection, row: Record, folded: str, now_ms: int) -> None:
    """It is due. What was said of it is what its open diagnosis says; where there is none, it was nothing."""
    subject = Subject(row["kind"], row["id"])
    known = episodes.unresolved(connection, [(subject.kind, subject.id)]).values()
    said = tuple(_condition(diagnosis) for diagnosis in known)
    mended = blank_subject(
        subject, folded=folded, conditions=text_of(said), last_event_ms=row["last_event_ms"], deadline_ms=now_ms
    )
    place = {"kind": subject.kind, "id": subject.id, "state": None, "last_event_ms": None}
    failing = [{**place, "condition": condition.type} for condition in said]
    cases.save_subjects(connection, [], [mended])
    cases.save_failing(connection, failing, [])


def _condition(diagnosis: Record) -> Condition:
    names = ("reason", "message", "certainty", "severity", "since_ms")
    return Condition(type=diagnosis["condition"], status="true", **{name: diagnosis[name] for name in names})
