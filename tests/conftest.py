"""What all tests share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from receiver.storage.engine import Database
from receiver.storage.schema import migrate

settings.register_profile(
    "house",
    deadline=None,  # how long an example takes says nothing on a shared machine
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("house"), max_examples=2000)
settings.load_profile("house")


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the current schema and nothing in it: to be copied, not changed."""
    file = tmp_path_factory.mktemp("migrated") / "receiver.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def database_url(migrated_file: Path, tmp_path: Path) -> str:
    """The URL of an empty database of the current schema."""
    return f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'receiver.db')}"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database of the current schema, opened."""
    opened = Database.open(database_url)
    yield opened
    opened.close_now()
