"""A whole diagnoser on a real SQLite file, whose time and restarts the tests rule."""

import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, select, update

from receiver.clock import ManualClock
from receiver.diagnoser.apart import PassApart, TakenApart
from receiver.diagnoser.bounds import USUAL, Bounds
from receiver.diagnoser.moment import Moment
from receiver.diagnoser.passing import Conclusions, Passed, run_pass
from receiver.diagnoser.rebuilding import Rebuilt, rebuild
from receiver.diagnoser.recent import Recent
from receiver.diagnoser.records import conditions_of
from receiver.diagnoser.worker import concluded
from receiver.diagnosis.ordering import position
from receiver.diagnosis.values import Condition, Limits
from receiver.ids import Ids
from receiver.livepeer.signature import Keyring, sign
from receiver.livepeer.verification import Refused
from receiver.reception import Delivery, Reception
from receiver.sightings import SOURCES, kind_of, session_of, stored_form
from receiver.storage import coverage, inbox, quarantine
from receiver.storage.arrival import Arrival, Outcome
from receiver.storage.arrivals import append
from receiver.storage.engine import Database
from receiver.storage.latest import latest_seq
from receiver.storage.queries import observations
from receiver.storage.tables import (
    CoverageRow,
    DiagnosisRow,
    OutboxRow,
    SignalRow,
    SubjectRow,
    TransitionRow,
    table_of,
)
from tests.diagnoser.tales import Report, Sight

MOST_PASSES = 2000
"""Nothing settles in more: it would go on for ever."""
SECRET = "of the story"
RECEPTION = Reception(Keyring([SECRET]), tolerance_ms=None)
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- where there is such a thing, an fsync costs nothing
Row = Mapping[str, Any]
T = TypeVar("T")


@dataclass
class World:
    """The service's store and diagnoser, without its network."""

    url: str
    clock: ManualClock
    limits: Limits = field(default_factory=Limits)
    bounds: Bounds = USUAL
    remember: bool = True
    """Whether passes are given what was just taken in, as those of a service are, or read everything."""
    apart: bool = False
    """Whether a pass is three transactions, as a service's short ones are on SQLite."""
    beside: bool = False
    """Whether such a pass is concluded as another process would, from what that is sent."""
    node: int = 0
    faults: int = 0

    def __post_init__(self) -> None:
        self._open()
        self.begin()

    def _open(self) -> None:
        self.database, self.recent = Database.open(self.url), Recent()
        self.ids = Ids(self.clock, node=self.node, floor=self.database.read_now(latest_seq))

    @property
    def now_ms(self) -> int:
        """The present moment."""
        return self.clock.now_ms()

    def begin(self) -> None:
        """The service has started: time is covered from now on."""
        self.database.write_now(lambda c: coverage.begin(c, self.ids, self.now_ms))

    def restart(self) -> None:
        """Stop and start at once."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """Stop; whatever time passes now is not covered."""
        self.database.close_now()

    def start(self) -> None:
        """Open the same file again, with nothing remembered."""
        self._open()
        self.begin()

    def pass_time(self, until_ms: int) -> None:
        """Be up until then, as ever so many heartbeats would show, and do nothing."""
        self.clock.set(max(until_ms, self.now_ms))
        newest = select(CoverageRow.seq).order_by(CoverageRow.seq.desc()).limit(1).scalar_subquery()
        beat = update(CoverageRow).where(CoverageRow.seq == newest).values(until_ms=self.now_ms)
        self.database.write_now(lambda c: c.execute(beat))

    def live(self, until_ms: int) -> None:
        """Be up until then, and look at every deadline when it passes."""
        self.settle()
        while (due_ms := self._deadline_ms()) is not None and due_ms <= until_ms:
            self.pass_time(due_ms)
            self.settle()
        self.pass_time(until_ms)
        self.settle()

    def _deadline_ms(self) -> int | None:
        return min(
            (row["deadline_ms"] for row in self.rows(SubjectRow) if row["deadline_ms"] is not None), default=None
        )

    def deliver(self, *bodies: bytes) -> list[Arrival]:
        """These arrive now, in one batch."""
        arrivals = [RECEPTION.receive(self._delivery(body, SECRET), self.ids.next()) for body in bodies]
        self.database.write_now(lambda c: inbox.put(c, arrivals))
        if self.remember:
            self.recent.add(arrivals)
        return arrivals

    def release(self, *bodies: bytes) -> None:
        """These are in the log, as another process has written them."""
        arrivals = [RECEPTION.receive(self._delivery(body, SECRET), self.ids.next()) for body in bodies]
        self.database.write_now(lambda c: append(c, arrivals))

    def refuse(self, body: bytes) -> None:
        """It arrives now, signed with another secret."""
        delivery = self._delivery(body, "another")
        try:
            RECEPTION.receive(delivery, 0)
        except Refused as refused:
            kept = quarantine.Rejection(
                self.ids.next(), self.now_ms, "test", delivery.signature, body, refused.code.value, refused.claim, None,
                keep=False,
            )  # fmt: skip
            self.database.write_now(lambda c: quarantine.note(c, [(kept, Outcome("refused", kept.code))]))

    def _delivery(self, body: bytes, secret: str) -> Delivery:
        return Delivery(body, _signed(body, secret), "test", self.now_ms)

    def observe(self, report: Report) -> None:
        """It is reported now."""
        kind = f"observation.{report.stored['kind']}"
        new = observations.NewSignal(
            self.ids.next(), self.ids.next(), report.id, "observation", kind, report.stored.get("stream_id"),
            report.stored.get("session_id"),
            None if "stream_id" in report.stored else report.stored.get("playback_id"),
            position(report.at_ms, kind, report.id), report.at_ms, self.now_ms, report.body(),
        )  # fmt: skip
        self.database.write_now(partial(observations.append, new=new))

    def see(self, sight: Sight) -> None:
        """It was seen then, and is told of now."""
        kind = kind_of(sight.look)
        new = observations.NewSignal(
            self.ids.next(), self.ids.next(), sight.id, SOURCES[kind], kind, sight.stream_id, session_of(sight.look),
            None, position(sight.at_ms, kind, sight.id), sight.at_ms, self.now_ms, stored_form(sight.look),
            sight.webhook_id,
        )  # fmt: skip
        self.database.write_now(partial(observations.append, new=new))

    def once(self, before_commit: Callable[[], object] = lambda: None) -> Passed:
        """One pass; something else may happen before it is committed."""

        def work(connection: Connection) -> Passed:
            passed = self._pass(connection)
            before_commit()
            return passed

        passed = (self._once_apart(before_commit) if self.apart else None) or self.database.write_now(work)
        self.faults += passed.faults
        return passed

    def _once_apart(self, before_write: Callable[[], object]) -> Passed | None:
        database, parts = self.database, self.parts()
        apart = database.write_now(parts.take, bears=False)
        conclusions = self._conclude(parts, apart)
        before_write()
        passed = database.write_now(partial(parts.write, apart=apart, conclusions=conclusions), bears=False)
        return None if passed is None else replace(passed, filed=apart.taken.filed)

    def _conclude(self, parts: PassApart, apart: TakenApart) -> Conclusions:
        if self.beside:
            moment = replace(parts.moment, ids=self.ids.block())
            asked = pickled((moment, replace(apart.taken, filed=())))
            answer = pickled(concluded(self.database, *asked))
            if answer is not None:
                return answer
        return self.database.read_now(partial(parts.conclude, apart=apart))

    def parts(self) -> PassApart:
        """Those of a pass."""
        return PassApart(self.database, self.recent, Moment(self.ids, self.now_ms, self.limits, self.bounds))

    def _pass(self, connection: Connection) -> Passed:
        return run_pass(connection, self.ids, self.now_ms, self.limits, self.bounds, self.recent)

    def settle(self) -> None:
        """Pass until nothing is due."""
        for _ in range(MOST_PASSES):
            if not self.once().handled:
                return
        raise AssertionError("the passes never end")

    def rebuild(self) -> Rebuilt:
        """Conclude everything anew from the log."""
        return rebuild(self.database, self.ids, self.clock, self.limits, self.bounds)

    def rows(self, declaration: type[Any], *order: str) -> list[Row]:
        """All rows of a table, in the order of some columns."""
        table = table_of(declaration)

        def read(connection: Connection) -> list[Row]:
            query = select(table).order_by(*(table.c[name] for name in order))
            return [dict(row) for row in connection.execute(query).mappings()]

        return self.database.read_now(read)

    def subjects(self) -> dict[tuple[str, str], Row]:
        """Everything that is known of each subject."""
        return {(row["kind"], row["id"]): row for row in self.rows(SubjectRow)}

    def signals(self) -> list[Row]:
        """The log, in the order in which it is folded."""
        return self.rows(SignalRow, "position", "webhook_id")

    def diagnoses(self) -> list[Row]:
        """All diagnoses, oldest first."""
        return self.rows(DiagnosisRow, "seq")

    def transitions(self) -> list[Row]:
        """What the diagnoses went through."""
        return self.rows(TransitionRow, "seq")

    def notices(self) -> list[Row]:
        """What was put into the outbox."""
        return self.rows(OutboxRow, "seq")

    def snapshot(self) -> dict[str, Any]:
        """What must not depend on the order, the repetition or the delay of signals (P4)."""
        rows = self.subjects().values()
        return {
            "subjects": {(r["kind"], r["id"]): _shown(r) for r in rows if r["kind"] in {"stream", "session"}},
            "missing": {
                r["id"]: reduced(c) for r in rows for c in conditions_of(r)
                if r["kind"] == "webhook" and c.reason == "EventsMissing"
            },
            "open": {
                (d["subject_kind"], d["subject_id"], d["condition"], d["reason"], d["stream_id"], d["session_id"])
                for d in self.diagnoses()
                if d["status"] != "resolved" and d["subject_kind"] in {"stream", "session"}
            },
        }  # fmt: skip

    def folded(self) -> dict[tuple[str, str], tuple[str | None, str]]:
        """What was folded and concluded, to the byte (P5)."""
        return {key: (row["folded"], row["conditions"]) for key, row in self.subjects().items()}


def pickled(value: T) -> T:
    """As it arrives in another process."""
    arrived: T = pickle.loads(pickle.dumps(value))  # noqa: S301 -- our own
    return arrived


def _signed(body: bytes, secret: str) -> str:
    timestamp = body.partition(b'"timestamp":')[2].partition(b",")[0]
    return sign(secret, body, int(timestamp))


def _shown(row: Row) -> tuple[Any, ...]:
    names = ("stream_id", "playback_id", "name", "state", "state_since_ms", "record", "recording_url", "fault")
    return (*(row[name] for name in names), tuple(reduced(condition) for condition in conditions_of(row)))


def reduced(condition: Condition) -> tuple[Any, ...]:
    """What P4 promises of a condition."""
    evidence = tuple((item.kind, item.id, item.at_ms) for item in condition.evidence)
    return (
        condition.type,
        condition.status,
        condition.reason,
        condition.certainty,
        condition.since_ms,
        evidence,
    )


@contextmanager
def world(migrated_file: Path, now_ms: int, **rules: Any) -> Iterator[World]:  # noqa: ANN401 -- `limits` and `bounds`
    """A world that begins at `now_ms` with an empty store, gone when it is left."""
    folder = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder) as path:
        file = shutil.copy(migrated_file, path)
        made = World(f"sqlite:///{file}", ManualClock(now_ms), **rules)
        try:
            yield made
        finally:
            made.stop()


def batches(items: Sequence[Any], sizes: Sequence[int]) -> Iterator[Sequence[Any]]:
    """The items in pieces of these sizes, then the rest."""
    start = 0
    for size in sizes:
        yield items[start : start + size]
        start += size
    yield items[start:]
