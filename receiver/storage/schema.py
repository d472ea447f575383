"""The schema's versions: finds the migrations, applies them, says whether they are applied.

The migrations live at the top of a checkout and inside an installed `receiver`, so an installation needs no checkout.
"""

from importlib import resources
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, make_url
from sqlalchemy.exc import DBAPIError

from receiver.errors import SettingsError, StoreUnavailable
from receiver.storage.connections import Connections
from receiver.storage.engine import connect
from receiver.storage.sqlite import FileMoved, sqlite_path

_UNUSABLE = "The database cannot be opened or changed: {}. Check RECEIVER_DATABASE_URL or RECEIVER_DATA_DIR."
_FOREIGN = (
    "{} is not a receiver database: it holds the tables of another program, and was left as it is. Set"
    " RECEIVER_DATABASE_URL or RECEIVER_DATA_DIR to a place of the receiver's own."
)
_OLDER = "The database has an older version's schema. Run `receiver db upgrade` first."
_VERSION = "alembic_version"
_OURS = {_VERSION, "signals", "deliveries", "quarantine"}
"""Tables that every version of ours has; many programs have one of versions, with revisions numbered like ours."""
_ALONE = Connections(writers=1, readers=1, statement_timeout_s=0, lock_timeout_s=30)
"""A change of the schema may take as long as it needs, but not make everybody wait for the locks that it waits for."""
_NEWER = "The database was written by a newer receiver. Start that version, or restore a backup from before it ran."


def locate() -> Path:
    """The folder of the migrations. Raises FileNotFoundError for a broken installation."""
    package = Path(str(resources.files("receiver")))
    for folder in (package / "_migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise FileNotFoundError("the migrations are not installed with this receiver")


def config(connection: Connection | None = None) -> Config:
    """How Alembic is told of the migrations and, where one is open, of the connection to use."""
    made = Config()
    made.set_main_option("script_location", str(locate()).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def migrate(url: str) -> None:
    """Bring the database at a SQLAlchemy URL to this version's schema, in one transaction; a missing SQLite file is
    made. Does nothing where all is done.

    Raises StoreUnavailable where the database cannot be used, SettingsError where it is not a receiver's, or a newer
    one's: then nothing of it is changed.
    """
    try:
        _look(url)
        engine = connect(url, writable=True, connections=_ALONE, create=True)
        try:
            with engine.begin() as connection:
                command.upgrade(config(connection), "head")
        finally:
            engine.dispose()
    except DBAPIError as error:
        raise StoreUnavailable(_UNUSABLE.format(error.orig)) from error
    except (OSError, FileMoved) as error:
        raise StoreUnavailable(_UNUSABLE.format(type(error).__name__)) from error


def is_empty(url: str) -> bool:
    """Whether no tables are at a SQLAlchemy URL, of ours or of another program. Raises StoreUnavailable."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and not sqlite_path(parsed).exists():
        return True
    engine = connect(url, writable=False, connections=_ALONE)
    try:
        with engine.begin() as connection:
            return not inspect(connection).get_table_names()
    except (DBAPIError, FileMoved) as error:
        raise StoreUnavailable(_UNUSABLE.format(type(error).__name__)) from error
    finally:
        engine.dispose()


def must_be_current(connection: Connection) -> None:
    """All migrations of this version are applied, and no others. Raises SettingsError for a database that is not a
    receiver's, or a newer one's, StoreUnavailable for one that is to be migrated first."""
    _must_be_ours(connection)
    wanted = ScriptDirectory.from_config(config()).get_heads()
    if sorted(MigrationContext.configure(connection).get_current_heads()) != sorted(wanted):
        raise StoreUnavailable(_OLDER)


def _look(url: str) -> None:
    """Look whose it is on a connection that changes nothing: one that can write makes a WAL database of the file."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and not sqlite_path(parsed).exists():
        return
    engine = connect(url, writable=False, connections=_ALONE)
    try:
        with engine.begin() as connection:
            _must_be_ours(connection)
    finally:
        engine.dispose()


def _must_be_ours(connection: Connection) -> None:
    """It may be empty. Raises SettingsError."""
    tables = set(inspect(connection).get_table_names())
    if tables - {_VERSION} and not tables >= _OURS:
        raise SettingsError(_FOREIGN.format(connection.engine.url.database))
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if not known.issuperset(MigrationContext.configure(connection).get_current_heads()):
        raise SettingsError(_NEWER)
