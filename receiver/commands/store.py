"""The store as the commands use it: where it is, whether it is there, and what is wrong with it in plain words."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from receiver.clock import SystemClock
from receiver.errors import SettingsError, StoreUnavailable
from receiver.keys import open_directory
from receiver.membership import COMMAND_MS, Membership
from receiver.settings import Settings
from receiver.storage.copy_marks import must_be_whole
from receiver.storage.engine import Database
from receiver.storage.files import explained, folder_fault
from receiver.storage.opening import open_store
from receiver.storage.schema import migrate, must_be_current
from receiver.storage.sqlite import sqlite_path
from receiver.storage.wal import broken_log

_LOST: Final = (
    "The write-ahead log of the database {} is damaged: the last {} commits, which stand behind the damage, are lost,"
    " and events in them may have been acknowledged. What is left of the log is kept as {}. Send again what came last,"
    " from the webhook's log in Livepeer Studio: what is here already does no harm."
)


def ready_place(settings: Settings) -> None:
    """See to it that an embedded database has a folder to be in; that of the data directory is made. Raises
    SettingsError, which names the setting that says where it is."""
    if not settings.embedded:
        return
    if settings.database_url is None:
        open_directory(settings.data_dir)
    fault = folder_fault(file_of(settings))
    if fault is not None:
        variable = "RECEIVER_DATA_DIR" if settings.database_url is None else "RECEIVER_DATABASE_URL"
        raise SettingsError(f"{variable}: {fault}")


def ready_schema(settings: Settings) -> None:
    """See to it that the schema is this version's: an embedded database is migrated, any other must have been, by
    `receiver db upgrade`. Raises SettingsError, also for half of a copy, and StoreUnavailable."""
    if settings.embedded:
        migrate(settings.url)
    database = open_store(settings)
    try:
        database.read_now(must_be_current)
        database.read_now(must_be_whole)
    finally:
        database.close_now()


@contextmanager
def plainly(settings: Settings) -> Iterator[None]:
    """What is wrong with an embedded store is told with its file and what to do. Raises StoreUnavailable."""
    try:
        yield
    except StoreUnavailable as error:
        if not settings.embedded or error.__cause__ is None:
            raise
        raise StoreUnavailable(explained(file_of(settings), error.__cause__)) from None


def lost_in_crash(settings: Settings) -> list[str]:
    """What damage in the log of an embedded database has cost, in a sentence; nothing where there is none. To be asked
    by who holds its lock, before anybody opens it. Raises StoreUnavailable where no copy of the log can be kept."""
    if not settings.embedded:
        return []
    file = file_of(settings)
    try:
        found = broken_log(file)
    except OSError as error:
        raise StoreUnavailable(explained(file, error)) from None
    return [] if found is None else [_LOST.format(file, found.commits, found.kept)]


@contextmanager
def existing_store(settings: Settings) -> Iterator[Database]:
    """The store of a service that has been started before, whether it runs or not.

    Raises SettingsError where there is none of ours, or half of a copy, StoreUnavailable where it cannot be used.
    """
    if settings.embedded:
        _must_exist(file_of(settings))
    database = open_store(settings)
    try:
        with plainly(settings):
            database.read_now(must_be_current)
            database.read_now(must_be_whole)
            yield database
    finally:
        database.close_now()


def file_of(settings: Settings) -> Path:
    """The file of an embedded database."""
    return sqlite_path(make_url(settings.url))


def _must_exist(file: Path) -> None:
    try:
        if stat.S_ISDIR(file.stat().st_mode):
            raise SettingsError(f"RECEIVER_DATABASE_URL: {file} is a folder; write the path of a file in it")
    except (FileNotFoundError, NotADirectoryError):
        raise SettingsError(
            f"There is no database at {file} yet. Run `receiver serve` first, or set RECEIVER_DATA_DIR or"
            " RECEIVER_DATABASE_URL as the service has it."
        ) from None
    except OSError as error:
        raise SettingsError(
            f"The database at {file} cannot be used: {error.strerror or error}. Run this as the user that the service"
            " runs as."
        ) from None


def beside(database: Database) -> Membership:
    """What gives a command that writes its ids: other than those of services that run, and of other commands."""
    return Membership(database, SystemClock(), COMMAND_MS)
