from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stat import S_IMODE

import pytest

from receiver.errors import SettingsError
from receiver.keys import Keys, all_secrets, ensure_keys, existing_keys
from receiver.settings import ApiToken, Settings

TOKEN = ApiToken("rcv_0123456789abcdef")


def modes(directory: Path) -> dict[str, int]:
    """The files of a directory and who may read them."""
    return {path.name: S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


def test_a_first_start_makes_keys_for_the_owner_alone(tmp_path: Path) -> None:
    """A secret, a token and a digest key, random, in files that nobody else can read."""
    keys = ensure_keys(Settings(data_dir=tmp_path / "deep" / "data"))
    assert ("webhook_secret", "api_token", "digest_key") == keys.made
    assert {"webhook_secret": 0o600, "api_token": 0o600, "digest_key": 0o600} == modes(tmp_path / "deep" / "data")
    assert 0o700 == S_IMODE((tmp_path / "deep" / "data").stat().st_mode)
    assert ("whsec_", "rcv_") == (keys.webhook_secrets[0][:6], keys.api_tokens[0].token[:4])
    assert [49, 47, 43] == [len(keys.webhook_secrets[0]), len(keys.api_tokens[0].token), len(keys.digest_key)]
    assert {"read", "write"} == keys.api_tokens[0].scopes


def test_the_next_start_finds_them_again(tmp_path: Path) -> None:
    """The same keys, and none made."""
    first = ensure_keys(Settings(data_dir=tmp_path))
    again = ensure_keys(Settings(data_dir=tmp_path))
    assert Keys(first.webhook_secrets, first.api_tokens, first.digest_key) == again


def test_no_two_services_get_the_same_keys(tmp_path: Path) -> None:
    """Keys are random."""
    one, two = (ensure_keys(Settings(data_dir=tmp_path / name)) for name in "ab")
    assert not {*one.webhook_secrets, *one.api_tokens, one.digest_key} & {
        *two.webhook_secrets,
        *two.api_tokens,
        two.digest_key,
    }


def test_starts_at_the_same_moment_agree(tmp_path: Path) -> None:
    """Where several processes make the keys at once, one wins and all use its keys."""
    settings = Settings(data_dir=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: ensure_keys(settings), range(8)))
    assert 1 == len({(keys.webhook_secrets, keys.api_tokens, keys.digest_key) for keys in found})
    assert ["api_token", "digest_key", "webhook_secret"] == sorted(name for keys in found for name in keys.made)
    assert 3 == len(modes(tmp_path))


def test_configured_keys_win(tmp_path: Path) -> None:
    """What is configured is used, and nothing is made in its place but the digest key."""
    keys = ensure_keys(Settings(data_dir=tmp_path, webhook_secrets=("one", "two"), api_tokens=(TOKEN,)))
    assert (("one", "two"), (TOKEN,), ("digest_key",)) == (keys.webhook_secrets, keys.api_tokens, keys.made)
    assert {"digest_key": 0o600} == modes(tmp_path)


def test_a_kept_token_may_be_given_scopes(tmp_path: Path) -> None:
    """Its owner may write scopes behind it."""
    ensure_keys(Settings(data_dir=tmp_path))
    (tmp_path / "api_token").write_text("rcv_0123456789abcdef:read+raw\n")
    assert {"read", "raw"} == ensure_keys(Settings(data_dir=tmp_path)).api_tokens[0].scopes


@pytest.mark.parametrize("name", ["webhook_secret", "api_token", "digest_key"])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, name: str) -> None:
    """Such a key is no secret; the message says how to close the file."""
    ensure_keys(Settings(data_dir=tmp_path))
    path = tmp_path / name
    path.chmod(0o640)
    with pytest.raises(SettingsError) as caught:
        ensure_keys(Settings(data_dir=tmp_path))
    assert f"{path}: others can read this file (mode 0640); run: chmod 600 {path}" == caught.value.detail


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("webhook_secret", b" \n", "holds no key; delete the file to have a new one made"),
        ("digest_key", b"\xff\xff", "holds no key; delete the file to have a new one made"),
        (
            "api_token",
            b"short",
            "the token is too short; write at least 16 characters; delete the file to have a new one made",
        ),
    ],
)
def test_a_damaged_key_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """No key is made over one that is there: what was encrypted or registered with it would be lost."""
    path = tmp_path / name
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError) as caught:
        ensure_keys(Settings(data_dir=tmp_path))
    assert f"{path}: {said}" == caught.value.detail
    assert content == path.read_bytes()


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """The message names the setting and the path."""
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(SettingsError) as caught:
        ensure_keys(Settings(data_dir=path))
    assert caught.value.detail.startswith(f"RECEIVER_DATA_DIR: {path} cannot be used: File exists; name a directory")


def test_a_directory_in_the_place_of_a_key_is_refused(tmp_path: Path) -> None:
    """Whatever the system says when a key is read is told as it is."""
    (tmp_path / "digest_key").mkdir()
    with pytest.raises(SettingsError, match="cannot be used: Is a directory"):
        ensure_keys(Settings(data_dir=tmp_path))


@pytest.mark.parametrize(
    ("secrets", "tokens", "missing"), [((), (TOKEN,), "WEBHOOK_SECRETS"), (("one",), (), "API_TOKENS")]
)
def test_with_postgresql_keys_must_be_configured(
    tmp_path: Path, secrets: tuple[str, ...], tokens: tuple[ApiToken, ...], missing: str
) -> None:
    """Several processes share one database, so none may make a key of its own."""
    settings = Settings.model_construct(
        database_url="postgresql://db/x", data_dir=tmp_path, webhook_secrets=secrets, api_tokens=tokens
    )
    with pytest.raises(SettingsError, match=f"^RECEIVER_{missing}: is not set, and with PostgreSQL none is made"):
        ensure_keys(settings)
    assert {} == modes(tmp_path)


def test_all_secrets_are_known_to_be_kept_quiet(tmp_path: Path) -> None:
    """Secrets, tokens, the digest key, the Studio key and the database's password, plain and as the URL shows it."""
    settings = Settings.model_construct(database_url="postgresql://u:p%40ss@db/x", studio_api_key="studio-key")
    keys = Keys(("one", "two"), (TOKEN,), b"digest")
    assert ("one", "two", TOKEN.token, "digest", "studio-key", "p%40ss", "p@ss") == all_secrets(settings, keys)
    assert ("one", "two", TOKEN.token, "digest") == all_secrets(Settings(data_dir=tmp_path), keys)


def test_keys_do_not_show_themselves() -> None:
    """A printed `Keys` tells what was made, and no key."""
    assert "Keys(made=('api_token',))" == repr(Keys(("one",), (TOKEN,), b"digest", ("api_token",)))
    assert "ApiToken(scopes=frozenset())" == repr(ApiToken("rcv_0123456789abcdef", frozenset()))


def test_who_calls_a_service_finds_its_keys(tmp_path: Path) -> None:
    """What is configured wins, the rest is read from the data directory."""
    made = ensure_keys(Settings(data_dir=tmp_path))
    assert (made.webhook_secrets, made.api_tokens) == existing_keys(Settings(data_dir=tmp_path))
    configured = Settings(data_dir=tmp_path, webhook_secrets=("one", "two"))
    assert (("one", "two"), made.api_tokens) == existing_keys(configured)


def test_who_calls_a_service_makes_no_keys(tmp_path: Path) -> None:
    """New ones would not be the service's; the setting that is missing is named instead."""
    with pytest.raises(SettingsError, match=r"^RECEIVER_WEBHOOK_SECRETS: is not set, and there is no "):
        existing_keys(Settings(data_dir=tmp_path))
    with pytest.raises(SettingsError, match=r"^RECEIVER_API_TOKENS: is not set, and there is no "):
        existing_keys(Settings(data_dir=tmp_path, webhook_secrets=("one",)))
    assert {} == modes(tmp_path)
