"""What does not come out as it is stored is folded anew and written, in the caller's transaction.

It differs only where it does so at one moment: what waits for time to pass is first judged at this moment as it is
stored, so that nothing can come out differently but what the log does not give. Where nothing does, no diagnosis
changes and nobody is told anything.
"""

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import Connection

from receiver.diagnoser import senders as sending
from receiver.diagnoser import streams as streaming
from receiver.diagnoser.case import Case, claim_cases, load_cases
from receiver.diagnoser.each import judge_each
from receiver.diagnoser.moment import Moment
from receiver.diagnoser.outcome import Key
from receiver.diagnoser.passing import run_pass
from receiver.diagnoser.rechecking import is_anything_known, recounted
from receiver.diagnoser.recounting import Recount
from receiver.diagnoser.senders import Senders
from receiver.diagnosis.values import Subject
from receiver.ids import first_of
from receiver.storage import cases, pending
from receiver.storage.claims import lock_senders

PENDING_AT_ONCE = 512
DUE_AT_ONCE = 64
"""In a pass of ours: a service beside us is to take in deliveries meanwhile."""


def catch_up(connection: Connection, moment: Moment, since_ms: int) -> bool:
    """Do some of what is due. Returns whether all is done that was so at that time."""
    handled = _pass(connection, moment)
    oldest = pending.oldest(connection, 1)
    waits = bool(oldest) and oldest[0] < first_of(since_ms + 1)
    return not handled or not (waits or cases.due_subjects(connection, since_ms, 1))


def redo_cases(connection: Connection, moment: Moment, subjects: Iterable[Subject]) -> set[Key] | None:
    """Fold these streams and orphaned sessions from their whole log. Returns who came out differently, among them
    their sessions and the webhooks of which they tell; None where something of theirs has to be looked at first, or
    another process looks at it: call again."""
    _pass(connection, moment)
    known = {subject: Case(subject) for subject in subjects}
    if claim_cases(connection, known) or pending.is_any_of(connection, [subject.id for subject in known]):
        return None
    lock_senders(connection, cases.webhook_ids(connection))
    _look(connection, moment, [Case(one.subject) for one in known.values() if one.row and one.row["deadline_ms"]])
    return _look(connection, moment, [Case(subject, anew=True) for subject in known])


def redo_senders(connection: Connection, moment: Moment, recount: Recount) -> set[Key]:
    """Write the endpoint and the webhooks as all receipts give them. Returns as `redo_cases`."""
    _pass(connection, moment)
    lock_senders(connection, cases.webhook_ids(connection))
    _look(connection, moment, [])
    senders = Senders.load_all(connection, moment.now_ms)
    senders.endpoint, webhooks = recounted(senders, recount.complete(connection))
    senders.webhooks |= webhooks
    return _conclude(connection, moment, senders, [])


def _pass(connection: Connection, moment: Moment) -> int:
    few = {"pending": min(moment.bounds.pending, PENDING_AT_ONCE), "due": min(moment.bounds.due, DUE_AT_ONCE)}
    bounds = replace(moment.bounds, **few)
    return run_pass(connection, moment.ids, moment.now_ms, moment.limits, bounds).handled


def _look(connection: Connection, moment: Moment, these: Iterable[Case]) -> set[Key]:
    return _conclude(connection, moment, Senders.load_all(connection, moment.now_ms), these)


def _conclude(connection: Connection, moment: Moment, senders: Senders, these: Iterable[Case]) -> set[Key]:
    """Fold and judge these, and all senders, and write it. Returns of whom something else was folded or concluded."""
    around = senders.surroundings(moment.now_ms, moment.limits)
    found, outcome = {case.subject: case for case in these}, moment.outcome()
    load_cases(connection, found)
    streaming.conclude(connection, judge_each(connection, found, around, outcome), senders, outcome)
    if is_anything_known(senders):
        sending.conclude(connection, senders, around, outcome)
    outcome.save(connection)
    return outcome.differing
