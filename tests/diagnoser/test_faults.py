"""Subjects that cannot be judged: how many there are, and how they become right again."""

from collections.abc import Mapping

import pytest
from sqlalchemy import Select, delete, select, update

from receiver.diagnoser import Diagnoser
from receiver.diagnoser.streams import RETRY_AFTER_MS
from receiver.simulation.scenes import MINUTE, SECOND
from receiver.simulation.sender import Event, Studio
from receiver.storage.cases import hasten_waiting
from receiver.storage.tables import BodyRow, FailingRow, SignalRow, SubjectRow, table_of
from tests.diagnoser.tales import HOUR, START_MS, Report
from tests.diagnoser.telling import arrive, told, town_hall
from tests.diagnoser.world import World


def _seqs(kind: str) -> Select[int]:
    """The signals of a kind."""
    return select(SignalRow.seq).where(SignalRow.kind == kind)


def spoil_events(made: World, kind: str, body: bytes = b"?") -> None:
    """Write a body into the log that our own code would never write; or another again."""
    spoilt = update(BodyRow).where(BodyRow.seq.in_(_seqs(kind))).values(body=body)
    made.database.write_now(lambda c: c.execute(spoilt))


def arrive_spoilt(made: World, event: Event) -> bytes:
    """It arrives, and cannot be read when it is looked at. Returns how it was."""
    [body] = told(event)
    made.release(body)
    spoil_events(made, event.name)
    made.settle()
    return body


async def told_by_health(made: World) -> int:
    """The faults that a diagnoser which has just been started tells of, after its first look."""
    diagnoser = Diagnoser(made.database, made.ids, made.clock, made.limits)
    await diagnoser.settle()
    return diagnoser.health.faults


async def test_a_fault_stands_until_it_is_mended(made: World, studio: Studio) -> None:
    """Passes with nothing to do and a restart leave it in sight; after the retry it is gone."""
    body = arrive_spoilt(made, studio.started(0))
    counts = [made.once().faults, await told_by_health(made)]
    made.restart()
    counts += [made.once().faults, await told_by_health(made)]
    spoil_events(made, "stream.started", body)
    made.live(made.now_ms + RETRY_AFTER_MS)
    counts += [made.once().faults, await told_by_health(made)]
    assert [1, 1, 1, 1, 0, 0] == counts


def test_each_subject_counts_by_itself(made: World) -> None:
    """However many passes have met it, and whatever goes well beside it."""
    for seed in (1, 2):
        arrive_spoilt(made, town_hall(seed).started(0))
    arrive(made, told(town_hall(3).idle(MINUTE)))
    made.live(made.now_ms + 3 * RETRY_AFTER_MS)
    assert 2 == made.once().faults


def test_an_orphans_fault_is_its_streams_once_that_adopts_it(made: World, studio: Studio) -> None:
    """What cannot be read is one fault, wherever it belongs, and none when it can be read again."""
    named = studio.recording_started(0)
    body = arrive_spoilt(made, studio.task_spawned(SECOND))
    counts = [made.once().faults]
    arrive(made, told(named))
    counts.append(made.once().faults)
    spoil_events(made, "task.spawned", body)
    made.live(made.now_ms + RETRY_AFTER_MS)
    assert [1, 1, 0] == [*counts, made.once().faults]


def test_a_signal_that_lost_its_body_is_a_fault_of_its_stream(made: World, studio: Studio) -> None:
    """It is not left out as if it had never come."""
    arrive(made, told(studio.started(0), studio.idle(MINUTE)), told(town_hall(2).started(0)))
    made.database.write_now(lambda c: c.execute(delete(BodyRow).where(BodyRow.seq.in_(_seqs("stream.idle")))))
    made.rebuild()
    assert 1 == made.once().faults


@pytest.fixture
def failing(made: World, studio: Studio) -> World:
    """A stream whose recording failed and whose publish was announced in vain, with another beside it."""
    stored = {"kind": "publish_intent", "stream_id": studio.stream.id, "at_ms": START_MS + HOUR}
    arrive(made, told(studio.started(0), studio.recording_started(SECOND), studio.idle(MINUTE)))
    arrive(made, told(studio.asset_changed("asset.failed", 2 * MINUTE, "failed", errorMessage="no video track")))
    arrive(made, told(town_hall(2).started(0)))
    made.live(START_MS + HOUR)
    made.observe(Report("obs_1", START_MS + HOUR, stored))
    made.live(START_MS + HOUR + 5 * MINUTE)
    return made


def spoil(made: World, kind: str, subject_id: str, values: Mapping[str, object]) -> None:
    """Write into a subject's row what our own code would never write."""
    table = table_of(SubjectRow)
    mine = (table.c.kind == kind) & (table.c.id == subject_id)
    made.database.write_now(lambda c: c.execute(update(table).where(mine).values(values)))


def seen(made: World, of: Studio) -> tuple[object, ...]:
    """What is concluded of a stream and its session, what lists filter on, what is diagnosed, and what was told."""
    ids = {of.stream.id, "" if of.session is None else of.session.id}
    said = {row["id"]: (row["state"], row["conditions"], row["folded"]) for row in made.rows(SubjectRow)}
    failing = {(row["id"], row["condition"]) for row in made.rows(FailingRow)}
    diagnosed = [(one["id"], one["reason"], one["status"]) for one in made.diagnoses() if one["subject_id"] in ids]
    told_of = [one["kind"] for one in made.notices() if of.stream.id in one["payload"]]
    return {key: said[key] for key in ids}, {one for one in failing if one[0] in ids}, diagnosed, told_of


DEEP = "[" * 3000 + "]" * 3000
WRONG: Mapping[str, Mapping[str, object]] = {
    "text": {"conditions": "no JSON"},
    "cut off": {"conditions": '[{"type":"rtmp_push_rejected","status":"true","rea'},
    "of another shape": {"conditions": '[{"type":"rtmp_push_rejected","status":"true"}]'},
    "empty": {"conditions": ""},
    "no text": {"conditions": b"\xff"},
    "nothing": {"conditions": "[]"},
    "what was folded": {"folded": '{"stream_id":'},
    "both": {"folded": "", "conditions": '{"status":"true"}'},
    "folded of another": {"folded": '{"stream_id":"another"}'},
    "nothing folded": {"folded": "{}"},
    "without end": {"conditions": f'[{{"type":"x","status":"true","y":{DEEP}}}]'},
    "folded without end": {"folded": f'{{"y":{DEEP}}}'},
}


HARMLESS = {("stream", "nothing"), ("session", "nothing")} | {("session", name) for name in WRONG if "folded" in name}
"""What was folded of a stream is not in its sessions' rows, and where nothing is said, nothing has to be read."""


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("kind", ["stream", "session"])
def test_what_was_spoiled_by_hand_is_built_again_from_the_log(
    failing: World, studio: Studio, kind: str, wrong: str
) -> None:
    """Its stream is marked while all others go on; after the retry everything is as it was, told to nobody again."""
    before = seen(failing, studio)
    other = town_hall(2)
    subjects = {"stream": studio.stream.id, "session": "" if studio.session is None else studio.session.id}
    spoil(failing, kind, subjects[kind], WRONG[wrong])
    failing.database.write_now(lambda c: hasten_waiting(c, failing.now_ms))
    arrive(failing, told(other.started(0), other.idle(MINUTE)))
    assert "idle" == failing.subjects()["stream", other.stream.id]["state"]
    assert (0 if (kind, wrong) in HARMLESS else 1) == failing.once().faults
    failing.live(failing.now_ms + RETRY_AFTER_MS)
    assert 0 == failing.once().faults
    assert before == seen(failing, studio)
    assert 0 == failing.rebuild().differing


@pytest.mark.parametrize("wrong", WRONG)
def test_what_was_refuted_meanwhile_is_resolved(failing: World, studio: Studio, wrong: str) -> None:
    """The signal that nobody could judge by refutes the diagnosis after the retry, and no list holds what is over."""
    spoil(failing, "stream", studio.stream.id, WRONG[wrong])
    arrive(failing, told(studio.started(HOUR + 6 * MINUTE)))
    failing.live(failing.now_ms + RETRY_AFTER_MS)
    left = {(one["reason"], one["status"]) for one in failing.diagnoses() if one["stream_id"] == studio.stream.id}
    assert {("ProcessingFailed", "open"), ("PublishNotStarted", "resolved")} == left
    listed = {row["condition"] for row in failing.rows(FailingRow) if row["id"] == studio.stream.id}
    assert {"recording_not_available"} == listed
    assert 0 == failing.rebuild().differing
