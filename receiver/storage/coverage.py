"""Coverage: the intervals in which we were up and accepting deliveries. Timers that conclude from absence count
nothing else (P6)."""

from typing import Final, cast

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from receiver.diagnosis.coverage import merged
from receiver.ids import Ids, given_at
from receiver.storage.bulk import chunks
from receiver.storage.cases import hasten_waiting
from receiver.storage.retention import DONE, Span, Step
from receiver.storage.tables import CoverageRow, ReconciledRow

LONGEST_SILENCE_MS: Final = 30_000
"""Three heartbeats. A longer silence is a gap: the machine slept, or the store could not be written."""

MOST_INTERVALS: Final = 1024
"""All are read for each pass; a service that is started anew each day comes to so many in three years."""

Interval = tuple[int, int]
"""From and until, both in milliseconds."""

_COVERAGE: Final = cast("Table", CoverageRow.__table__)
_RECONCILED: Final = cast("Table", ReconciledRow.__table__)
_HEARD: Final = select(_RECONCILED.c.from_ms, _RECONCILED.c.until_ms)
_NEWEST: Final = select(_COVERAGE.c.seq, _COVERAGE.c.until_ms).order_by(_COVERAGE.c.seq.desc()).limit(1)
_ALL: Final = select(_COVERAGE.c.from_ms, _COVERAGE.c.until_ms).order_by(_COVERAGE.c.from_ms, _COVERAGE.c.until_ms)
_OLDEST: Final = select(_COVERAGE).order_by(_COVERAGE.c.from_ms, _COVERAGE.c.until_ms)


def begin(connection: Connection, ids: Ids, now_ms: int) -> None:
    """Open an interval: we are up from now on. What waits for time to pass is due: what it waits for has moved, and how
    long the sender's retries are awaited is to be told now, not when the old deadline passes."""
    _take_back(connection, now_ms)
    connection.execute(insert(_COVERAGE), {"seq": ids.next(), "from_ms": now_ms, "until_ms": now_ms})
    hasten_waiting(connection, now_ms)


def extend(connection: Connection, ids: Ids, now_ms: int) -> None:
    """The heartbeat: the newest interval reaches until now. After a silence, or before the first interval, another
    one begins. So it does after a clock has stepped back by more than a silence may last."""
    if _take_back(connection, now_ms):
        hasten_waiting(connection, now_ms)
    newest = connection.execute(_NEWEST).one_or_none()
    if newest is None or now_ms - newest.until_ms > LONGEST_SILENCE_MS:
        begin(connection, ids, now_ms)
    elif now_ms > newest.until_ms:
        mine = _COVERAGE.c.seq == newest.seq, _COVERAGE.c.until_ms < now_ms
        connection.execute(update(_COVERAGE).where(*mine).values(until_ms=now_ms))


def _take_back(connection: Connection, now_ms: int) -> bool:
    """What is said of a time that has not come was said by a clock that was wrong, or is now: we may be down by then.
    Returns whether there was such; a little may be another process's clock."""
    ahead = _COVERAGE.c.until_ms > now_ms + LONGEST_SILENCE_MS
    dropped = connection.execute(delete(_COVERAGE).where(ahead, _COVERAGE.c.from_ms > now_ms)).rowcount
    return dropped + connection.execute(update(_COVERAGE).where(ahead).values(until_ms=now_ms)).rowcount > 0


def load(connection: Connection) -> tuple[Interval, ...]:
    """All intervals in the order of time, none touching another."""
    return merged((row.from_ms, row.until_ms) for row in connection.execute(_ALL))


def heard(connection: Connection) -> tuple[Interval, ...]:
    """Those of which all was heard afterwards, likewise."""
    return merged((row.from_ms, row.until_ms) for row in connection.execute(_HEARD))


def note_heard(connection: Connection, ids: Ids, from_ms: int, until_ms: int, *, news: bool = True) -> None:
    """All that the sender tried to deliver between these times is here. What waits for silence to mean something is
    due, unless that is no `news`: the time was covered before."""
    near = _RECONCILED.c.from_ms <= until_ms, _RECONCILED.c.until_ms >= from_ms
    known = connection.execute(select(_RECONCILED).where(*near)).all()
    connection.execute(delete(_RECONCILED).where(*near))
    whole = {
        "seq": ids.next(),
        "from_ms": min([from_ms, *(row.from_ms for row in known)]),
        "until_ms": max([until_ms, *(row.until_ms for row in known)]),
    }
    connection.execute(insert(_RECONCILED), whole)
    if news:
        hasten_waiting(connection, given_at(whole["seq"]))


def forget_gaps(connection: Connection, span: Span, most: int = MOST_INTERVALS) -> Step:
    """Where there are more than `most` intervals, make one of the oldest: the gaps between them, if they ended before
    the span does, count as covered from now on. What was concluded from silence near one and has long faded may then
    have begun a little earlier. The first start ever stays what it was."""
    surplus = connection.execute(select(func.count()).select_from(_COVERAGE)).scalar_one() - most
    if surplus <= 0:
        return DONE
    oldest = connection.execute(_OLDEST.limit(surplus + 1)).all()
    first, *others = [row for row in oldest if row.from_ms < given_at(span.before)] or oldest[:1]
    if not others:
        return DONE
    until_ms = max(row.until_ms for row in (first, *others))
    connection.execute(update(_COVERAGE).where(_COVERAGE.c.seq == first.seq).values(until_ms=until_ms))
    for chunk in chunks([row.seq for row in others]):
        connection.execute(delete(_COVERAGE).where(_COVERAGE.c.seq.in_(chunk)))
    return Step(len(others), None)
