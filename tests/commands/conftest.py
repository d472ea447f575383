"""The environment of somebody who has configured only where data goes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import logged

NOBODY_THERE = "http://127.0.0.1:1/api"
"""No test asks the true Livepeer Studio anything."""


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty folder to be in, and the data directory, which is not there yet; the log stays as it was."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("RECEIVER_")]:
        monkeypatch.delenv(name)
    data_dir = tmp_path / "data"
    monkeypatch.setenv("RECEIVER_DATA_DIR", str(data_dir))
    monkeypatch.setenv("RECEIVER_STUDIO_URL", NOBODY_THERE)
    with logged():
        yield data_dir
