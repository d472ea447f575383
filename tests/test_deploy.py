"""The files of deploy/ name only what exists."""

import json
import re
from pathlib import Path

import pytest

from receiver.environment import PREFIX
from receiver.routes.api import OPEN
from receiver.routes.api import PREFIX as API
from receiver.settings import IN_FILES, Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
FILES = sorted(DEPLOY.iterdir())
SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
VARIABLES = SETTINGS | {f"{PREFIX}{name}_FILE" for name in IN_FILES}


def test_all_are_there() -> None:
    """What deploy/README.md and the top README name exists, and nothing else lies about."""
    named = set(re.findall(r"`([A-Za-z.-]+)`", re.sub(r"(?s)```.*?```", "", (DEPLOY / "README.md").read_text())))
    shipped = {file.name for file in FILES} - {"README.md", "Dockerfile.dockerignore"}
    assert shipped == {name for name in named if (DEPLOY / name).is_file()}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_only_settings_that_exist_are_mentioned(file: Path) -> None:
    """A misspelt one would stop the start."""
    assert set(re.findall(rf"{PREFIX}[A-Z_]+", file.read_text())) <= VARIABLES


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_a_proxy_lets_through_what_is_served(name: str) -> None:
    """The paths exist, the port is the default one, and the largest body that is taken in passes."""
    text = (DEPLOY / name).read_text()
    whole = {API, *(route.path.partition("/{")[0] for route in OPEN if "{" in route.path)}
    served = {route.path for route in OPEN} | {f"{path}/{rest}" for path in whole for rest in ("", "*")} | {"/"}
    assert set(re.findall(r"(?:location|handle)(?: =)? (/\S*) \{", text)) <= served
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", text)) == {str(Settings().port)}
    largest = re.findall(r"(?:max_size|client_max_body_size) 1(?:m|MiB)\b", text)
    assert (1, 1 << 20) == (len(largest), Settings().max_body_bytes)


def test_the_image_is_made_of_files_that_exist() -> None:
    """What is copied is there, and is not kept from the build."""
    text, kept = (DEPLOY / "Dockerfile").read_text(), (DEPLOY / "Dockerfile.dockerignore").read_text()
    copied = {name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for name in line.split()}
    assert [] == [name for name in copied if not (ROOT / name).exists()]
    assert copied == {line.removeprefix("!") for line in kept.splitlines() if line.startswith("!")}


def test_the_image_asks_whether_it_is_ready() -> None:
    """The health check is a program that compiles, and asks `/readyz` on the port that is served."""
    text = (DEPLOY / "Dockerfile").read_text()
    [check] = re.findall(r"HEALTHCHECK .*\\\n\s+CMD (\[.+\])$", text, re.MULTILINE)
    python, option, program = json.loads(check)
    compile(program, "health check", "exec")
    assert ("python", "-c", True) == (python, option, "/readyz" in program)


def test_the_unit_keeps_its_data_where_it_may_write() -> None:
    """The state directory is the data directory; wrong settings (exit code 2) do not make it start again and again."""
    text = (DEPLOY / "receiver.service").read_text()
    [state] = re.findall(r"^StateDirectory=(\S+)$", text, re.MULTILINE)
    assert f"Environment=RECEIVER_DATA_DIR=/var/lib/{state}\n" in text
    assert "ExecStart=/opt/receiver/bin/receiver serve\n" in text
    assert "RestartPreventExitStatus=2\n" in text
