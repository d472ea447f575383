"""Everything concluded anew from the log: what was folded is forgotten, and must come out as it was (P5)."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection

from receiver.diagnoser.bounds import USUAL, Bounds
from receiver.diagnoser.mending import mend_senders, refold
from receiver.diagnoser.passing import run_pass
from receiver.diagnoser.records import WEBHOOK, read, text_of
from receiver.diagnoser.senders import blank_subject
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.senders import EndpointState
from receiver.diagnosis.values import ENDPOINT as ENDPOINT_SUBJECT
from receiver.diagnosis.values import Limits, Subject
from receiver.ids import Ids
from receiver.storage import cases


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many subjects there are, and how many of them came out differently."""

    subjects: int
    differing: int


def rebuild(connection: Connection, ids: Ids, now_ms: int, limits: Limits, bounds: Bounds = USUAL) -> Rebuilt:
    """Fold and judge everything anew, in the caller's transaction.

    What is due is done first, and all that waits for time is judged at this moment, so that nothing can come out
    differently but what the log does not give. Where nothing does, no diagnosis changes and nobody is told anything.
    """
    mend_senders(connection, now_ms)
    cases.hasten_waiting(connection, now_ms)
    _settle(connection, ids, now_ms, limits, bounds)
    before = _digests(connection)
    cases.hasten_all(connection, now_ms)
    _refold_senders(connection, now_ms)
    _settle(connection, ids, now_ms, limits, bounds)
    after = _digests(connection)
    return Rebuilt(len(after), sum(1 for key in before | after if before.get(key) != after.get(key)))


def _settle(connection: Connection, ids: Ids, now_ms: int, limits: Limits, bounds: Bounds) -> None:
    while run_pass(connection, ids, now_ms, limits, bounds).handled:
        pass


def _digests(connection: Connection) -> dict[tuple[str, str], bytes]:
    """What was folded and concluded of each subject (kind, id), short enough to hold all of them."""
    return {
        (kind, subject_id): hashlib.sha256(f"{folded}\n{conditions}".encode()).digest()
        for kind, subject_id, folded, conditions in cases.conclusions(connection)
    }


def _refold_senders(connection: Connection, now_ms: int) -> None:
    """Write the endpoint and the webhooks as all receipts give them, and make them due. Where nothing was ever
    delivered, there is nothing to say of the endpoint."""
    endpoint, webhooks = refold(connection)
    if endpoint != EndpointState() or cases.load_subjects(connection, "endpoint", [ENDPOINT_SUBJECT.id]):
        _write(connection, {ENDPOINT_SUBJECT: text_of(endpoint)}, now_ms)
    stored = cases.load_subjects(connection, "webhook", webhooks)
    for webhook_id, record in stored.items():
        told = read(WEBHOOK, record["folded"]).missing  # by the streams, which will tell of them again
        webhooks[webhook_id] = replace(webhooks[webhook_id], missing=told)
    texts = {Subject("webhook", name): text_of(state) for name, state in webhooks.items()}
    _write(connection, texts, now_ms)


def _write(connection: Connection, folded: dict[Subject, str], now_ms: int) -> None:
    for subject, text in folded.items():
        known = cases.load_subjects(connection, subject.kind, [subject.id]).get(subject.id)
        row = {**(known or blank_subject(subject)), "folded": text, "deadline_ms": now_ms}
        cases.save_subjects(connection, [] if known else [row], [row] if known else [])
