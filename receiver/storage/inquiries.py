"""What is to be looked at, and when: written by who concludes, taken by who looks."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, bindparam, case, delete, func, select, update

from receiver.storage.bulk import Rows, chunks
from receiver.storage.one_of import one_of
from receiver.storage.tables import InquiryRow, SubjectRow, table_of

Wanted: TypeAlias = tuple[int, str]
"""When the first look is due, and all of them as JSON."""

_inquiries, _subjects = table_of(InquiryRow), table_of(SubjectRow)
_THESE: Final = one_of(_inquiries.c.stream_id, "ids")
_ROWS: Final = Rows(_inquiries)
_DROP: Final = delete(_inquiries).where(_THESE)
_PUT_OFF: Final = update(_inquiries).where(_THESE).values(due_ms=bindparam("until_ms"))
_ROUTINE: Final = _inquiries.c.wanted.like('%"routine":true}]') & _inquiries.c.wanted.not_like("%},{%")
"""Nothing is wanted but what may wait."""
_DUE: Final = (
    select(_inquiries.c.stream_id, _inquiries.c.wanted, _subjects.c.playback_id, _subjects.c.folded)
    .select_from(
        _inquiries.outerjoin(_subjects, (_subjects.c.kind == "stream") & (_subjects.c.id == _inquiries.c.stream_id))
    )
    .where(_inquiries.c.due_ms <= bindparam("now_ms"))
    .order_by(case((_ROUTINE, 1), else_=0), _inquiries.c.due_ms)
    .limit(bindparam("most"))
)
_NEXT: Final = select(func.min(_inquiries.c.due_ms))


def save(connection: Connection, wanted: Mapping[str, Wanted | None]) -> None:
    """Put these in the place of what was wanted of these streams (by id); None: nothing any more."""
    drop(connection, sorted(wanted))
    rows = [(stream_id, *found) for stream_id, found in sorted(wanted.items()) if found is not None]
    _ROWS.insert(connection, rows)


def drop(connection: Connection, stream_ids: Sequence[str]) -> None:
    """Nothing is wanted of these."""
    for chunk in chunks(stream_ids):
        connection.execute(_DROP, {"ids": chunk})


def take(connection: Connection, now_ms: int, most: int, until_ms: int) -> Sequence[Any]:
    """The first that are due, those of routine last (stream_id, wanted, playback_id, folded), put off until then: what
    is found of them says anew what is wanted, and what fails is tried again."""
    rows = connection.execute(_DUE, {"now_ms": now_ms, "most": most}).all()
    put_off(connection, [row.stream_id for row in rows], until_ms)
    return rows


def put_off(connection: Connection, stream_ids: Sequence[str], until_ms: int) -> None:
    """These are not due before then."""
    for chunk in chunks(stream_ids):
        connection.execute(_PUT_OFF, {"ids": chunk, "until_ms": until_ms})


def next_due_ms(connection: Connection) -> int | None:
    """When the next is due; None where none is."""
    due_ms: int | None = connection.execute(_NEXT).scalar()
    return due_ms
