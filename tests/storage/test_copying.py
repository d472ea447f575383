"""One database carried over into another: whatever is there, and wherever an earlier copy was stopped."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update

from receiver.errors import SettingsError, StoreUnavailable
from receiver.storage.copying import copy
from receiver.storage.pages import Pages, Size, encoded, stored_tables
from receiver.storage.schema import migrate
from receiver.storage.tables import (
    BodyRow,
    FailingRow,
    OutboxDueRow,
    PendingRow,
    PlaceRow,
    QuarantineRow,
    table_of,
)
from tests.conftest import MIGRATED, driven
from tests.postgres import Postgres
from tests.storage.copies import COPYING, SMALL, Place, Rows, carried, opened


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A SQLite database."""
    url = f"sqlite:///{tmp_path_factory.mktemp('source')}/source.db"
    migrate(url)
    with opened(url) as place:
        yield place


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: Postgres
) -> Iterator[Place]:
    """A database of either kind."""
    url = f"sqlite:///{tmp_path_factory.mktemp('target')}/target.db"
    if request.param == "postgresql":
        url = driven(postgres_server.create("copied_into", MIGRATED))
    migrate(url)
    with opened(url) as place:
        yield place
    postgres_server.drop("copied_into")


SEQS = st.integers(0, 12)
NAMES = st.text("abé\uffff\U0001f600 ", max_size=2)
LONG = st.integers(-(1 << 31), (1 << 31) - 1)


def listed(
    *unique: Callable[[Mapping[str, Any]], object], **columns: st.SearchStrategy[Any]
) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows, no two of which agree in any of these."""
    return st.lists(st.fixed_dictionaries(columns), unique_by=unique, max_size=12)


QUARANTINED = listed(
    lambda row: row["seq"],
    lambda row: object() if row["event_id"] is None else row["event_id"],
    seq=SEQS,
    event_id=st.none() | NAMES,
    shaped=st.booleans(),
    body=st.binary(max_size=300),
    received_ms=LONG,
    bytes=LONG,
    **dict.fromkeys(("code", "remote", "signature", "webhook_id", "event"), NAMES),
)
STORES: st.SearchStrategy[Rows] = st.fixed_dictionaries(
    {
        PendingRow: listed(lambda r: r["seq"], seq=SEQS, signal_seq=st.none() | SEQS, changed=st.booleans()),
        OutboxDueRow: listed(lambda r: (r["outlet"], r["seq"]), outlet=NAMES, seq=SEQS),
        FailingRow: listed(lambda r: (r["kind"], r["id"], r["condition"]), kind=NAMES, id=NAMES, condition=NAMES),
        QuarantineRow: QUARANTINED,
    }
)


@settings(max_examples=15)
@given(before=STORES, after=STORES, rows=st.integers(1, 5))
def test_the_target_becomes_what_the_source_is(
    before: Rows, after: Rows, rows: int, source: Place, target: Place
) -> None:
    """Whatever it holds, in pages of whatever size: what is missing is added, what differs is changed, what is gone is
    removed. A second copy finds nothing to do, and counts the same."""
    source.fill(after)
    target.fill(before)
    target.mark()
    first = carried(source, target, Size(rows, bytes=400))
    assert source.rows() == target.rows()
    again = carried(source, target)
    assert {name: one.tally for name, one in first.items()} == {name: one.tally for name, one in again.items()}
    assert {(0, 0, 0)} == {(one.added, one.changed, one.removed) for one in again.values()}
    assert [len(rows) for rows in source.rows().values()] == [one.rows for one in again.values()]


@settings(max_examples=10)
@given(before=STORES, after=STORES, stops=st.lists(st.integers(1, 30), max_size=3))
def test_it_may_be_stopped_between_any_two_pages(
    before: Rows, after: Rows, stops: Sequence[int], source: Place, target: Place
) -> None:
    """And begun again, as often as may be, while the source changes: it ends the same."""
    target.mark()
    for moment, rows in zip(stops, (before, after, before), strict=False):
        source.fill(rows)
        with pytest.raises(Stopped):
            copy(source, target, COPYING, Stopping(moment), still=False, size=SMALL)
    source.fill(after)
    carried(source, target)
    assert source.rows() == target.rows()


class Stopped(Exception):
    """The process has ended."""


class Stopping:
    """Ends the process after so many pages, or after the last."""

    def __init__(self, pages: int) -> None:
        self._left = pages

    def __call__(self, name: str, _done: int) -> None:
        """One more page is done."""
        self._left -= 1
        if not self._left or name == stored_tables()[-1].name:
            raise Stopped


def test_every_table_can_be_copied() -> None:
    """The columns of its key are its first ones, in their order; only what is a process's own is left out."""
    tables = stored_tables()
    assert [list(table.primary_key.columns) for table in tables] == [
        list(table.c)[: len(table.primary_key)] for table in tables
    ]
    names = {table.name for table in tables}
    assert {"leases", "nodes", "shared_keys"} == set(tables[0].metadata.tables) - names


@given(st.lists(st.tuples(st.integers(), st.text(max_size=3), st.binary(max_size=3)), max_size=80), st.integers(1, 80))
def test_a_digest_does_not_depend_on_how_rows_are_cut(rows: Sequence[tuple[Any, ...]], each: int) -> None:
    """Their bytes stand one behind the other."""
    rows = [row for row in rows if -(1 << 63) <= row[0] < 1 << 63]
    parts = [rows[start : start + each] for start in range(0, len(rows), each)]
    assert encoded(rows) == b"".join(map(encoded, parts))


def test_many_rows_have_no_other_digest() -> None:
    """Beyond what a short head can count."""
    rows = [(number, None) for number in range(70_000)]
    assert encoded(rows) == encoded(rows[:5]) + encoded(rows[5:])


def test_large_rows_make_short_pages(source: Place) -> None:
    """No more is read than what fits, but for a first part; of the rest as much as fits if it is like that."""
    source.fill({BodyRow: [{"seq": seq, "body": bytes(1000)} for seq in range(40)]})
    lengths = []
    for size in (Size(bytes=1), Size(bytes=20_000), Size(rows=3), Size()):
        page = source.read(partial(Pages(table_of(BodyRow), size).read, after=(1,)))
        lengths.append((len(page.rows), page.ended))
    assert [(8, False), (20, False), (3, False), (38, True)] == lengths
    source.fill({BodyRow: []})


PLACE = {"seq": 1, "stream_id": "s", "session_id": None, "playback_id": None, "at_ms": 5, "webhook_id": "w"}


def test_a_changed_value_is_found(source: Place, target: Place) -> None:
    """And put right, and told."""
    source.fill({PlaceRow: [PLACE, {**PLACE, "seq": 2}]})
    target.mark()
    carried(source, target)
    target.write(lambda c: c.execute(update(table_of(PlaceRow)).where(text("seq = 2")).values(webhook_id="x")))
    [changed] = [one for one in carried(source, target).values() if one.changed]
    assert (2, 0, 1, 0) == (changed.rows, changed.added, changed.changed, changed.removed)
    assert source.rows() == target.rows()


def test_what_the_target_does_not_keep_is_found(tmp_path: Path, migrated_file: Path, source: Place) -> None:
    """It is read again after it was written: the copy is not called complete."""
    migrate(f"sqlite:///{tmp_path}/broken.db")
    source.fill({PlaceRow: [PLACE]})
    with opened(f"sqlite:///{tmp_path}/broken.db") as broken:
        broken.mark()
        changing = "CREATE TRIGGER t AFTER INSERT ON places BEGIN UPDATE places SET at_ms = at_ms + 1; END"
        broken.write(lambda c: c.execute(text(changing)))
        with pytest.raises(StoreUnavailable, match="does not hold what was written to its table places: 1 row"):
            carried(source, broken)


def test_a_key_that_another_row_has_is_free_again(source: Place, target: Place) -> None:
    """Which the source no longer has, and the copy has not come to yet."""
    row = dict.fromkeys(table_of(QuarantineRow).c.keys(), "x") | {
        "received_ms": 1,
        "shaped": True,
        "body": b"",
        "bytes": 0,
        "event_id": "e",
    }
    source.fill({QuarantineRow: [{**row, "seq": 1}]})
    target.fill({QuarantineRow: [{**row, "seq": 9}, {**row, "seq": 5, "event_id": None}]})
    target.mark()
    carried(source, target, Size(rows=1))
    assert source.rows() == target.rows()


def test_one_copies(source: Place, target: Place) -> None:
    """Who finds that another has begun stops, before it writes anything."""
    source.fill({PlaceRow: [PLACE]})
    target.fill({PlaceRow: []})
    target.mark("copying another-process")
    with pytest.raises(SettingsError, match="Another `receiver db copy` has begun"):
        carried(source, target)
    assert [] == target.rows()["places"]
