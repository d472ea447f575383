from pathlib import Path

import pytest

from receiver.environment import Given, gather
from receiver.errors import SettingsError
from receiver.settings import load_settings

KNOWN = ("PORT", "SECRETS")


def gathered(environ: dict[str, str], env_file: Path | None = None) -> dict[str, Given]:
    """What is given, of two settings, one of which may stand in a file."""
    return gather(environ, env_file, known=KNOWN, in_files=("SECRETS",))


def refusal(environ: dict[str, str], env_file: Path | None = None) -> str:
    """The message with which it is refused."""
    with pytest.raises(SettingsError) as caught:
        gathered(environ, env_file)
    return caught.value.detail


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """A `.env` file."""
    path = tmp_path / ".env"
    path.write_text('# the port\nexport RECEIVER_PORT=81\n\nOTHER=${HOME}\nRECEIVER_SECRETS="a$b, c"\n')
    return path


def test_a_dotenv_file_is_read(env_file: Path) -> None:
    """Comments, quotes and `export` are understood, and nothing is put in for a dollar sign."""
    assert {
        "PORT": Given("RECEIVER_PORT", "81", env_file),
        "SECRETS": Given("RECEIVER_SECRETS", "a$b, c", env_file),
    } == gathered({}, env_file)


def test_the_environment_wins_over_the_dotenv_file(env_file: Path) -> None:
    """What is set for one start counts more than what is written down."""
    assert Given("RECEIVER_PORT", "82") == gathered({"RECEIVER_PORT": "82"}, env_file)["PORT"]


def test_a_missing_dotenv_file_is_none(tmp_path: Path) -> None:
    """No file, no settings."""
    assert {} == gathered({}, tmp_path / ".env")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"RECEIVER_PORT=1\nno sense here\n", "line 2 is not of the form NAME=value; correct it, or put a # before it"),
        (b"RECEIVER_PORT=\xff\n", "is not UTF-8 text; save it as UTF-8"),
        (b"#" * 70_000, "is larger than 65536 bytes; check the path"),
    ],
)
def test_a_damaged_dotenv_file_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """A line that is not understood is not passed over: it may have been meant to keep something shut."""
    path = tmp_path / ".env"
    path.write_bytes(content)
    assert said in refusal({}, path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("RECEIVER_PORT=eighty", 'RECEIVER_PORT: "eighty" is not a whole number'),
        ("RECEIVER_PROT=80", "RECEIVER_PROT: is no setting"),
        ("receiver_port=80", "receiver_port: names of settings are written in capitals"),
        ("RECEIVER_API_TOKENS_FILE=/nowhere", "RECEIVER_API_TOKENS_FILE: /nowhere cannot be read"),
    ],
)
def test_what_is_wrong_in_a_dotenv_file_is_told_of_it(line: str, said: str, tmp_path: Path) -> None:
    """Whoever reads the message may not know that there is such a file; the environment's own is told without it."""
    path = tmp_path / ".env"
    path.write_text(f"{line}\n")
    with pytest.raises(SettingsError) as in_file:
        load_settings({}, path)
    with pytest.raises(SettingsError) as in_environment:
        load_settings(dict([line.split("=", 1)]), path.with_name("none"))
    assert in_environment.value.detail.startswith(said)
    assert f"{path}: {in_environment.value.detail}" == in_file.value.detail


def test_a_dotenv_line_without_a_value_is_empty(tmp_path: Path) -> None:
    """`RECEIVER_PORT` alone says nothing."""
    path = tmp_path / ".env"
    path.write_text("RECEIVER_PORT\n")
    assert f"{path}: RECEIVER_PORT: is empty; write a value, or remove it to use the default" == refusal({}, path)


def test_a_secret_may_stand_in_a_file_one_on_each_line(tmp_path: Path) -> None:
    """Empty lines count for nothing; commas are part of a secret there."""
    path = tmp_path / "secrets"
    path.write_text("one,two\n\n  three \r\n")
    given = gathered({"RECEIVER_SECRETS_FILE": str(path)})
    assert {"SECRETS": Given("RECEIVER_SECRETS_FILE", ("one,two", "three"))} == given


def test_a_comment_is_not_taken_for_a_secret(tmp_path: Path) -> None:
    """Anybody who reads the comment would know one; the line is named by its number, and not repeated."""
    path = tmp_path / "secrets"
    path.write_text("one\n\n  # the old one\ntwo\n")
    said = f"RECEIVER_SECRETS_FILE: line 3 of {path} begins with #; there are no comments in this file, remove it"
    assert said == refusal({"RECEIVER_SECRETS_FILE": str(path)})


def test_a_setting_given_both_ways_is_a_contradiction(tmp_path: Path) -> None:
    """Nobody can tell which of them was meant."""
    said = "RECEIVER_SECRETS: is given twice, here and as RECEIVER_SECRETS_FILE; remove one of them"
    assert said == refusal({"RECEIVER_SECRETS": "a", "RECEIVER_SECRETS_FILE": str(tmp_path / "x")})


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, empty or no file at all: the message has its path and the setting that named it."""
    (tmp_path / "empty").write_text("\n \n")
    said = {name: refusal({"RECEIVER_SECRETS_FILE": str(tmp_path / name)}) for name in ("missing", "empty", "")}
    assert {
        "missing": f"{tmp_path}/missing cannot be read: No such file or directory; check the path",
        "empty": f"{tmp_path}/empty is empty; write one entry on each line",
        "": f"{tmp_path} cannot be read: Is a directory; check the path",
    } == {name: message.removeprefix("RECEIVER_SECRETS_FILE: ") for name, message in said.items()}


def test_a_wrong_value_in_a_file_is_told_of_the_file(tmp_path: Path) -> None:
    """The message names the variable that is really set."""
    tokens, key = tmp_path / "tokens", tmp_path / "key"
    tokens.write_text("rcv_0123456789abcdef:read\nshort\n")
    key.write_text("one\ntwo\n")
    with pytest.raises(SettingsError, match=r"^RECEIVER_API_TOKENS_FILE: token 2 is too short"):
        load_settings({"RECEIVER_API_TOKENS_FILE": str(tokens)}, None)
    with pytest.raises(SettingsError, match=r"^RECEIVER_STUDIO_API_KEY_FILE: holds several lines"):
        load_settings({"RECEIVER_STUDIO_API_KEY_FILE": str(key)}, None)


def test_a_key_in_a_file_is_read(tmp_path: Path) -> None:
    """The Studio key stands alone in its file."""
    path = tmp_path / "key"
    path.write_text("studio-key\n")
    assert "studio-key" == load_settings({"RECEIVER_STUDIO_API_KEY_FILE": str(path)}, None).studio_api_key
