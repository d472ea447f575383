"""Everything concluded anew from the log: it must come out as it is stored (P5).

In many short steps, beside a service that runs. A step reads, and folds and judges what it read; only where that is
not what is stored, another one writes. So it may end at any moment, and be begun again: nothing is forgotten before
it is known better.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from receiver.clock import Clock
from receiver.diagnoser.bounds import USUAL, Bounds
from receiver.diagnoser.mending import mend_senders
from receiver.diagnoser.moment import Moment
from receiver.diagnoser.outcome import Key
from receiver.diagnoser.rechecking import Checked, are_senders_same, check_cases
from receiver.diagnoser.recounting import Recount
from receiver.diagnoser.redoing import catch_up, redo_cases, redo_senders
from receiver.diagnosis.values import Limits, Subject, SubjectKind
from receiver.ids import Ids
from receiver.storage import cases, pending
from receiver.storage.engine import Database

READ_AT_ONCE = 128
WRITTEN_AT_ONCE = 16
"""Streams: less than a hundred milliseconds of reading, for which nobody waits, and some ten of writing."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many subjects there are, and how many of them came out differently."""

    subjects: int
    differing: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How many `deliveries` or `events` were read of which it is known how many there are, or not."""

    what: str
    done: int
    of: int | None


Show = Callable[[Progress], None]


def rebuild(
    database: Database,
    ids: Ids,
    clock: Clock,
    limits: Limits,
    bounds: Bounds = USUAL,
    show: Show = lambda _: None,
) -> Rebuilt:
    """Fold and judge everything anew, and write what differs. Where nothing does, no diagnosis changes and nobody is
    told anything. `show` is called after each step. Raises StoreUnavailable."""
    differing = _Rebuild(database, clock, lambda: Moment(ids, clock.now_ms(), limits, bounds), show).run()
    return Rebuilt(database.read_now(cases.count_subjects), len(differing))


class _Rebuild:
    def __init__(self, database: Database, clock: Clock, moment: Callable[[], Moment], show: Show) -> None:
        self._database, self._clock, self._moment, self._show = database, clock, moment, show
        self._differing: set[Key] = set()

    def run(self) -> set[Key]:
        """Everything, one thing after another. Returns who came out differently."""
        begun_ms = self._clock.now_ms()
        self._database.write_now(lambda connection: mend_senders(connection, begun_ms))
        while not self._database.write_now(lambda connection: catch_up(connection, self._moment(), begun_ms)):
            pass
        self._senders()
        self._streams()
        return self._differing

    def _senders(self) -> None:
        recount, done, read = Recount(), 0, pending.RECEIPTS_AT_ONCE
        while read == pending.RECEIPTS_AT_ONCE:  # what comes meanwhile is little, and needs no step of its own
            read = self._database.read_now(lambda c: recount.read_on(c, self._clock.now_ms()))
            done += read
            self._show(Progress("deliveries", done, None))
        if not self._database.read_now(lambda c: are_senders_same(c, self._moment(), recount)):
            self._until_done(lambda c: redo_senders(c, self._moment(), recount))

    def _streams(self) -> None:
        of, done = self._database.read_now(cases.count_signals), 0
        for kind, ids_after in _JUDGED:
            after_id = ""
            while checked := self._check(kind, ids_after, after_id):
                after_id, result = checked
                done += result.read
                self._redo(result.unlike)
                self._show(Progress("events", done, of))

    def _check(self, kind: SubjectKind, ids_after: "_IdsAfter", after_id: str) -> tuple[str, Checked] | None:
        def work(connection: Connection) -> tuple[str, Checked] | None:
            found = ids_after(connection, after_id, READ_AT_ONCE)
            if not found:
                return None
            return found[-1], check_cases(connection, self._moment(), [Subject(kind, i) for i in found])

        return self._database.read_now(work)

    def _redo(self, subjects: Sequence[Subject]) -> None:
        for start in range(0, len(subjects), WRITTEN_AT_ONCE):
            self._redo_some(subjects[start : start + WRITTEN_AT_ONCE])

    def _redo_some(self, subjects: Sequence[Subject]) -> None:
        self._until_done(lambda c: redo_cases(c, self._moment(), subjects))

    def _until_done(self, work: Callable[[Connection], set[Key] | None]) -> None:
        while (differing := self._database.write_now(work)) is None:
            pass
        self._differing |= differing


_IdsAfter = Callable[[Connection, str, int], Sequence[str]]
_JUDGED: Sequence[tuple[SubjectKind, _IdsAfter]] = (
    ("stream", cases.judged_streams),
    ("session", cases.judged_orphans),
)
