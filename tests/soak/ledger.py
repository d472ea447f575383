"""What the sender tried, and what it was answered: what the service's store is held against."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.soak.lives import Errand, Key


@dataclass(slots=True)
class Entry:
    """One errand: the times of all attempts (each signed anew, no two alike), those that were acknowledged with 2xx,
    and the ids that the answers gave a report."""

    errand: Errand
    tried_ms: list[int] = field(default_factory=list)
    acknowledged_ms: list[int] = field(default_factory=list)
    named: set[str] = field(default_factory=set)

    def try_at(self, now_ms: int) -> int:
        """The time of the next attempt, which begins now."""
        at_ms = max(now_ms, self.tried_ms[-1] + 1) if self.tried_ms else now_ms
        self.tried_ms.append(at_ms)
        return at_ms


@dataclass
class Ledger:
    """All errands. `statuses` counts the answers, 0 stands for none; `refused` are errands that were answered 4xx,
    after which Livepeer never comes again; `given_up` those that the sender has tried as often as it ever does."""

    entries: dict[Key, Entry] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    refused: dict[Key, int] = field(default_factory=dict)
    given_up: list[Key] = field(default_factory=list)

    def open(self, errands: Iterable[Errand]) -> None:
        """These are to be sent."""
        self.entries.update((errand.key, Entry(errand)) for errand in errands)

    @property
    def events(self) -> list[Entry]:
        """The events."""
        return [entry for entry in self.entries.values() if entry.errand.event is not None]

    @property
    def reports(self) -> list[Entry]:
        """The reports."""
        return [entry for entry in self.entries.values() if entry.errand.event is None]

    @property
    def attempts(self) -> int:
        """How often anything was tried."""
        return sum(len(entry.tried_ms) for entry in self.entries.values())

    @property
    def most_attempts(self) -> int:
        """How often that was tried which was tried most."""
        return max((len(entry.tried_ms) for entry in self.entries.values()), default=0)
