"""What the endpoint and the webhooks were after the deliveries that have been removed (P5): what is built anew of them
begins there."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from receiver.diagnoser.records import ENDPOINT, EVIDENCE, WEBHOOK, Record, read, receipts_of, registration_of, text_of
from receiver.diagnoser.senders import fold_receipts, fold_seen
from receiver.diagnosis.senders import EndpointState, WebhookState
from receiver.diagnosis.values import ENDPOINT as ENDPOINT_SUBJECT
from receiver.ids import public_id
from receiver.storage import bases, pending, registrations, retention
from receiver.storage.retention import DONE, Span, Step


@dataclass(frozen=True, slots=True)
class Base:
    """The endpoint and the webhooks as all deliveries up to one (`until`, its `seq`) give them."""

    until: int
    endpoint: EndpointState
    webhooks: dict[str, WebhookState]


def load_base(connection: Connection) -> Base:
    """What stands for the deliveries that were removed: nothing, where none were. Raises ValueError where it cannot be
    read."""
    endpoint = bases.all_of(connection, ENDPOINT_SUBJECT.kind).get(ENDPOINT_SUBJECT.id)
    webhooks = bases.all_of(connection, "webhook")
    return Base(
        bases.bookmark(connection, bases.DELIVERIES),
        EndpointState() if endpoint is None else read(ENDPOINT, endpoint.folded),
        {webhook_id: read(WEBHOOK, row.folded) for webhook_id, row in webhooks.items()},
    )


def remove_deliveries(connection: Connection, span: Span) -> Step:
    """Remove a batch, but for those that an open diagnosis shows; its bases stand for them from now on."""
    seqs = retention.deliveries(connection, span)
    if not seqs:
        return DONE
    _move_base(connection, seqs[-1])
    protected = shown(connection, ENDPOINT_SUBJECT.kind)
    over = [seq for seq in seqs if public_id("dl", seq) not in protected] if protected else seqs
    retention.remove_deliveries(connection, over)
    return Step(len(over), seqs[-1])


def _move_base(connection: Connection, until: int) -> None:
    base = load_base(connection)
    if until <= base.until:
        return
    before = dict(base.webhooks)
    receipts = receipts_of(pending.receipts(connection, base.until, until))
    endpoint = fold_receipts(base.endpoint, base.webhooks, receipts)
    rows = [_row("webhook", name, state) for name, state in base.webhooks.items() if before.get(name) is not state]
    bases.save(connection, [_row(ENDPOINT_SUBJECT.kind, ENDPOINT_SUBJECT.id, endpoint), *rows])
    bases.move_bookmark(connection, bases.DELIVERIES, until)


def stand_for_registrations(connection: Connection, seqs: Sequence[int]) -> None:
    """Let the bases of the webhooks stand for these snapshots of them, which are to be removed."""
    rows = registrations.these(connection, seqs)
    if not rows:
        return
    webhooks = load_base(connection).webhooks
    fold_seen(webhooks, map(registration_of, rows))
    bases.save(connection, [_row("webhook", name, webhooks[name]) for name in sorted({row.webhook_id for row in rows})])


def _row(kind: str, subject_id: str, state: EndpointState | WebhookState) -> Record:
    return {"kind": kind, "id": subject_id, "position": "", "folded_count": 0, "folded": text_of(state)}


def shown(connection: Connection, kind: str) -> set[str]:
    """What open diagnoses of subjects of a kind show, by its public id: refused deliveries, of our endpoint; events, of
    webhooks."""
    return {item.id for text in retention.evidence_of(connection, kind) for item in read(EVIDENCE, text)}
