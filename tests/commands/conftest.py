"""The environment of somebody who has configured only where data goes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import logged


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty folder to be in, and the data directory, which is not there yet; the log stays as it was."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("RECEIVER_")]:
        monkeypatch.delenv(name)
    data_dir = tmp_path / "data"
    monkeypatch.setenv("RECEIVER_DATA_DIR", str(data_dir))
    with logged():
        yield data_dir
