"""The keys that the service works with: configured ones, or those of the data directory, made on first start.

In the data directory each stands in a file of its own, `webhook_secret`, `api_token` and `digest_key`, which only its
owner can read. The digest key is never configured: with it, reported stream keys are kept as digests (DESIGN P10).
Processes that share a PostgreSQL database share the first two by their settings, and the digest key in the database.
"""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from stat import S_IMODE
from urllib.parse import unquote, urlsplit

from receiver.errors import SettingsError
from receiver.gate_values import must_be_apart
from receiver.settings import Settings
from receiver.tokens import ApiToken, read_token

_BYTES = 32
_OTHERS = 0o077
_PREFIXES = {"webhook_secret": "whsec_", "api_token": "rcv_", "digest_key": ""}


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys; `made` names those that this start made, so that it can say where they are. Its `repr` shows none."""

    webhook_secrets: tuple[str, ...] = field(repr=False)
    api_tokens: tuple[ApiToken, ...] = field(repr=False)
    digest_key: bytes = field(repr=False)
    made: tuple[str, ...] = ()


def ensure_keys(settings: Settings) -> Keys:
    """The keys to work with. What is configured wins; what is not is read from the data directory, and made there where
    it is missing.

    Raises SettingsError where the data directory cannot be used, where a file in it is damaged or open to others, where
    a gate's secret is one of the keys (P12), and, with PostgreSQL, where secrets or tokens are not configured: several
    processes must share them. The digest key is then still to be had: `with_digest_key`.
    """
    keys = _all_keys(settings)
    try:
        must_be_apart(settings.gates, keys.webhook_secrets, (entry.token for entry in keys.api_tokens))
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return keys


def _all_keys(settings: Settings) -> Keys:
    if not settings.embedded:
        _must_be_configured(settings)
        return Keys(settings.webhook_secrets, settings.api_tokens, digest_key=b"")
    open_directory(settings.data_dir)
    made: list[str] = []
    webhook_secrets = settings.webhook_secrets or (_kept(settings.data_dir / "webhook_secret", made),)
    api_tokens = settings.api_tokens or (_kept_token(settings.data_dir / "api_token", made),)
    digest_key = _kept(settings.data_dir / "digest_key", made).encode()
    return Keys(webhook_secrets, api_tokens, digest_key, tuple(made))


def with_digest_key(keys: Keys, share: Callable[[str], str]) -> Keys:
    """The keys with the digest key that all processes share, where there is none yet: `share` is given one to propose,
    and returns the one that counts."""
    if keys.digest_key:
        return keys
    return replace(keys, digest_key=share(secrets.token_urlsafe(_BYTES)).encode())


def existing_keys(settings: Settings) -> tuple[tuple[str, ...], tuple[ApiToken, ...]]:
    """The webhook secrets and the tokens of a service that has been started, for who calls it: none is made. Raises
    SettingsError where they are neither configured nor in the data directory, or a file there is damaged or open to
    others."""
    token = settings.data_dir / "api_token"
    webhook_secrets = existing_webhook_secrets(settings)
    return webhook_secrets, settings.api_tokens or (_token(token, _existing(token, "API_TOKENS")),)


def existing_webhook_secrets(settings: Settings) -> tuple[str, ...]:
    """The webhook secrets alone, as `existing_keys` finds them."""
    return settings.webhook_secrets or (_existing(settings.data_dir / "webhook_secret", "WEBHOOK_SECRETS"),)


def existing_digest_key(folder: Path) -> str | None:
    """The digest key of a service with this data directory; None where it has none. Raises SettingsError where the file
    is damaged or open to others."""
    try:
        return _read(folder / "digest_key")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(folder, error) from None


def give_digest_key(folder: Path, key: str) -> bool:
    """Put a digest key into a data directory that has none. False where it has another one. Raises SettingsError."""
    try:
        return _make(folder / "digest_key", key) or _read(folder / "digest_key") == key
    except OSError as error:
        raise _unusable(folder, error) from None


def all_secrets(settings: Settings, keys: Keys) -> tuple[str, ...]:
    """Every secret that must never be written anywhere: what `receiver.logs.protect` is told on start."""
    password = urlsplit(settings.database_url or "").password
    found = (
        *keys.webhook_secrets,
        *(entry.token for entry in keys.api_tokens),
        keys.digest_key.decode(),
        settings.studio_api_key,
        *(gate.secret for gate in settings.gates),
        password,
        unquote(password) if password else None,
    )
    return tuple(secret for secret in found if secret)


def _must_be_configured(settings: Settings) -> None:
    for name, value in (("WEBHOOK_SECRETS", settings.webhook_secrets), ("API_TOKENS", settings.api_tokens)):
        if not value:
            raise SettingsError(
                f"RECEIVER_{name}: is not set, and with PostgreSQL none is made, as every process needs the same; set"
                f" it, or RECEIVER_{name}_FILE"
            )


def open_directory(path: Path) -> None:
    """Make the data directory, which only its owner can look into, where it is missing. Raises SettingsError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(path, error) from None


def _unusable(path: Path, error: OSError) -> SettingsError:
    return SettingsError(
        f"RECEIVER_DATA_DIR: {path} cannot be used: {error.strerror or error}; name a directory that the service may"
        " write to"
    )


def _kept_token(path: Path, made: list[str]) -> ApiToken:
    return _token(path, _kept(path, made))


def _existing(path: Path, name: str) -> str:
    try:
        return _read(path)
    except FileNotFoundError:
        raise SettingsError(
            f"RECEIVER_{name}: is not set, and there is no {path} of a service that has been started; set it, or"
            " RECEIVER_DATA_DIR, as the service has it"
        ) from None
    except OSError as error:
        raise _unusable(path.parent, error) from None


def _token(path: Path, text: str) -> ApiToken:
    try:
        return read_token(text)
    except ValueError as error:
        raise SettingsError(f"{path}: the token {error}; delete the file to have a new one made") from None


def _kept(path: Path, made: list[str]) -> str:
    """What the file holds; it is made first where it is missing, and then named in `made`."""
    try:
        with suppress(FileNotFoundError):
            return _read(path)
        if _make(path, _PREFIXES[path.name] + secrets.token_urlsafe(_BYTES)):
            made.append(path.name)
        return _read(path)
    except OSError as error:
        raise _unusable(path, error) from None


def _read(path: Path) -> str:
    """Raises SettingsError for a file that others may read, and for one without a key; else what the system raises."""
    with path.open("rb") as file:
        mode = S_IMODE(os.fstat(file.fileno()).st_mode)
        content = file.read(4096)
    if mode & _OTHERS:
        raise SettingsError(f"{path}: others can read this file (mode {mode:04o}); run: chmod 600 {path}")
    try:
        key = content.decode().strip()
    except UnicodeDecodeError:
        key = ""
    if not key or not key.isprintable():
        raise SettingsError(f"{path}: holds no key; delete the file to have a new one made")
    return key


def _make(path: Path, key: str) -> bool:
    """Write the key so that the file is there whole or not at all, even after a power cut. False where another process
    was first: its key counts."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write(draft, key)
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    _sync_directory(path.parent)
    return True


def _write(path: Path, key: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{key}\n")
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
