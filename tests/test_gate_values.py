import json
from pathlib import Path

import pytest

from receiver.errors import SettingsError
from receiver.gate_values import GateSetting, read_gates
from receiver.keys import all_secrets, ensure_keys
from receiver.settings import Settings, load_settings

URL = "https://example.com/may-watch?from=gate"
SECRET = "gate-secret-0123456789"
TOKEN = "rcv_0123456789abcdef"


def written(url: object = URL, secret: object = SECRET, name: str = "main") -> str:
    """One gate as it is configured."""
    return json.dumps({name: {"url": url, "secret": secret}})


def refusal(text: str) -> str:
    """The message with which it is refused."""
    with pytest.raises(SettingsError) as caught:
        load_settings({"RECEIVER_GATES": text}, None)
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    return caught.value.detail


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://10.0.0.7:8443",
        "http://127.0.0.1:9000/x",
        "http://localhost/x",
        "http://[::1]:9000/",
        "http://192.168.1.4/",
        "http://100.64.3.2/",
        "http://decider:9000/x",
    ],
)
def test_urls_that_can_be_asked(url: str) -> None:
    """HTTPS anywhere; HTTP on this machine and in networks of ours."""
    assert (GateSetting("main", url, SECRET),) == read_gates(written(url))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/x", "would send viewers' access keys in the clear"),
        ("http://8.8.8.8/x", "would send viewers' access keys in the clear"),
        ("http://[2001:4860:4860::8888]/", "would send viewers' access keys in the clear"),
        ("https://me:hidden@example.com/", "is none that can be called"),
        ("https://me@example.com/", "is none that can be called"),
        ("ftp://example.com/", "is none that can be called"),
        ("https://", "is none that can be called"),
        ("https://example.com/#x", "is none that can be called"),
        ("https://example.com:port/", "is none that can be called"),
        ("https://exam ple.com/", "is none that can be called"),
    ],
)
def test_urls_that_cannot(url: str, said: str) -> None:
    """The message names the gate, and shows nothing of the URL."""
    message = refusal(written(url))
    assert message.startswith("RECEIVER_GATES: the URL of the gate `main` ")
    assert said in message
    assert "hidden" not in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON (line 1, column 2); write e.g. {"),
        (f'{{"main": "{SECRET}" x}}', "is no JSON (line 1, "),
        ("[]", "is no JSON object with a gate in it; write e.g. {"),
        ("{}", "is no JSON object with a gate in it; write e.g. {"),
        ("[" * 100_000, "is no JSON object with a gate in it; write e.g. {"),
        (written(secret=""), "the secret of the gate `main` is empty"),
        (written(secret="a\nb"), "the secret of the gate `main` holds a control character"),
        (written(secret=7), "the gate `main` is no object of two texts, `url` and `secret`; write e.g. {"),
        (json.dumps({"main": {"url": URL}}), "the gate `main` is no object of two texts"),
        (json.dumps({"main": {"url": URL, "secret": SECRET, "x": 1}}), "the gate `main` is no object of two texts"),
        (written(name="Main"), "has a gate whose name cannot stand in its path"),
        (written(name=""), "has a gate whose name cannot stand in its path"),
        (written(name="x" * 65), "has a gate whose name cannot stand in its path"),
        (f'{{"a": {{"url": "{URL}", "secret": "x", "secret": "{SECRET}"}}}}', "has one name twice in the same object"),
        (json.dumps({n: {"url": URL, "secret": SECRET} for n in "ab"}), "two gates have the same secret"),
    ],
)
def test_what_is_wrong_is_told_without_the_secret(text: str, said: str) -> None:
    """One clear message."""
    assert refusal(text).startswith(f"RECEIVER_GATES: {said}")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("RECEIVER_WEBHOOK_SECRETS", f"other,{SECRET}", "the gate `main` has the secret of a webhook"),
        ("RECEIVER_API_TOKENS", SECRET, "the secret of the gate `main` is also a token of the API"),
    ],
)
def test_a_gates_secret_is_its_own(variable: str, value: str, said: str) -> None:
    """P12: whoever has a body signed for a gate must not have made up an event."""
    with pytest.raises(SettingsError) as caught:
        load_settings({"RECEIVER_GATES": written(), variable: value}, None)
    assert caught.value.detail.startswith(f"RECEIVER_GATES: {said}")
    assert SECRET not in caught.value.detail


@pytest.mark.parametrize("name", ["webhook_secret", "api_token"])
def test_a_gates_secret_is_none_of_the_data_directory(name: str, tmp_path: Path) -> None:
    """P12, where the webhook's secret was made by us."""
    ensure_keys(Settings(data_dir=tmp_path))
    kept = (tmp_path / name).read_text().strip()
    settings = Settings.model_validate({"data_dir": tmp_path, "gates": written(secret=kept)})
    with pytest.raises(SettingsError) as caught:
        ensure_keys(settings)
    assert caught.value.detail.startswith("RECEIVER_GATES: the ")
    assert kept not in caught.value.detail


def test_gates_may_stand_in_a_file(tmp_path: Path) -> None:
    """One JSON document, however it is laid out."""
    path = tmp_path / "gates.json"
    path.write_text(json.dumps(json.loads(written()), indent=2) + "\n")
    settings = load_settings({"RECEIVER_GATES_FILE": str(path)}, None)
    assert (GateSetting("main", URL, SECRET),) == settings.gates
    path.write_text(" \n")
    with pytest.raises(SettingsError, match=r"RECEIVER_GATES_FILE: .*gates.json is empty; write the whole document"):
        load_settings({"RECEIVER_GATES_FILE": str(path)}, None)
    path.write_text("{")
    with pytest.raises(SettingsError, match=r"RECEIVER_GATES_FILE: is no JSON"):
        load_settings({"RECEIVER_GATES_FILE": str(path)}, None)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    """Not by `repr`, and the log is told to keep them."""
    settings = Settings.model_validate({"data_dir": tmp_path, "gates": written()})
    assert SECRET not in repr(settings) + repr(settings.gates)
    assert "example.com" not in repr(settings) + repr(settings.gates)
    assert SECRET in all_secrets(settings, ensure_keys(settings))


def test_what_is_seldom_meant_is_warned_of() -> None:
    """A secret that can be guessed, and a gate that lets everybody in while it fails."""
    settings = Settings.model_validate({"gates": written(secret="short"), "gate_on_fault": "allow"})
    assert ["RECEIVER_GATES", "RECEIVER_GATE_ON_FAULT"] == [one.split()[0] for one in settings.warnings()]
    assert () == Settings.model_validate({"gate_on_fault": "allow"}).warnings()
