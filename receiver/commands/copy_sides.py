"""The two sides of `receiver db copy`: which database each is, whether it may be used, and what is wrong with it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection

from receiver.commands.store import file_of, plainly
from receiver.errors import Served, SettingsError, StoreUnavailable, underlying
from receiver.setting_values import read_database_url
from receiver.settings import Settings
from receiver.storage import copy_marks
from receiver.storage.engine import Database
from receiver.storage.files import folder_fault
from receiver.storage.opening import open_store
from receiver.storage.schema import is_empty, migrate, must_be_current
from receiver.storage.sqlite import ProcessLock

T = TypeVar("T")
_SIDES: Final = ("SOURCE: ", "TARGET: ")
_SERVED: Final = "TARGET: a service, or another `receiver db copy`, is at work on this SQLite database. Stop it first."


def settings_of(settings: Settings, name: str, text: str) -> Settings:
    """The settings with another database: a URL as `RECEIVER_DATABASE_URL` has it, or the path of a SQLite file. Raises
    SettingsError, which does not repeat it: a password may stand in it."""
    url = text if "://" in text else f"sqlite:///{Path(text).expanduser().absolute()}"
    try:
        return settings.model_copy(update={"database_url": read_database_url(url)})
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from None


def must_differ(source: Settings, target: Settings) -> None:
    """As far as their names tell. Raises SettingsError."""
    both_files = source.embedded and target.embedded
    if source.url == target.url or (both_files and file_of(source).resolve() == file_of(target).resolve()):
        raise SettingsError(copy_marks.SAME)


class Side:
    """A database whose faults are told with its name, `SOURCE` or `TARGET`."""

    def __init__(self, name: str, settings: Settings, database: Database) -> None:
        self._name, self._settings, self._database = name, settings, database

    @property
    def embedded(self) -> bool:
        """Whether it is a SQLite file."""
        return self._settings.embedded

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, of one consistent view. Raises StoreUnavailable."""
        with _told(self._name, self._settings):
            return self._database.read_now(work)

    def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, once it is committed. Raises StoreUnavailable."""
        with _told(self._name, self._settings):
            return self._database.write_now(work)

    def alone(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, of one view that nobody can change meanwhile: of a file, that is; on a server whoever
        asks must see to it."""
        return self.write(work) if self.embedded else self.read(work)


class Held:
    """A view of a side that is held while it is read."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns."""
        return work(self._connection)


@contextmanager
def source_side(settings: Settings) -> Iterator[Side]:
    """A database of this version that is no half of a copy. Raises SettingsError, StoreUnavailable."""
    with _opened("SOURCE", settings) as side:
        side.read(must_be_current)
        side.read(copy_marks.must_be_whole)
        yield side


@contextmanager
def target_side(settings: Settings) -> Iterator[Side]:
    """A database with the tables of this version, which are made where there are none; a file is ours alone. Raises
    SettingsError, StoreUnavailable."""
    fault = folder_fault(file_of(settings)) if settings.embedded else None
    if fault is not None:
        raise SettingsError(f"TARGET: {fault}")
    with _locked(settings):
        with _told("TARGET", settings):
            _ready(settings)
        with _opened("TARGET", settings) as side:
            side.read(must_be_current)
            yield side


@contextmanager
def kept_from_serving(settings: Settings) -> Iterator[bool]:
    """Whether nobody serves a source that is a file: then nobody does before this ends. What is on a server cannot be
    kept so. Raises SettingsError where there is no such file."""
    if settings.embedded and not _is_file(file_of(settings)):
        raise SettingsError(f"SOURCE: there is no file {file_of(settings)}.")
    lock, mine = ProcessLock(settings.url), True
    try:
        lock.acquire()
    except Served:
        mine = False
    try:
        yield mine
    finally:
        lock.release()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


@contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    try:
        with ProcessLock(settings.url):
            yield
    except Served:
        raise SettingsError(_SERVED) from None


def _ready(settings: Settings) -> None:
    """A database that somebody uses is not brought to another version: an empty one is, and a copy."""
    if is_empty(settings.url) or _is_copy(settings):
        migrate(settings.url)


def _is_copy(settings: Settings) -> bool:
    database = open_store(settings)
    try:
        return database.read_now(copy_marks.is_copy)
    finally:
        database.close_now()


@contextmanager
def _opened(name: str, settings: Settings) -> Iterator[Side]:
    database = open_store(settings)
    try:
        yield Side(name, settings, database)
    finally:
        database.close_now()


@contextmanager
def _told(name: str, settings: Settings) -> Iterator[None]:
    """What is wrong with a database is told with its side. Raises StoreUnavailable."""
    try:
        with plainly(settings):
            yield
    except StoreUnavailable as error:
        cause = "" if error.__cause__ is None else f" ({underlying(error)})"
        told = error.detail if error.detail.startswith(_SIDES) else f"{name}: {error.detail}{cause}"
        raise StoreUnavailable(told) from None
