"""When and by what rules everything in one pass, or one step, is judged."""

from dataclasses import dataclass

from receiver.diagnoser.bounds import Bounds
from receiver.diagnoser.outcome import Outcome
from receiver.diagnosis.values import Limits
from receiver.ids import IdSource


@dataclass(frozen=True, slots=True)
class Moment:
    """The time and the rules, with the ids that are given to what comes of it."""

    ids: IdSource
    now_ms: int
    limits: Limits
    bounds: Bounds

    def outcome(self) -> Outcome:
        """An outcome of which nothing is put yet."""
        return Outcome(self.ids, self.now_ms, self.bounds)
