"""Whether the log gives what is stored, which only reads: nobody who writes has to wait for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from receiver.diagnoser import streams as streaming
from receiver.diagnoser.adoption import would_adopt
from receiver.diagnoser.bounds import Bounds
from receiver.diagnoser.case import Case, load_cases
from receiver.diagnoser.case_folding import refold_case, short_logs
from receiver.diagnoser.moment import Moment
from receiver.diagnoser.outcome import Outcome
from receiver.diagnoser.records import Record
from receiver.diagnoser.recounting import Recount, Recounted
from receiver.diagnoser.senders import Senders, judge_senders
from receiver.diagnoser.streams import Concluded
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.senders import EndpointState, WebhookState
from receiver.diagnosis.values import Subject
from receiver.diagnosis.verdicts import Surroundings
from receiver.storage import episodes, history
from receiver.storage.cases import LogRow

T = TypeVar("T")


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
    logs = short_logs(connection, found.values(), moment.bounds)
    refolded = {
        subject: _tried(partial(_refold, connection, case, around, moment, logs.get(subject.id)))
        for subject, case in found.items()
    }
    items = [one.item for one in refolded.values() if one is not None and one.item is not None]
    known = _Known(senders, streaming.unresolved_of(connection, items))
    unlike = [
        subject
        for subject, one in refolded.items()
        if one is None or not _tried(partial(_is_same, connection, one, known, moment.outcome()))
    ]
    return Checked(sum(one.read for one in refolded.values() if one is not None), tuple(unlike))


def _tried(work: Callable[[], T]) -> T | None:
    """What it gives; None where a rule fails, of which is told where all is written."""
    try:
        return work()
    except SQLAlchemyError:
        raise
    except Exception:  # noqa: BLE001 -- whatever a rule fails with
        return None


@dataclass(frozen=True, slots=True)
class _Refolded:
    """A case as its whole log gives it, and what is to be said of it, if anything."""

    case: Case
    read: int
    adopts: bool
    item: Concluded | None


@dataclass(frozen=True, slots=True)
class _Known:
    """What is stored besides the cases themselves."""

    senders: Senders
    unresolved: Mapping[episodes.Fingerprint, Record]


def _refold(
    connection: Connection, case: Case, around: Surroundings, moment: Moment, log: Sequence[LogRow] | None
) -> _Refolded:
    read = refold_case(connection, case, around, moment.bounds, log)
    return _Refolded(case, read, would_adopt(connection, case), streaming.judge_case(case, around, moment.now_ms))


def _is_same(connection: Connection, one: _Refolded, known: _Known, outcome: Outcome) -> bool:
    if one.adopts:
        return False
    senders = known.senders
    before = dict(senders.webhooks)
    if one.item is None:
        streaming.put_nothing(one.case, outcome)
    else:
        streaming.conclude(connection, [one.item], senders, outcome, known.unresolved)
    told, senders.webhooks = senders.webhooks, before
    return outcome.changes_nothing and told == before and _keeps_the_same(connection, one.case, outcome.bounds)


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
