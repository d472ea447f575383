"""The store that the settings name."""

from receiver.settings import Settings
from receiver.storage.connections import Connections
from receiver.storage.engine import Database


def open_store(settings: Settings) -> Database:
    """Nothing is connected yet. Raises SettingsError for a database in memory, and for a missing driver."""
    return Database.open(
        settings.url,
        Connections(
            writers=settings.database_writers,
            readers=settings.database_readers,
            statement_timeout_s=settings.database_statement_timeout_s,
            lock_timeout_s=settings.database_lock_timeout_s,
        ),
    )
