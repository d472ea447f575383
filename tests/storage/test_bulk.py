"""Many rows of one statement, and many keys."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import DataError, IntegrityError

from receiver.storage.bulk import CHUNK, OfKeys, Rows, RowsOfAll, Values
from receiver.storage.engine import Database
from receiver.storage.tables import Base, BodyRow, DeliveryRow, InboxRow, OutboxDueRow, PendingRow, table_of
from tests.engines import postgresql_only

ODD = 'tab\t, line\n, \\N, "quoted", {braced}, \N{SNOWMAN}'
DELIVERY = (1, -1, "accepted", "", ODD, 2**31 - 1, None, "", ODD, 2**63 - 1, None, None, False)
BODIES, INBOX, PENDING = table_of(BodyRow), table_of(InboxRow), table_of(PendingRow)


def stored(database: Database, declaration: type[Base]) -> Sequence[Values]:
    """All rows of a table."""
    table = table_of(declaration)
    query = select(table).order_by(*table.primary_key)
    return [tuple(row) for row in database.read_now(lambda c: c.execute(query).all())]


@pytest.mark.parametrize(
    ("declaration", "rows"),
    [
        (DeliveryRow, []),
        (DeliveryRow, [DELIVERY]),
        (DeliveryRow, [DELIVERY, (2, *DELIVERY[1:-1], True)]),
        (BodyRow, [(seq, bytes(range(256)) * seq) for seq in range(300)]),
        (OutboxDueRow, [("log", 1), ("log", 2)]),
        (PendingRow, [(1, None, True), (2, None, False)]),
    ],
)
def test_rows_are_stored_as_they_are(database: Database, declaration: type[Base], rows: Sequence[Values]) -> None:
    """However many, of every type that the tables have, with what is missing, empty, odd, or as large as can be."""
    table = Rows(table_of(declaration))
    database.write_now(lambda c: table.insert(c, rows))
    assert rows == stored(database, declaration)


def test_rows_that_are_there_already_are_refused(database: Database) -> None:
    """All that came with them too."""
    table = Rows(PENDING)
    database.write_now(lambda c: table.insert(c, [(2, 2, True)]))
    with pytest.raises(IntegrityError):
        database.write_now(lambda c: table.insert(c, [(1, 1, True), (2, 2, True), (3, 3, True)]))
    assert [(2, 2, True)] == stored(database, PendingRow)


@postgresql_only
@pytest.mark.parametrize("wrong", [(2, 0, "\0", None), (2, None, "", None)])
def test_what_a_server_does_not_take_spoils_no_more(database: Database, wrong: Values) -> None:
    """The transaction can go on without it."""
    table = Rows(INBOX)

    def store(connection: Connection) -> None:
        with pytest.raises((DataError, IntegrityError)), connection.begin_nested():
            table.insert(connection, [(1, 0, "", None), wrong])
        table.insert(connection, [(3, 0, "", None)])

    database.write_now(store)
    assert [(3, 0, "", None)] == stored(database, InboxRow)


def test_rows_of_several_tables_are_stored_together(database: Database) -> None:
    """Each in its own table; where one of them is refused, none is."""
    both = RowsOfAll(INBOX, BODIES)
    first: Sequence[Values] = [(seq, 5, ODD, None) for seq in range(70)]
    second: Sequence[Values] = [(seq, b"\0" * seq) for seq in range(70)]
    database.write_one_now(lambda c: both.insert(c, first, second))
    with pytest.raises(IntegrityError):
        database.write_one_now(lambda c: both.insert(c, [(70, 5, "", "secret")], [(69, b"")]))
    assert (first, second) == (stored(database, InboxRow), stored(database, BodyRow))


@pytest.mark.parametrize("asked", [[], [7], range(CHUNK + 50, 10, -1), [-1, 7, 2**62]])
def test_rows_of_many_keys(database: Database, asked: Sequence[int]) -> None:
    """All that there are of them are found, and removed, and no others."""
    found, dropped = OfKeys(select(BODIES), BODIES.c.seq), OfKeys(delete(BODIES), BODIES.c.seq)
    rows = [(seq, b"%d" % seq) for seq in range(CHUNK + 100)]
    database.write_now(lambda c: Rows(BODIES).insert(c, rows))
    expected = [row for row in rows if row[0] in asked]
    assert expected == sorted(map(tuple, database.read_now(lambda c: list(found.rows(c, asked)))))
    database.write_now(lambda c: dropped.run(c, asked))
    assert [row for row in rows if row not in expected] == stored(database, BodyRow)


def test_bytes_are_keys_too(database: Database) -> None:
    """As numbers are."""
    found = OfKeys(select(BODIES.c.seq), BODIES.c.body)
    database.write_now(lambda c: Rows(BODIES).insert(c, [(1, b"\x00a"), (2, b"\\x00"), (3, b"")]))
    assert [1, 3] == sorted(database.read_now(lambda c: [row.seq for row in found.rows(c, [b"\x00a", b"", b"none"])]))
