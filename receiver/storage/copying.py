"""Carries one database over into another, table by table and page by page, until both hold the same.

Each page of the source is held against the target's, and what differs is put right: rows that are missing, that have
changed, that are gone. So it does not matter what an earlier copy has done, or where it was stopped. Where the source
stands still, what was written is read again: in the end every row of both sides was read, and found to be the same.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Final, Protocol, TypeVar

from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from receiver.errors import StoreUnavailable
from receiver.storage.bulk import Values
from receiver.storage.copy_marks import Copying, hold
from receiver.storage.pages import USUAL, Key, Page, Pages, Size, stored_tables
from receiver.storage.texts import read_exactly
from receiver.storage.verifying import Count, Tally

T = TypeVar("T")
_UNLIKE: Final = (
    "The target does not hold what was written to its table {}: {} rows differ. Look after its disk, and that nothing"
    " else writes to it."
)
_REFUSED: Final = "The target cannot store a row of the table {}: {}."
_UNSTORABLE: Final = (
    "The table {} of the source has a text that PostgreSQL cannot store, with a NUL in it: the row whose key is {},"
    " column {}. Mend or remove that row, and copy again."
)


class Source(Protocol):
    """What is copied: each function sees one consistent view."""

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns. Raises StoreUnavailable."""
        ...


class Target(Source, Protocol):
    """What is copied into."""

    def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, once it is committed. Raises StoreUnavailable, IntegrityError, DataError."""
        ...


class Copied(Struct, frozen=True):
    """What became of a table: how many rows the target was given, had put right, and had taken away. What it holds,
    where the source stood still: the same on both sides."""

    added: int
    changed: int
    removed: int
    rows: int
    tally: Tally | None


Show = Callable[[str, int], None]
"""Is told the name of the table at hand, and how many of its rows are done."""


def copy(
    source: Source, target: Target, copying: Copying, show: Show, *, still: bool, size: Size = USUAL
) -> Mapping[str, Copied]:
    """Make all tables of the target what the source's are, where that stands `still`; else what they were when each
    page was read. By the name of the table, what became of it. Raises StoreUnavailable, also where the target does not
    keep what it is given, and SettingsError where another copy has begun."""
    copied = {}
    with ThreadPoolExecutor(1, "receiver-copy") as beside:
        for table in stored_tables():
            one = _Copy(Pages(table, size), source, target, copying, still=still)
            copied[table.name] = one.run(partial(show, table.name), beside)
    return copied


class _Difference(Struct, frozen=True):
    """Between what is wanted and what is there."""

    missing: Sequence[Values]
    changed: Sequence[Values]
    gone: Sequence[Key]


class _Copy:
    """One table."""

    def __init__(self, pages: Pages, source: Source, target: Target, copying: Copying, *, still: bool) -> None:
        self._pages = pages
        self._source, self._target, self._copying, self._still = source, target, copying, still
        self._count = Count()
        self._added = self._changed = self._removed = 0

    def run(self, show: Callable[[int], None], beside: Executor) -> Copied:
        """All pages. The target's are read `beside` the source's: while one waits the other works."""
        after: Key | None = None
        while True:
            after = self._page(after, beside)
            show(self._count.rows)
            if after is None:
                break
        tally = self._count.tally if self._still else None
        return Copied(self._added, self._changed, self._removed, self._count.rows, tally)

    def _page(self, after: Key | None, beside: Executor) -> Key | None:
        """Make a page of the target what the source's is: as far as both were read. Where the next begins."""
        read = partial(self._pages.read, after=after)
        reading = beside.submit(self._target.read, read)
        source, target = self._source.read(partial(_exactly, read)), reading.result()
        last = self._reached(source, target)
        wanted, found = self._pages.until(source.rows, last), self._pages.until(target.rows, last)
        if wanted != found:
            self._put_right(self._difference(wanted, found))
            if self._still:
                self._must_hold(wanted, after, last)
        self._count.add(wanted)
        return last

    def _reached(self, *pages: Page) -> Key | None:
        """How far all of the pages reach: to the end, or to this key."""
        return min((self._pages.key_of(page.rows[-1]) for page in pages if not page.ended), default=None)

    def _difference(self, wanted: Sequence[Values], found: Sequence[Values]) -> _Difference:
        key_of = self._pages.key_of
        wanted_by, found_by = {key_of(row): row for row in wanted}, {key_of(row): row for row in found}
        return _Difference(
            [row for key, row in wanted_by.items() if key not in found_by],
            [row for key, row in wanted_by.items() if found_by.get(key, row) != row],
            [key for key in found_by if key not in wanted_by],
        )

    def _put_right(self, difference: _Difference) -> None:
        try:
            self._target.write(partial(self._write, difference=difference))
        except IntegrityError:
            self._target.write(partial(self._write, difference=difference, clearing=True))
        except DataError as error:
            raise self._unstorable((*difference.missing, *difference.changed), error) from None
        self._added += len(difference.missing)
        self._changed += len(difference.changed)
        self._removed += len(difference.gone)

    def _write(self, connection: Connection, difference: _Difference, *, clearing: bool = False) -> None:
        """With `clearing`, what stands in the way further back in the target is removed first: the source has no such
        row any more."""
        pages = self._pages
        hold(connection, self._copying)
        new = [*difference.missing, *difference.changed]
        pages.remove(connection, [*difference.gone, *map(pages.key_of, difference.changed)])
        if clearing:
            pages.clear(connection, new)
        pages.add(connection, new)

    def _must_hold(self, wanted: Sequence[Values], after: Key | None, last: Key | None) -> None:
        """The target gives back what was written. Raises StoreUnavailable."""
        page = self._target.read(partial(self._pages.read, after=after))
        found = self._pages.until(page.rows, last)
        if wanted != found:
            difference = self._difference(wanted, found)
            differing = sum(map(len, (difference.missing, difference.changed, difference.gone)))
            raise StoreUnavailable(_UNLIKE.format(self._pages.table.name, differing))

    def _unstorable(self, rows: Sequence[Values], error: DataError) -> StoreUnavailable:
        """Which row the target has refused, as far as that can be told without saying what is in it."""
        table = self._pages.table
        for row in rows:
            for column, value in zip(table.c, row, strict=True):
                if isinstance(value, str) and "\0" in value:
                    return StoreUnavailable(_UNSTORABLE.format(table.name, self._pages.key_of(row), column.name))
        return StoreUnavailable(_REFUSED.format(table.name, type(error.orig).__name__))


def _exactly(read: Callable[[Connection], Page], connection: Connection) -> Page:
    read_exactly(connection)
    return read(connection)
