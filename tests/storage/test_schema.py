"""The migrations against the tables."""

import io
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from receiver.errors import SettingsError, StoreUnavailable
from receiver.storage import schema
from receiver.storage.engine import Database
from receiver.storage.tables import Base, CallerRow, FailingRow
from tests.routes.rows import add_signal, add_stream, failing, five


def differences(connection: Connection) -> object:
    """What Alembic would change."""
    return compare_metadata(MigrationContext.configure(connection), Base.metadata)


def test_the_migrations_make_the_tables(database: Database) -> None:
    """On SQLite, a migrated database is what `tables` declares."""
    assert database.write_now(differences) == []


def test_the_migrations_make_the_same_on_postgresql() -> None:
    """The SQL of the migrations for PostgreSQL holds each statement that `tables` would be made with."""
    config = schema.config()
    config.output_buffer = printed = io.StringIO()
    command.upgrade(config, "head", sql=True)
    made = {squeeze(statement) for statement in printed.getvalue().split(";")}
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in Base.metadata.tables.values():
        statements: list[CreateTable | CreateIndex] = [CreateTable(table), *map(CreateIndex, table.indexes)]
        for wanted in statements:
            assert squeeze(str(wanted.compile(dialect=dialect))) in made


def squeeze(statement: str) -> str:
    """SQL without its layout and comments."""
    return " ".join(line.strip() for line in statement.splitlines() if not line.startswith("--")).strip()


def test_the_migrations_can_be_taken_back(database: Database) -> None:
    """Down to nothing and up again ends in the same tables."""

    def work(connection: Connection) -> tuple[int, object]:
        command.downgrade(schema.config(connection), "base")
        left = len(inspect(connection).get_table_names())
        command.upgrade(schema.config(connection), "head")
        return left, differences(connection)

    assert database.write_now(work) == (1, [])


def test_what_lists_need_is_made_of_what_is_stored(database: Database) -> None:
    """The activity of the streams that fail, and the webhooks that have told of each."""

    def work(connection: Connection) -> tuple[object, object]:
        add_stream(connection, "s", state="live", last_event_ms=5, conditions=five(failing("playback_forbidden", "X")))
        for seq, webhook_id in enumerate(("w", "w", "v", "")):
            add_signal(connection, f"e{seq}", seq, stream_id="s", webhook_id=webhook_id)
        add_signal(connection, "e9", 9, stream_id=None)
        command.downgrade(schema.config(connection), "0003")
        command.upgrade(schema.config(connection), "head")
        found = connection.execute(select(FailingRow.id, FailingRow.state, FailingRow.last_event_ms)).all()
        told = connection.execute(select(CallerRow.webhook_id, CallerRow.stream_id).order_by(CallerRow.webhook_id))
        return found, told.all()

    assert ([("s", "live", 5)], [("v", "s"), ("w", "s")]) == database.write_now(work)


def test_migrating_twice_changes_nothing(database: Database, database_url: str) -> None:
    """A database that is current stays as it is."""
    schema.migrate(database_url)
    database.read_now(schema.must_be_current)


def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """The file holds bodies as they came, so nobody else may read it."""
    schema.migrate(f"sqlite:///{tmp_path}/new.db")
    assert stat.S_IMODE((tmp_path / "new.db").stat().st_mode) == 0o600


def test_a_database_of_a_newer_version_is_refused(database: Database, database_url: str) -> None:
    """A schema that we do not know is not touched, and the message says what to do."""
    database.write_now(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(SettingsError, match="newer receiver"):
        database.read_now(schema.must_be_current)
    with pytest.raises(SettingsError, match="newer receiver"):
        schema.migrate(database_url)


@pytest.mark.parametrize("tables", [("orders",), ("orders", "alembic_version"), ("signals",)], ids=" ".join)
def test_a_database_of_another_program_is_refused(tables: Sequence[str], tmp_path: Path) -> None:
    """Also where that program numbers its migrations as we do. Not a byte of the file changes."""
    file = tmp_path / "theirs.db"
    with closing(sqlite3.connect(file)) as theirs:
        for table in tables:
            theirs.execute(f"CREATE TABLE {table} (version_num TEXT)")
            theirs.execute(f"INSERT INTO {table} VALUES ('0001')")  # noqa: S608 -- a name of the list above
        theirs.commit()
    before = file.read_bytes()
    with pytest.raises(SettingsError, match=r"theirs\.db is not a receiver database"):
        schema.migrate(f"sqlite:///{file}")
    assert [before] == [path.read_bytes() for path in tmp_path.iterdir()]


def test_an_empty_file_is_made_a_database(tmp_path: Path) -> None:
    """Nobody's tables are in it."""
    (tmp_path / "empty.db").touch()
    schema.migrate(f"sqlite:///{tmp_path}/empty.db")
    database = Database.open(f"sqlite:///{tmp_path}/empty.db")
    database.read_now(schema.must_be_current)
    database.close_now()


@pytest.mark.parametrize("path", ["missing/receiver.db", "folder"])
def test_a_file_that_cannot_be_opened_is_reported(tmp_path: Path, path: str) -> None:
    """The message names the settings that say where the file is."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreUnavailable, match="RECEIVER_DATA_DIR"):
        schema.migrate(f"sqlite:///{tmp_path}/{path}")


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    """Somebody else's file is neither used nor changed."""
    (tmp_path / "notes.txt").write_text("not a database, but longer than the header of one " * 20)
    before = (tmp_path / "notes.txt").read_bytes()
    with pytest.raises(StoreUnavailable, match="RECEIVER_DATABASE_URL"):
        schema.migrate(f"sqlite:///{tmp_path}/notes.txt")
    assert (tmp_path / "notes.txt").read_bytes() == before
