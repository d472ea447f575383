"""One pass: everything that is due, up to a bound, from the store and back into it.

New signals and passed deadlines are the same thing here: due. A pass takes what came in, concludes, and writes what
came of it: all in one transaction, or, where one connection writes, each in its own (`apart`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from sqlalchemy import Connection

from receiver.diagnoser import senders as sending
from receiver.diagnoser import streams as streaming
from receiver.diagnoser.bounds import USUAL, Bounds
from receiver.diagnoser.case import Case, claim_cases
from receiver.diagnoser.each import judge_each
from receiver.diagnoser.filing import file_apart, file_inbox
from receiver.diagnoser.outcome import Outcome
from receiver.diagnoser.recent import Recent
from receiver.diagnoser.records import is_delivery, is_registration, receipt_of, registration_of
from receiver.diagnoser.routing import route_signals
from receiver.diagnoser.senders import Senders
from receiver.diagnosis.values import Limits, Subject
from receiver.diagnosis.verdicts import Surroundings
from receiver.ids import IdSource
from receiver.storage import cases, inbox, pending
from receiver.storage.arrivals import Filed
from receiver.storage.cases import LogRow
from receiver.storage.claims import several_write
from receiver.storage.deliveries import await_look

_PENDING_SEQ = attrgetter("pending_seq")


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


@dataclass(frozen=True, slots=True)
class Taken:
    """What a pass is to look at: `rows` of the log, and whose they are. `pending` are those (by `seq`) that are to be
    looked at until that is written; `filed` is what was taken from the inbox."""

    filed: Sequence[Filed]
    rows: Sequence[LogRow]
    found: dict[Subject, Case]
    pending: Sequence[int]


@dataclass(frozen=True, slots=True)
class Conclusions:
    """What came of it, to be written. `due` is how many subjects were due; `busy` are left to other processes."""

    outcome: Outcome
    due: int
    busy: Sequence[Case]


def run_pass(
    connection: Connection,
    ids: IdSource,
    now_ms: int,
    limits: Limits,
    bounds: Bounds = USUAL,
    recent: Recent | None = None,
) -> Passed:
    """File what was taken in, look at that, at what else is pending, and at whose deadline has passed, and write what
    came of it. What is `recent` is not read again; without it the inbox is left to who serves."""
    taken = take(connection, recent, bounds)
    return write(connection, taken, conclude(connection, taken, Outcome(ids, now_ms, bounds), limits), recent)


def take(connection: Connection, recent: Recent | None, bounds: Bounds, *, alone: bool = False) -> Taken:
    """File the oldest that was taken in, and find out whose it is, and whose what else is pending. With `alone`, the
    caller's transaction ends with it: what is new is pending until it was looked at."""
    filed, fresh = ((), ()) if recent is None else file_inbox(connection, recent, bounds)
    waiting = pending.claim_oldest(connection, bounds.pending, bounds.pending_bytes)
    rows = sorted((*fresh, *waiting), key=_PENDING_SEQ) if waiting else fresh
    if alone:
        await_look(connection, [(row.pending_seq, row.signal_seq, row.changed) for row in fresh])
    looked_at = [row.pending_seq for row in (rows if alone else waiting)]
    mine = [row for row in rows if not is_registration(row)]
    return Taken(filed, rows, route_signals(connection, mine), looked_at)


def conclude(
    connection: Connection,
    taken: Taken,
    outcome: Outcome,
    limits: Limits,
    give_way: Callable[[], None] = lambda: None,
) -> Conclusions:
    """Fold and judge all that is due. Only reads, unless several processes write. `give_way` is called again and again
    meanwhile."""
    give_way()
    now_ms, found = outcome.now_ms, taken.found
    senders = Senders.load(connection, now_ms)
    senders.fold(connection, [receipt_of(row) for row in taken.rows if is_delivery(row)])
    senders.see(connection, [registration_of(row) for row in taken.rows if is_registration(row)])
    around = senders.surroundings(now_ms, limits)
    due = cases.due_subjects(connection, now_ms, outcome.bounds.due)
    for kind, subject_id in due:
        _make_due(connection, senders, found, kind, subject_id)
    busy = claim_cases(connection, found)
    streaming.conclude(connection, judge_each(connection, found, around, outcome, give_way), senders, outcome)
    give_way()
    if taken.rows or due:
        _conclude_senders(connection, senders, Judged(found, around, limits), outcome)
    return Conclusions(outcome, len(due), busy)


def write(connection: Connection, taken: Taken, conclusions: Conclusions, recent: Recent | None) -> Passed:
    """Write what came of it."""
    outcome = conclusions.outcome
    _put_back(connection, outcome.ids, conclusions.busy)
    outcome.save(connection)
    pending.drop(connection, taken.pending)
    left = pending.count(connection) + (0 if recent is None else inbox.count(connection))
    return Passed(
        filed=taken.filed,
        handled=len(taken.rows) + conclusions.due - len(conclusions.busy),
        notices=outcome.told,
        faults=cases.count_faults(connection),
        left=left,
        more=left > 0 or conclusions.due == outcome.bounds.due,
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


def _put_back(connection: Connection, ids: IdSource, busy: Iterable[Case]) -> None:
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
