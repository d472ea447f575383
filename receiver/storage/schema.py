"""The schema's versions: finds the migrations, applies them, says whether they are applied.

The migrations live at the top of a checkout and inside an installed `receiver`, so an installation needs no checkout.
"""

from importlib import resources
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from receiver.errors import SettingsError, StoreUnavailable
from receiver.storage.engine import FileMoved, connect

_UNUSABLE = "The database cannot be opened or changed: {}. Check RECEIVER_DATABASE_URL or RECEIVER_DATA_DIR."
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

    Raises StoreUnavailable where the database cannot be used, SettingsError where a newer version wrote it.
    """
    try:
        engine = connect(url, writable=True, connections=1, create=True)
        try:
            with engine.begin() as connection:
                command.upgrade(config(connection), "head")
        finally:
            engine.dispose()
    except CommandError as error:
        raise SettingsError(_NEWER) from error
    except DBAPIError as error:
        raise StoreUnavailable(_UNUSABLE.format(error.orig)) from error
    except (OSError, FileMoved) as error:
        raise StoreUnavailable(_UNUSABLE.format(type(error).__name__)) from error


def is_current(connection: Connection) -> bool:
    """Whether all migrations of this version are applied, and no others."""
    wanted = ScriptDirectory.from_config(config()).get_heads()
    return sorted(MigrationContext.configure(connection).get_current_heads()) == sorted(wanted)
