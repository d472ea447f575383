"""What the catalogue says that a reason needs."""

from pathlib import Path

from hypothesis import given

from receiver.diagnoser.records import conditions_of
from receiver.diagnosis.catalogue import reason_entry
from receiver.storage.tables import SubjectRow
from tests.diagnoser.stories import tales
from tests.diagnoser.tales import HOUR, START_MS, Sight, Tale
from tests.diagnoser.test_order import take
from tests.diagnoser.world import world

SEEN_OURSELVES = {"studio_api", "probe", "gate"}


@given(tale=tales())
def test_what_is_concluded_without_looking_needs_no_look(migrated_file: Path, tale: Tale) -> None:
    """Who has no API key is given no reason of which the catalogue says that it takes one, and loses nothing."""
    with world(migrated_file, START_MS - HOUR) as made:
        take(made, [arrival for arrival in tale.arrivals() if not isinstance(arrival, Sight)])
        for _ in range(4):
            made.pass_time(made.now_ms + HOUR)
            made.settle()
            for row in made.rows(SubjectRow):
                for found in conditions_of(row):
                    assert not SEEN_OURSELVES & set(reason_entry(found.type, found.reason).needs), found.reason
