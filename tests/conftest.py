"""What all tests share."""

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from receiver.storage.engine import Database
from receiver.storage.schema import migrate
from tests.postgres import Postgres, postgres, roomy_memory

settings.register_profile(
    "house",
    deadline=None,  # how long an example takes says nothing on a shared machine
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("house"), max_examples=2000)
settings.load_profile("house")

MIGRATED = "migrated"
_numbers = count(1)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the current schema and nothing in it: to be copied, not changed."""
    file = tmp_path_factory.mktemp("migrated") / "receiver.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL server with an empty database of the current schema: to be copied, not changed."""
    with postgres(roomy_memory()) as server:
        migrate(driven(server.create(MIGRATED)))
        yield server


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """The URL of an empty SQLite database of the current schema."""
    return f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'receiver.db')}"


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of the current schema, which is dropped at the end."""
    name = f"test_{next(_numbers)}"
    yield driven(postgres_server.create(name, MIGRATED))
    postgres_server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database of the current schema, of either kind."""
    url: str = request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param])
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database of the current schema, opened."""
    opened = Database.open(database_url)
    yield opened
    opened.close_now()


def driven(url: str) -> str:
    """A PostgreSQL URL as SQLAlchemy wants it."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
