"""The cases of a pass, one by one: one for which a rule fails stops no other."""

from collections.abc import Callable, Iterable

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from receiver.diagnoser import streams as streaming
from receiver.diagnoser.adoption import adopt
from receiver.diagnoser.case import Case
from receiver.diagnoser.case_folding import fold_case
from receiver.diagnoser.outcome import Outcome
from receiver.diagnoser.streams import Concluded
from receiver.diagnosis.values import Subject
from receiver.diagnosis.verdicts import Surroundings
from receiver.logs import get_logger

_log = get_logger("receiver.diagnoser")


def judge_each(
    connection: Connection,
    found: dict[Subject, Case],
    around: Surroundings,
    outcome: Outcome,
    give_way: Callable[[], None] = lambda: None,
) -> list[Concluded]:
    """Fold and judge all cases; those that turn out to own more than was known are folded again. Only reads.
    `give_way` is called before each."""
    concluded: list[Concluded] = []
    faults = _Faults(outcome, give_way)

    def fold(case: Case) -> None:
        fold_case(connection, case, around, outcome.bounds)

    def judge(case: Case) -> None:
        item = streaming.judge_case(case, around, outcome.now_ms)
        if item is None:
            streaming.put_nothing(case, outcome)
        else:
            concluded.append(item)

    faults.each(found.values(), fold)
    while more := adopt(connection, found, outcome.adopted):
        faults.each(more, fold)
    for case in found.values():
        outcome.put_folded(case)
    faults.each(found.values(), judge)
    return concluded


class _Faults:
    """A rule that fails for one case must not stop the others; its events are safe."""

    def __init__(self, outcome: Outcome, give_way: Callable[[], None]) -> None:
        self._outcome, self._give_way = outcome, give_way
        self.met: set[Subject] = set()

    def each(self, due: Iterable[Case], work: Callable[[Case], None]) -> None:
        """Do it for each case that has met none yet."""
        for case in due:
            self._give_way()
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
