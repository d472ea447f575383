"""One pass: everything that is due, up to a bound, from the store and back into it, in one transaction.

New signals and passed deadlines are the same thing here: due.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from receiver.diagnoser import senders as sending
from receiver.diagnoser import streams as streaming
from receiver.diagnoser.adoption import adopt
from receiver.diagnoser.bounds import USUAL, Bounds
from receiver.diagnoser.case import Case, claim_cases, fold_case
from receiver.diagnoser.filing import file_apart, file_inbox
from receiver.diagnoser.outcome import Outcome
from receiver.diagnoser.recent import Recent
from receiver.diagnoser.records import is_delivery, receipt_of
from receiver.diagnoser.routing import route_signals
from receiver.diagnoser.senders import Senders
from receiver.diagnoser.streams import Concluded
from receiver.diagnosis.values import Limits, Subject
from receiver.diagnosis.verdicts import Surroundings
from receiver.ids import Ids
from receiver.logs import get_logger
from receiver.storage import cases, inbox, pending
from receiver.storage.arrivals import Filed
from receiver.storage.claims import several_write
from receiver.storage.deliveries import await_look

_PENDING_SEQ = attrgetter("pending_seq")
_log = get_logger("receiver.diagnoser")


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass did. `filed` is what it took from the inbox, `left` how much waits, `faults` how many subjects stand
    marked as faulty after it, whichever pass marked them; `more` says that more may be due already."""

    filed: Sequence[Filed]
    handled: int
    notices: int
    faults: int
    left: int
    more: bool
    deadline_ms: int | None


def run_pass(
    connection: Connection,
    ids: Ids,
    now_ms: int,
    limits: Limits,
    bounds: Bounds = USUAL,
    recent: Recent | None = None,
) -> Passed:
    """File what was taken in, look at that, at what else is pending, and at whose deadline has passed, and write what
    came of it. What is `recent` is not read again; without it the inbox is left to who serves."""
    filed, fresh = ((), ()) if recent is None else file_inbox(connection, recent, bounds)
    waiting = pending.claim_oldest(connection, bounds.pending, bounds.pending_bytes)
    rows = sorted((*fresh, *waiting), key=_PENDING_SEQ) if waiting else fresh
    outcome = Outcome(ids, now_ms, bounds)
    senders = Senders.load(connection, now_ms)
    senders.fold(connection, [receipt_of(row) for row in rows if is_delivery(row)])
    around = senders.surroundings(now_ms, limits)
    found = route_signals(connection, rows)
    due = cases.due_subjects(connection, now_ms, bounds.due)
    for kind, subject_id in due:
        _make_due(connection, senders, found, kind, subject_id)
    left_to_others = claim_cases(connection, found)
    _put_back(connection, ids, left_to_others)
    concluded = judge_each(connection, found, around, outcome)
    streaming.conclude(connection, concluded, senders, outcome)
    if rows or due:
        _conclude_senders(connection, senders, Judged(found, around, limits), outcome)
    outcome.save(connection)
    pending.drop(connection, [row.pending_seq for row in waiting])
    left = pending.count(connection) + (0 if recent is None else inbox.count(connection))
    return Passed(
        filed=filed,
        handled=len(rows) + len(due) - len(left_to_others),
        notices=outcome.told,
        faults=cases.count_faults(connection),
        left=left,
        more=left > 0 or len(due) == bounds.due,
        deadline_ms=cases.next_deadline_ms(connection),
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """What a pass has judged, and in what surroundings."""

    found: Mapping[Subject, Case]
    around: Surroundings
    limits: Limits


def _conclude_senders(connection: Connection, senders: Senders, judged: Judged, outcome: Outcome) -> None:
    """Judge the endpoint and the webhooks. Where others write too, they may have done so meanwhile: all that may have
    to wait for others is written first, and those are due again that were judged in what no longer holds."""
    around = judged.around
    if several_write(connection):
        outcome.save(connection)
        before, senders = senders.bearing, senders.claimed(connection, outcome.now_ms)
        around = senders.surroundings(outcome.now_ms, judged.limits)
        if senders.bearing != before:
            cases.hasten_these(connection, [(s.kind, s.id) for s in judged.found], outcome.now_ms)
    sending.conclude(connection, senders, around, outcome)


def _put_back(connection: Connection, ids: Ids, busy: Iterable[Case]) -> None:
    """Other processes work on these: their signals wait, and their deliveries, which are taken in, do so no longer."""
    waiting = {row.signal_seq for case in busy for row in case.fresh}
    await_look(connection, [(ids.next(), seq, True) for seq in sorted(waiting)])


def file_only(connection: Connection, recent: Recent, bounds: Bounds) -> Passed:
    """File what was taken in; whoever judges finds it pending."""
    filed = file_apart(connection, recent, bounds)
    left = inbox.count(connection)
    return Passed(filed, handled=len(filed), notices=0, faults=0, left=left, more=left > 0, deadline_ms=None)


def _make_due(connection: Connection, senders: Senders, found: dict[Subject, Case], kind: str, subject_id: str) -> None:
    if kind == "webhook":
        senders.know(connection, [subject_id])
    elif kind == "stream":
        found.setdefault(Subject("stream", subject_id), Case(Subject("stream", subject_id)))
    elif kind == "session":
        found.setdefault(Subject("session", subject_id), Case(Subject("session", subject_id)))


def judge_each(
    connection: Connection, found: dict[Subject, Case], around: Surroundings, outcome: Outcome
) -> list[Concluded]:
    """Fold and judge all cases; those that turn out to own more than was known are folded again."""
    concluded: list[Concluded] = []
    faults = _Faults(outcome)

    def fold(case: Case) -> None:
        fold_case(connection, case, around, outcome.bounds)

    def judge(case: Case) -> None:
        item = streaming.judge_case(case, around, outcome.now_ms)
        if item is None:
            streaming.put_nothing(case, outcome)
        else:
            concluded.append(item)

    faults.each(found.values(), fold)
    while more := adopt(connection, found):
        faults.each(more, fold)
    faults.each(found.values(), judge)
    return concluded


class _Faults:
    """A rule that fails for one case must not stop the others; its events are safe."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self.met: set[Subject] = set()

    def each(self, due: Iterable[Case], work: Callable[[Case], None]) -> None:
        """Do it for each case that has met none yet."""
        for case in due:
            if case.subject not in self.met:
                self._try(case, work)

    def _try(self, case: Case, work: Callable[[Case], None]) -> None:
        try:
            work(case)
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 -- as the class says
            self.met.add(case.subject)
            _log.exception("diagnoser.fault", **{f"{case.subject.kind}_id": case.subject.id})
            streaming.put_fault(case, f"{type(error).__name__}: a rule failed on this subject", self._outcome)
