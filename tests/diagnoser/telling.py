"""How the tests that tell one story tell it."""

from collections.abc import Sequence
from random import Random

from receiver.simulation.sender import Event, Studio
from tests.diagnoser.tales import START_MS
from tests.diagnoser.world import World

FIRST_WEBHOOK, SECOND_WEBHOOK = "wh-1", "wh-2"


def town_hall(seed: int = 7) -> Studio:
    """The sender with one stream that records."""
    return Studio(START_MS, Random(seed))  # noqa: S311 -- ids of a story


def told(*events: Event, webhook_id: str = FIRST_WEBHOOK, after_ms: int = 300) -> list[bytes]:
    """Each event's attempt, so long after it was ready."""
    return [event.body(webhook_id, START_MS + event.emitted_ms + after_ms) for event in events]


def arrive(made: World, *batches: Sequence[bytes]) -> None:
    """Each batch arrives and is looked at."""
    for batch in batches:
        made.deliver(*batch)
        made.settle()
