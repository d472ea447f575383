"""What lists hold, and in which order, whichever way it is found."""

from functools import partial

import pytest
from sqlalchemy import Connection, insert, select

from receiver.storage.bulk import Rows
from receiver.storage.engine import Database
from receiver.storage.queries import diagnoses, listing
from receiver.storage.queries.listing import Key, Wanted
from receiver.storage.tables import CallerRow, DiagnosisRow, table_of
from tests.engines import sqlite_only
from tests.routes.rows import add_diagnosis, add_stream, failing, five
from tests.storage.test_queries import plan

LATE, NEITHER = "late", "neither"
STATES = ("idle", "live", None)
STREAMS = 36


def told_of(number: int) -> bool:
    """Whether the late webhook has told of a stream."""
    return number % 4 == 1


def fails(number: int) -> bool:
    """Whether events are missing of a stream."""
    return number % 6 == 2


def key(number: int) -> Key:
    """Where a stream stands: one in five was never active."""
    return listing.NEVER if number % 5 == 0 else 1000 + number // 3, f"s{number:02d}"


def fill(conn: Connection, others: int = 0) -> None:
    """Streams of all states; some share their latest activity. The late webhook has told of so many others, too."""
    for number in range(STREAMS):
        at_ms, stream_id = key(number)
        said = five(failing("webhook_not_firing", "EventsMissing")) if fails(number) else five()
        last_ms = None if at_ms == listing.NEVER else at_ms
        add_stream(conn, stream_id, state=STATES[number % 3], last_event_ms=last_ms, conditions=said)
    told = [f"s{number:02d}" for number in range(STREAMS) if told_of(number)] + [f"t{n}" for n in range(others)]
    conn.execute(insert(CallerRow), [{"webhook_id": LATE, "stream_id": stream_id} for stream_id in told])


def read(database: Database, wanted: Wanted) -> list[Key]:
    """The whole list, in parts of five."""
    found: list[Key] = []
    after: Key | None = None
    while part := database.read_now(partial(listing.keys, wanted=wanted, after=after, limit=5)):
        found += part
        after = part[-1]
    return found


ASKED = [
    Wanted(state) if webhook_ids is None else Wanted(state, "webhook_not_firing", webhook_ids)
    for state in (None, "idle", "live", "lost")
    for webhook_ids in (None, (), (NEITHER,), (LATE,), (LATE, NEITHER))
]


def is_wanted(wanted: Wanted, number: int) -> bool:
    """Whether a stream satisfies what is asked for."""
    told = wanted.condition is None or fails(number) or (LATE in wanted.webhook_ids and told_of(number))
    return told and wanted.state in {None, STATES[number % 3]}


@pytest.mark.parametrize("others", [0, listing.FEW])
def test_each_stream_that_is_asked_for_is_found_once(database: Database, others: int) -> None:
    """In the order of activity; however many a webhook has told of."""
    database.write_now(partial(fill, others=others))
    for wanted in ASKED:
        expected = sorted((key(number) for number in range(STREAMS) if is_wanted(wanted, number)), reverse=True)
        assert expected == read(database, wanted), wanted


@sqlite_only
def test_what_a_webhook_has_told_of_is_looked_up(database: Database) -> None:
    """SQLite would rather read all streams: what it must look up is in an index that all of them are in."""
    database.write_now(fill)
    wanted = Wanted(None, "webhook_not_firing", (LATE,))
    steps = database.read_now(lambda conn: plan(conn, lambda conn: listing.keys(conn, wanted, None, 5)))
    assert [] == [step for step in steps if step.startswith("SEARCH subjects") and "id=?" not in step]


SINCE_MS = 500
ASKED_OF_DIAGNOSES = [
    diagnoses.Wanted(changed_from_ms=SINCE_MS),
    diagnoses.Wanted(changed_from_ms=SINCE_MS, statuses=("open",)),
    diagnoses.Wanted(changed_from_ms=SINCE_MS, reason="NoSegments"),
    diagnoses.Wanted(changed_from_ms=SINCE_MS, stream_id="s1"),
    diagnoses.Wanted(changed_from_ms=500_000_000),
    diagnoses.Wanted(statuses=("open", "acknowledged"), reason="NoSegments"),
    diagnoses.Wanted(condition="hls_manifest_empty"),
]
SEQS = range(519, 479, -1)


def diagnosis(seq: int) -> dict[str, object]:
    """A diagnosis by its number: of any status, changed the later the older it is."""
    return {
        "status": ("open", "acknowledged", "resolved")[seq % 3],
        "reason": ("NoSegments", "Stalled")[seq % 2],
        "condition": ("playback_forbidden", "hls_manifest_empty")[seq % 2],
        "stream_id": f"s{seq % 4}",
        "updated_ms": 1000 - seq,
    }


def diagnose(conn: Connection, others: int) -> None:
    """All of them, and so many others that are newer."""
    for seq in SEQS:
        add_diagnosis(conn, seq, **diagnosis(seq))
    another = dict(conn.execute(select(table_of(DiagnosisRow)).where(DiagnosisRow.seq == 500)).mappings().one())
    more = [another | {"seq": seq, "id": f"dg_{seq}", "updated_ms": 700} for seq in range(9000, 9000 + others)]
    Rows(table_of(DiagnosisRow)).insert_records(conn, more)


def is_diagnosis_wanted(wanted: diagnoses.Wanted, row: dict[str, object]) -> bool:
    """Whether it satisfies what is asked for."""
    asked = {"reason": wanted.reason, "stream_id": wanted.stream_id, "condition": wanted.condition}
    same = all(value in {None, row[name]} for name, value in asked.items())
    changed = row["updated_ms"] in range(wanted.changed_from_ms or 0, 1000)
    return same and changed and (wanted.statuses is None or row["status"] in wanted.statuses)


@pytest.mark.parametrize("others", [0, diagnoses.FEW])
def test_each_diagnosis_that_is_asked_for_is_found_once(database: Database, others: int) -> None:
    """The newest first; however many have changed since."""
    database.write_now(partial(diagnose, others=others))
    for wanted in ASKED_OF_DIAGNOSES:
        found: list[int] = []
        before = 1000
        while part := database.read_now(partial(diagnoses.diagnoses, wanted=wanted, before=before, limit=7)):
            found += [one.seq for one in part]
            before = found[-1]
        assert [seq for seq in SEQS if is_diagnosis_wanted(wanted, diagnosis(seq))] == found, wanted
