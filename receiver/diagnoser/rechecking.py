"""Whether the log gives what is stored, which only reads: nobody who writes has to wait for it."""

from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from receiver.diagnoser import streams as streaming
from receiver.diagnoser.adoption import would_adopt
from receiver.diagnoser.bounds import Bounds
from receiver.diagnoser.case import Case, load_bases, load_cases, refold_case, short_logs
from receiver.diagnoser.outcome import Outcome
from receiver.diagnoser.recounting import Recount, Recounted
from receiver.diagnoser.senders import Senders, judge_senders
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.senders import EndpointState, WebhookState
from receiver.diagnosis.values import Limits, Subject
from receiver.diagnosis.verdicts import Surroundings
from receiver.ids import Ids
from receiver.storage import history


@dataclass(frozen=True, slots=True)
class Moment:
    """When and by what rules all is judged."""

    ids: Ids
    now_ms: int
    limits: Limits
    bounds: Bounds

    def outcome(self) -> Outcome:
        """An outcome of which nothing is put yet."""
        return Outcome(self.ids, self.now_ms, self.bounds)


@dataclass(frozen=True, slots=True)
class Checked:
    """How many signals were read, and which subjects do not come out as they are stored."""

    read: int
    unlike: tuple[Subject, ...]


def check_cases(connection: Connection, moment: Moment, subjects: list[Subject]) -> Checked:
    """Fold these streams and orphaned sessions from their whole log, and judge them at this moment."""
    senders = Senders.load_all(connection, moment.now_ms)
    around = senders.surroundings(moment.now_ms, moment.limits)
    found = {subject: Case(subject) for subject in subjects}
    load_cases(connection, found)
    load_bases(connection, found.values())
    logs = short_logs(connection, found.values(), moment.bounds)
    read, unlike = 0, []
    for subject, case in found.items():
        try:
            read += refold_case(connection, case, around, moment.bounds, logs.get(subject.id))
            same = _is_same(connection, case, senders, around, moment.outcome())
        except SQLAlchemyError:
            raise
        except Exception:  # noqa: BLE001 -- whatever a rule fails with on one of them, it is told where all is written
            same = False
        if not same:
            unlike.append(subject)
    return Checked(read, tuple(unlike))


def _is_same(connection: Connection, case: Case, senders: Senders, around: Surroundings, outcome: Outcome) -> bool:
    if would_adopt(connection, case):
        return False
    item = streaming.judge_case(case, around, outcome.now_ms)
    before = dict(senders.webhooks)
    if item is None:
        streaming.put_nothing(case, outcome)
    else:
        streaming.conclude(connection, [item], senders, outcome)
    told, senders.webhooks = senders.webhooks, before
    return outcome.changes_nothing and told == before and _keeps_the_same(connection, case, outcome.bounds)


def _keeps_the_same(connection: Connection, case: Case, bounds: Bounds) -> bool:
    """Whether the states kept on the way are those that are stored. Most cases are too short to have any."""
    longest = max(case.folded_count, 0 if case.row is None else case.row["folded_count"])
    if longest < bounds.checkpoint_every:
        return True
    stored = history.checkpoints_of(connection, case.subject.kind, case.subject.id)
    kept = [(row["position"], row["folded_count"], row["folded"]) for row in case.checkpoints]
    return stored == kept[-bounds.checkpoints_kept :]


def are_senders_same(connection: Connection, moment: Moment, recount: Recount) -> bool:
    """Whether the endpoint and the webhooks come out as they are stored."""
    senders = Senders.load_all(connection, moment.now_ms)
    endpoint, webhooks = recounted(senders, recount.complete(connection))
    if endpoint != senders.endpoint or any(senders.webhooks.get(i) != state for i, state in webhooks.items()):
        return False
    if not is_anything_known(senders):
        return True
    outcome = moment.outcome()
    judge_senders(connection, senders, senders.surroundings(moment.now_ms, moment.limits), outcome)
    return outcome.changes_nothing


def recounted(senders: Senders, counted: Recounted) -> Recounted:
    """What was counted, with what else is known of the webhooks: what streams have told of them, and will again."""
    endpoint, webhooks = counted
    return endpoint, {i: _with_what_was_told(state, senders.webhooks.get(i)) for i, state in webhooks.items()}


def _with_what_was_told(state: WebhookState, stored: WebhookState | None) -> WebhookState:
    return state if stored is None else replace(state, missing=stored.missing, delaying=stored.delaying)


def is_anything_known(senders: Senders) -> bool:
    """Whether anything was ever delivered; else there is nothing to say of our endpoint."""
    return senders.endpoint_row is not None or senders.endpoint != EndpointState() or bool(senders.webhooks)
