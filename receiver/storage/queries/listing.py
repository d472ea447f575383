"""Which streams a list holds, in the order of their latest activity.

Each index has the state before the activity, and a list of all states merges them: so one index serves lists with the
filter and without, and what is asked for is read from the index alone, however much there is before or behind it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, TypeAlias, get_args

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    Table,
    bindparam,
    exists,
    or_,
    select,
    tuple_,
    union_all,
)

from receiver.diagnosis.state import BroadcastState
from receiver.diagnosis.values import ConditionType
from receiver.storage.tables import CallerRow, FailingRow, SubjectRow, table_of

NEVER: Final = -1
"""Stands for the latest activity of a stream of which no event is known."""
FEW: Final = 500
"""Streams that a webhook has told of: so many are looked up one by one."""
Key: TypeAlias = tuple[int, str]
"""Of a stream in a list: its latest activity in milliseconds, or `NEVER`, and its id."""

_Among: TypeAlias = Literal["all", "failing", "told"]
"""Which streams: all; those of which a condition is true; those, and what some webhooks have told of."""
_Part: TypeAlias = Literal["active", "active, after", "silent", "silent, after"]
_STATES: Final = (*get_args(BroadcastState), None)
_subjects, _failing, _callers = table_of(SubjectRow), table_of(FailingRow), table_of(CallerRow)
_TOLD_OF: Final = (
    select(_callers.c.stream_id)
    .where(_callers.c.webhook_id.in_(bindparam("webhook_ids", expanding=True)))
    .limit(FEW + 1)
)
_KEYS: Final = select(_subjects.c.last_event_ms, _subjects.c.id, _subjects.c.state, _subjects.c.state_since_ms).where(
    _subjects.c.kind == "stream", _subjects.c.id.in_(bindparam("ids", expanding=True))
)
"""What is in no index is asked for too: SQLite would rather read all of an index that holds the rest than
look each of them up."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which streams; None is any. A condition is that of a stream itself, or of one that one of these webhooks has
    told of."""

    state: str | None = None
    condition: ConditionType | None = None
    webhook_ids: Sequence[str] = ()


def keys(conn: Connection, wanted: Wanted, after: Key | None, limit: int) -> Sequence[Key]:
    """At most `limit`, latest activity first, those without any at the end; `after` is the last one seen."""
    if wanted.condition is None:
        return _read(conn, "all", wanted, after, limit)
    if not wanted.webhook_ids:
        return _read(conn, "failing", wanted, after, limit)
    told_of = conn.execute(_TOLD_OF, {"webhook_ids": wanted.webhook_ids}).scalars().all()
    if len(told_of) > FEW:  # so many that some are soon met
        return _read(conn, "told", wanted, after, limit)
    found = {*_read(conn, "failing", wanted, after, limit), *_those(conn, wanted, after, told_of)}
    return sorted(found, reverse=True)[:limit]


def _those(conn: Connection, wanted: Wanted, after: Key | None, ids: Iterable[str]) -> Iterable[Key]:
    rows = conn.execute(_KEYS, {"ids": list(ids)}) if ids else ()
    found = [(_activity(at_ms), i) for at_ms, i, state, _ in rows if wanted.state in {None, state}]
    return (key for key in found if after is None or key < after)


def _read(conn: Connection, among: _Among, wanted: Wanted, after: Key | None, limit: int) -> list[Key]:
    at_ms, stream_id = after or (NEVER, "")
    given = {
        "state": wanted.state,
        "condition": wanted.condition,
        "webhook_ids": wanted.webhook_ids,
        "after_ms": at_ms,
        "after_id": stream_id,
    }
    found: list[Key] = []
    for part in _parts(after):
        asked = _asked(among, part, one_state=wanted.state is not None)
        rows = conn.execute(asked, {**given, "most": limit - len(found)})
        found += [(_activity(at_ms), stream_id) for at_ms, stream_id in rows]
        if len(found) >= limit:
            break
    return found


def _parts(after: Key | None) -> tuple[_Part, ...]:
    if after is None:
        return "active", "silent"
    return ("silent, after",) if after[0] == NEVER else ("active, after", "silent")


def _activity(at_ms: int | None) -> int:
    return NEVER if at_ms is None else at_ms


@cache
def _asked(among: _Among, part: _Part, *, one_state: bool) -> Select[*tuple[Any, ...]] | CompoundSelect[Any]:
    """The keys of a part; of the given state, or of all, merged."""
    table = _failing if among == "failing" else _subjects
    state: Sequence[ColumnElement[bool]] = [table.c.state == bindparam("state")]
    if not one_state:
        state = [table.c.state == name if name else table.c.state.is_(None) for name in _STATES]
    branches = [select(table.c.last_event_ms, table.c.id).where(*_among(among, table), one) for one in state]
    asked = [branch.where(*_behind(part, table)) for branch in branches]
    merged = union_all(*asked) if len(asked) > 1 else asked[0]
    at_ms, stream_id = merged.selected_columns
    order = (stream_id.desc(),) if part.startswith("silent") else (at_ms.desc(), stream_id.desc())
    return merged.order_by(*order).limit(bindparam("most"))


def _among(among: _Among, table: Table) -> Sequence[ColumnElement[bool]]:
    condition: BindParameter[Any] = bindparam("condition")
    streams = table.c.kind == "stream"
    if among == "failing":
        return streams, table.c.condition == condition
    if among == "all":
        return (streams,)
    own = exists().where(_failing.c.kind == "stream", _failing.c.id == table.c.id, _failing.c.condition == condition)
    webhooks = _callers.c.webhook_id.in_(bindparam("webhook_ids", expanding=True))
    return streams, or_(own, exists().where(webhooks, _callers.c.stream_id == table.c.id))


def _behind(part: _Part, table: Table) -> Sequence[ColumnElement[bool]]:
    at_ms, stream_id = table.c.last_event_ms, table.c.id
    active, silent = at_ms.is_not(None), at_ms.is_(None)
    if part == "active, after":
        return active, tuple_(at_ms, stream_id) < tuple_(bindparam("after_ms"), bindparam("after_id"))
    if part == "silent, after":
        return silent, stream_id < bindparam("after_id")
    return (active,) if part == "active" else (silent,)
