"""A world for the tests that tell one story."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver.simulation.sender import Studio
from tests.diagnoser.tales import HOUR, START_MS
from tests.diagnoser.telling import town_hall
from tests.diagnoser.world import World, world


@pytest.fixture(params=[False, True], ids=["at once", "apart"])
def made(migrated_file: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """A world that is up since an hour before the stories begin. Its passes are one transaction, or three."""
    with world(migrated_file, START_MS - HOUR, apart=request.param) as opened:
        yield opened


@pytest.fixture
def studio() -> Studio:
    """One stream."""
    return town_hall()
