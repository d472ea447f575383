"""A world for the tests that tell one story."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.diagnoser.tales import HOUR, START_MS
from tests.diagnoser.world import World, world


@pytest.fixture
def made(migrated_file: Path) -> Iterator[World]:
    """A world that is up since an hour before the stories begin."""
    with world(migrated_file, START_MS - HOUR) as opened:
        yield opened
