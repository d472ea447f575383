"""The streams and orphaned sessions in one pass: what is stored of them, and what is found out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from receiver.diagnoser.records import Record
from receiver.diagnosis.state import StreamState
from receiver.diagnosis.values import Subject, SubjectKind
from receiver.storage import bases, cases
from receiver.storage.bases import BaseRow
from receiver.storage.cases import LogRow
from receiver.storage.claims import claim_subjects


@dataclass(slots=True)
class Case:
    """One stream, or one orphaned session, in this pass. `fresh` are its signals not looked at yet, `brought` those
    that were not known to be its own until now."""

    subject: Subject
    anew: bool = False
    """Whether it is to be folded from its whole log, whatever is stored of it."""
    row: Record | None = None
    session_rows: dict[str, Record] = field(default_factory=dict)
    fresh: list[LogRow] = field(default_factory=list)
    brought: list[LogRow] = field(default_factory=list)
    state: StreamState | None = None
    position: str | None = None
    folded_count: int = 0
    """How many positions were folded: the copies of an event that several webhooks brought stand at one."""
    kept: str | None = None
    """The position of the kept state from which the fold went on."""
    base: BaseRow | None = None
    """What stands for the signals that were removed, where any were."""
    checkpoints: list[Record] = field(default_factory=list)
    flagged: set[int] = field(default_factory=set)
    """Signals (by `seq`) that were found to stand before all that is kept (P5)."""
    holds_until: str | None = None
    """The position from which on the states that are kept no longer hold, where that is so of any."""
    claimed: set[str] = field(default_factory=set)
    """The sessions and playback ids under which it has been looked for more in this pass."""
    told_by: frozenset[str] = frozenset()
    """The webhooks that are known to have told of the stream."""
    foreign: set[str] = field(default_factory=set)
    """Sessions that another stream owns: it named them first."""

    @property
    def stream_id(self) -> str | None:
        """The stream's id; None for an orphaned session."""
        return self.subject.id if self.subject.kind == "stream" else None


def claim_cases(connection: Connection, found: dict[Subject, Case]) -> Sequence[Case]:
    """Have these cases to ourselves, and read what is stored of them. Those that another process works on are taken out
    of `found`, and returned."""
    streams = claim_subjects(connection, "stream", _ids(found, "stream"))
    orphans = claim_subjects(connection, "session", _ids(found, "session"))
    busy = [Subject("stream", i) for i in streams.busy] + [Subject("session", i) for i in orphans.busy]
    left = [found.pop(subject) for subject in busy]
    _fill(connection, found, streams.rows, orphans.rows)
    return left


def load_cases(connection: Connection, found: Mapping[Subject, Case]) -> None:
    """Read what is stored of these cases."""
    streams = cases.load_subjects(connection, "stream", _ids(found, "stream"))
    orphans = cases.load_subjects(connection, "session", _ids(found, "session"))
    _fill(connection, found, streams, orphans)


def _ids(found: Iterable[Subject], kind: SubjectKind) -> Sequence[str]:
    return [subject.id for subject in found if subject.kind == kind]


def _fill(
    connection: Connection,
    found: Mapping[Subject, Case],
    streams: Mapping[str, Record],
    orphans: Mapping[str, Record],
) -> None:
    sessions = cases.load_sessions(connection, _ids(found, "stream"))
    of_streams = bases.load(connection, "stream", _ids(found, "stream"))
    of_orphans = bases.load(connection, "session", _ids(found, "session"))
    for subject, case in found.items():
        if subject.kind == "stream":
            case.row, case.session_rows = streams.get(subject.id), sessions.get(subject.id, {})
            case.base = of_streams.get(subject.id)
        else:
            case.row, case.base = orphans.get(subject.id), of_orphans.get(subject.id)
            case.session_rows = {} if case.row is None else {subject.id: case.row}
