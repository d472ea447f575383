"""The endpoint and the webhooks in one pass: fold the receipts, judge, and say what streams are judged in."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import Connection

from receiver.diagnoser.outcome import Belongs, Outcome, follow
from receiver.diagnoser.records import ENDPOINT, WEBHOOK, Record, failing_of, read, text_of
from receiver.diagnosis.coverage import OPEN_END_MS, Coverage, coverage
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.rules.deliveries import GAP_FADES_MS, Missing
from receiver.diagnosis.senders import (
    EndpointState,
    Receipt,
    Registration,
    WebhookState,
    fold_endpoint,
    fold_registrations,
    fold_webhook,
    is_verified,
    judge_endpoint,
    judge_webhook,
    refusing_intervals,
    with_missing,
)
from receiver.diagnosis.values import ENDPOINT as ENDPOINT_SUBJECT
from receiver.diagnosis.values import Condition, Limits, Subject
from receiver.diagnosis.verdicts import Surroundings
from receiver.storage import cases, episodes
from receiver.storage.claims import lock_senders
from receiver.storage.coverage import LONGEST_SILENCE_MS, heard, load

Bearing = tuple[object, ...]
"""What of the senders bears on conditions of streams that are true already."""
AT_ONCE = 8192
"""How many deliveries are held at a time while all that ever came are folded."""


@dataclass(slots=True)
class Senders:
    """The endpoint and those webhooks that this pass has to do with, as they are and as they were stored."""

    up: Sequence[tuple[int, int]]
    endpoint: EndpointState
    endpoint_row: Record | None
    webhooks: dict[str, WebhookState] = field(default_factory=dict)
    webhook_rows: dict[str, Record] = field(default_factory=dict)
    bearing: Bearing = ()
    heard: Sequence[tuple[int, int]] = ()
    receipts: Sequence[Receipt] = ()
    registrations: Sequence[Registration] = ()
    told: list[tuple[str, Sequence[str], Sequence[Missing]]] = field(default_factory=list)
    """What was noted of missing events."""

    @classmethod
    def load(cls, connection: Connection, now_ms: int) -> "Senders":
        """The endpoint, and every webhook that a condition is true of."""
        row = cases.load_subjects(connection, "endpoint", [ENDPOINT_SUBJECT.id]).get(ENDPOINT_SUBJECT.id)
        state = EndpointState() if row is None else read(ENDPOINT, row["folded"])
        senders = cls(_until_now(load(connection), now_ms), state, row, heard=heard(connection))
        senders.know(connection, cases.failing_ids(connection, "webhook"))
        delaying = frozenset(i for i, webhook in senders.webhooks.items() if webhook.delaying)
        senders.bearing = (bool(failing_of(row)), delaying, refusing_intervals(state, now_ms))
        return senders

    @classmethod
    def load_all(cls, connection: Connection, now_ms: int) -> "Senders":
        """The endpoint, and every webhook; there are few."""
        senders = cls.load(connection, now_ms)
        senders.know(connection, cases.webhook_ids(connection))
        return senders

    def know(self, connection: Connection, webhook_ids: Iterable[str]) -> None:
        """Load these webhooks where they are not loaded yet."""
        unknown = set(webhook_ids) - set(self.webhooks)
        for webhook_id, row in cases.load_subjects(connection, "webhook", unknown).items():
            self.webhook_rows[webhook_id] = row
            self.webhooks[webhook_id] = read(WEBHOOK, row["folded"])

    def fold(self, connection: Connection, receipts: Sequence[Receipt]) -> None:
        """Take in deliveries, in the order of their receipt. Only a verified one makes a webhook known (P14)."""
        self.receipts = receipts
        self.know(connection, {r.webhook_id for r in receipts if r.webhook_id and is_verified(r)})
        self.endpoint = fold_receipts(self.endpoint, self.webhooks, receipts)

    def see(self, connection: Connection, registrations: Sequence[Registration]) -> None:
        """Take in snapshots of webhooks, which make them known: they come from Livepeer itself."""
        self.registrations = registrations
        self.know(connection, {one.webhook_id for one in registrations})
        fold_seen(self.webhooks, registrations)

    def coverage(self, now_ms: int) -> Coverage:
        """The time of which we know what was to be delivered: it would have reached us, or was read afterwards."""
        return coverage(self.up, refusing_intervals(self.endpoint, now_ms), self.heard)

    def accepting(self, now_ms: int) -> Coverage:
        """The time in which a delivery would have reached us: what comes late after another time is late for that."""
        return coverage(self.up, refusing_intervals(self.endpoint, now_ms))

    def surroundings(self, now_ms: int, limits: Limits) -> Surroundings:
        """What streams are judged in at this moment."""
        accepting = self.accepting(now_ms)
        late = {
            webhook_id
            for webhook_id, state in self.webhooks.items()
            if _is_late(judge_webhook(replace(state, missing=(), registered=None), now_ms, accepting))
        }
        failing = judge_endpoint(self.endpoint, now_ms).status == "true"
        return Surroundings(limits, self.coverage(now_ms), endpoint_failing=failing, webhooks_failing=frozenset(late))

    def note_missing(
        self, connection: Connection, stream_id: str, callers: Sequence[str], missing: Sequence[Missing]
    ) -> None:
        """Take over the gaps that a stream was found to have, for each webhook that has told of it."""
        self.told.append((stream_id, callers, missing))
        self.know(connection, callers)
        for webhook_id in callers:
            if webhook_id in self.webhooks:
                self.webhooks[webhook_id] = with_missing(self.webhooks[webhook_id], stream_id, missing)

    def claimed(self, connection: Connection, now_ms: int) -> "Senders":
        """These after the same deliveries and with the same missing events, as nobody else can change them any more
        until the transaction ends."""
        lock_senders(connection, self.webhooks)
        again = Senders.load(connection, now_ms)
        again.know(connection, self.webhooks)
        again.fold(connection, self.receipts)
        again.see(connection, self.registrations)
        for noted in self.told:
            again.note_missing(connection, *noted)
        return again


def fold_receipts(
    endpoint: EndpointState, webhooks: dict[str, WebhookState], receipts: Iterable[Receipt]
) -> EndpointState:
    """The endpoint after these deliveries; those that were verified are folded into `webhooks`."""
    left = iter(receipts)
    while some := list(islice(left, AT_ONCE)):
        endpoint = fold_endpoint(endpoint, some)
        for webhook_id, mine in _of_webhooks(some).items():
            webhooks[webhook_id] = fold_webhook(webhooks.get(webhook_id) or WebhookState(webhook_id), mine)
    return endpoint


def fold_seen(webhooks: dict[str, WebhookState], registrations: Iterable[Registration]) -> None:
    """The webhooks after these snapshots of them."""
    found: dict[str, list[Registration]] = defaultdict(list)
    for one in registrations:
        found[one.webhook_id].append(one)
    for webhook_id, mine in found.items():
        known = webhooks.get(webhook_id) or WebhookState(webhook_id)
        webhooks[webhook_id] = replace(known, registered=fold_registrations(known.registered, mine))


def _of_webhooks(receipts: Iterable[Receipt]) -> Mapping[str, Sequence[Receipt]]:
    """The verified deliveries of each webhook."""
    found: dict[str, list[Receipt]] = defaultdict(list)
    for receipt in receipts:
        if receipt.webhook_id and is_verified(receipt):
            found[receipt.webhook_id].append(receipt)
    return found


def conclude(connection: Connection, senders: Senders, around: Surroundings, outcome: Outcome) -> None:
    """Judge the endpoint and the webhooks; those are due whom it bears on. Only reads."""
    judge_senders(connection, senders, around, outcome)
    now_ms = outcome.now_ms
    bearing = (around.endpoint_failing, around.webhooks_failing, refusing_intervals(senders.endpoint, now_ms))
    outcome.hasten = outcome.hasten or bearing != senders.bearing


def judge_senders(connection: Connection, senders: Senders, around: Surroundings, outcome: Outcome) -> None:
    """What is to be said of the endpoint and of the webhooks; only reads."""
    now_ms = outcome.now_ms
    accepting = senders.accepting(now_ms)
    for webhook_id, state in senders.webhooks.items():
        senders.webhooks[webhook_id] = replace(state, delaying=webhook_id in around.webhooks_failing)
    judged = [(ENDPOINT_SUBJECT, judge_endpoint(senders.endpoint, now_ms), senders.endpoint_row)]
    judged += [
        (Subject("webhook", webhook_id), judge_webhook(state, now_ms, accepting), senders.webhook_rows.get(webhook_id))
        for webhook_id, state in sorted(senders.webhooks.items())
    ]
    failing = [(s.kind, s.id) for s, condition, row in judged if condition.status == "true" or failing_of(row)]
    unresolved = episodes.unresolved(connection, failing)
    for subject, condition, row in judged:
        record = _record(senders, subject, condition, now_ms)
        outcome.put_failing(row, record, [condition])
        follow(connection, outcome, subject, condition, _belongs(senders, subject, now_ms), unresolved)
        outcome.put_subject(row, record)


def _belongs(senders: Senders, subject: Subject, now_ms: int) -> Belongs:
    """Events that are missing are shown with the stream that misses them; of several, with the latest."""
    missing = senders.webhooks[subject.id].missing if subject.kind == "webhook" else ()
    due = [gap for gap in missing if gap.due_ms <= now_ms]
    return Belongs(due[-1].stream_id, due[-1].session_id) if due else Belongs()


def _is_late(condition: Condition) -> bool:
    return condition.status == "true" and condition.reason == "DeliveriesDelayed"


def _record(senders: Senders, subject: Subject, condition: Condition, now_ms: int) -> Record:
    if subject.kind == "endpoint":
        folded = text_of(senders.endpoint)
        last_ms, deadlines = senders.endpoint.last_accepted_ms, [condition.next_check_ms]
    else:
        state = senders.webhooks[subject.id]
        folded, last_ms = text_of(state), state.last_ms
        deadlines = [condition.next_check_ms, *(gap.due_ms for gap in state.missing)]
        deadlines += [gap.due_ms + GAP_FADES_MS for gap in state.missing]
    ahead = [at_ms for at_ms in deadlines if at_ms is not None and now_ms < at_ms < OPEN_END_MS]
    return blank_subject(
        subject,
        conditions=text_of((condition,)),
        folded=folded,
        last_event_ms=last_ms,
        deadline_ms=min(ahead, default=None),
    )


def blank_subject(subject: Subject, **values: object) -> Record:
    """A whole row of `subjects`, with what is not given left empty."""
    empty: dict[str, object] = dict.fromkeys(_COLUMNS)
    return empty | {"kind": subject.kind, "id": subject.id, "conditions": "[]", "folded_count": 0} | values


_COLUMNS = cases.SUBJECT_COLUMNS


def _until_now(up: Sequence[tuple[int, int]], now_ms: int) -> Sequence[tuple[int, int]]:
    """The last interval has not ended while its last heartbeat is recent enough."""
    if not up or now_ms - up[-1][1] > LONGEST_SILENCE_MS:
        return up
    return (*up[:-1], (up[-1][0], OPEN_END_MS))
