"""The digest key that goes with a copy: without it, stream keys and Idempotency-Keys that were reported before are not
known again. With SQLite it is a file of the data directory, with PostgreSQL a row (`receiver.keys`)."""

from pathlib import Path
from typing import Final

from receiver.commands.copy_sides import Side
from receiver.commands.store import file_of
from receiver.errors import SettingsError
from receiver.keys import existing_digest_key, give_digest_key
from receiver.settings import Settings
from receiver.storage import copy_marks

_MISSING: Final = (
    "SOURCE: there is no file digest_key in {}; it goes with the database, for without it reported stream keys and"
    " Idempotency-Keys are not known again. Set RECEIVER_DATA_DIR as the service has it; where the file is lost,"
    " starting the service once makes a new one."
)
_UNUSED: Final = "SOURCE: no service has ever used this database, so there is nothing to copy."
_ANOTHER: Final = (
    "TARGET: the digest_key in {} is not the source's, so another service has its data there. Copy into a folder of its"
    " own."
)


def digest_key_of(settings: Settings, source: Settings, side: Side) -> str:
    """The source's key. Raises SettingsError where there is none."""
    if not source.embedded:
        shared = side.read(copy_marks.digest_key_of)
        if shared is None:
            raise SettingsError(_UNUSED)
        return shared
    folders = dict.fromkeys((_folder(settings, source), settings.data_dir))
    for folder in folders:
        key = existing_digest_key(folder)
        if key is not None:
            return key
    raise SettingsError(_MISSING.format(" or ".join(map(str, folders))))


def may_carry(settings: Settings, target: Settings, key: str) -> None:
    """Raises SettingsError where the target's data directory has another key already."""
    if target.embedded:
        folder = _folder(settings, target)
        if existing_digest_key(folder) not in {None, key}:
            raise SettingsError(_ANOTHER.format(folder))


def carry(settings: Settings, target: Settings, key: str) -> None:
    """Put the key where a service on the target looks for it, as far as that is a file. Raises SettingsError."""
    if target.embedded and not give_digest_key(_folder(settings, target), key):
        raise SettingsError(_ANOTHER.format(_folder(settings, target)))


def _folder(settings: Settings, of: Settings) -> Path:
    """The data directory of the service that has this file: the configured one, where it is the configured database,
    else the file's folder."""
    return settings.data_dir if of.url == settings.url else file_of(of).parent
