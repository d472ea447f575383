"""Signals whose stream is not known when they come: kept, judged by themselves, and adopted when it is."""

from dataclasses import replace

import pytest
from sqlalchemy import select, update

from receiver.diagnoser.bounds import Bounds
from receiver.simulation.objects import Session
from receiver.simulation.scenes import MINUTE, SECOND
from receiver.simulation.sender import Event, Studio
from receiver.storage.tables import BodyRow, SignalRow
from tests.diagnoser.tales import HOUR, START_MS, Report
from tests.diagnoser.telling import arrive, told, town_hall
from tests.diagnoser.world import World


def failure(studio: Studio, at_ms: int = 5 * MINUTE) -> Event:
    """Processing the recording of the newest session failed."""
    return studio.asset_changed("asset.failed", at_ms, "failed", errorMessage="no video track")


def open_diagnoses(made: World) -> set[tuple[str, str, str | None]]:
    """What is diagnosed now: reason, session and stream."""
    return {(d["reason"], d["session_id"], d["stream_id"]) for d in made.diagnoses() if d["status"] != "resolved"}


def session_of(studio: Studio) -> Session:
    """The stream's newest session."""
    assert studio.session is not None
    return studio.session


def test_orphans_are_judged_by_themselves(made: World) -> None:
    """Two recordings fail whose streams are not known; each has its diagnosis, whoever is looked at with it."""
    one, other = town_hall(1), town_hall(2)
    one.recording_started(0)
    other.recording_started(0)
    arrive(made, told(failure(one)), told(failure(one, 6 * MINUTE), failure(other)))
    ids = session_of(one).id, session_of(other).id
    assert {("ProcessingFailed", session_id, None) for session_id in ids} == open_diagnoses(made)


def test_an_adopted_diagnosis_belongs_to_the_stream(made: World, studio: Studio) -> None:
    """It goes on as it was, and is found under the stream from then on; nobody need be told again."""
    started = studio.recording_started(0)
    arrive(made, told(failure(studio)))
    notices = len([n for n in made.notices() if n["kind"].startswith("diagnosis.")])
    arrive(made, told(started))
    assert {("ProcessingFailed", session_of(studio).id, studio.stream.id)} == open_diagnoses(made)
    assert notices == len([n for n in made.notices() if n["kind"].startswith("diagnosis.")])


def test_an_orphan_is_adopted_by_a_stream_that_is_ahead(made: World, studio: Studio) -> None:
    """The event that names the session is folded before its turn, with another of its stream."""
    made.bounds = Bounds(pending=1)
    started, named = studio.started(0), studio.recording_started(SECOND)
    arrive(made, told(failure(studio)))
    made.deliver(*told(studio.idle(MINUTE), started, named))
    made.settle()
    assert {("ProcessingFailed", session_of(studio).id, studio.stream.id)} == open_diagnoses(made)
    assert made.rebuild().differing == 0


def test_a_session_that_two_streams_claim_stays_with_the_first(made: World) -> None:
    """Whatever a signed body says, the diagnoser goes on."""
    one, other = town_hall(1), town_hall(2)
    named = one.recording_started(0)
    claimed = other.recording_started(0)
    other.session = replace(session_of(other), id=session_of(one).id)
    arrive(made, told(named), told(claimed, other.recording_waiting(MINUTE, 0), failure(other)))
    sessions = {row["id"]: row["stream_id"] for key, row in made.subjects().items() if key[0] == "session"}
    assert one.stream.id == sessions[session_of(one).id]
    assert made.faults == 0


def test_one_new_session_that_two_streams_claim_at_once(made: World) -> None:
    """Neither stops the other."""
    one, other = town_hall(1), town_hall(2)
    named = one.recording_started(0)
    other.recording_started(0)
    other.session = replace(session_of(other), id=session_of(one).id)
    arrive(made, told(named, other.recording_waiting(MINUTE, 0)), told(failure(one)))
    assert 1 == len(open_diagnoses(made))


@pytest.mark.parametrize("observed_first", [True, False])
def test_an_observer_links_no_session_to_a_stream(made: World, studio: Studio, observed_first: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """What Livepeer has not said may be a mistake; and it must not matter when it was reported."""
    studio.recording_started(0)
    stored = {"kind": "recording_requested", "stream_id": "a-stream", "session_id": session_of(studio).id, "at_ms": 1}
    report = Report("obs_1", START_MS, stored)
    if observed_first:
        made.observe(report)
        made.settle()
    arrive(made, told(failure(studio)))
    if not observed_first:
        made.observe(report)
        made.settle()
    assert {("ProcessingFailed", session_of(studio).id, None)} == open_diagnoses(made)


def test_a_stream_that_cannot_be_judged_stops_no_other(made: World, studio: Studio) -> None:
    """It is marked, tried again from its log after a minute, and then as if nothing had been."""
    other = town_hall(2)
    made.release(*told(studio.started(0), studio.recording_started(SECOND), failure(studio), other.started(0)))
    spoilt = update(BodyRow).where(BodyRow.seq.in_(select(SignalRow.seq).where(SignalRow.kind == "asset.failed")))
    body = told(failure(studio))[0]
    made.database.write_now(lambda c: c.execute(spoilt.values(body=b"?")))
    made.settle()
    states = {row["id"]: (row["state"], row["fault"]) for key, row in made.subjects().items() if key[0] == "stream"}
    assert ("live", None) == states[other.stream.id]
    assert (None, "NotUnderstood: a rule failed on this subject") == states[studio.stream.id]
    made.database.write_now(lambda c: c.execute(spoilt.values(body=body)))
    made.live(made.now_ms + HOUR)
    assert {("ProcessingFailed", session_of(studio).id, studio.stream.id)} == open_diagnoses(made)
    assert made.rebuild().differing == 0


def test_an_orphan_that_is_no_recording_is_left_alone(made: World, studio: Studio) -> None:
    """After a fault there is nothing to say of it, and nothing more to be done."""
    studio.recording_started(0)
    made.release(*told(studio.task_spawned(MINUTE)))
    spoilt = update(BodyRow)
    body = told(studio.task_spawned(MINUTE))[0]
    made.database.write_now(lambda c: c.execute(spoilt.values(body=b"?")))
    made.settle()
    made.database.write_now(lambda c: c.execute(spoilt.values(body=body)))
    made.live(made.now_ms + HOUR)
    assert [None] == [row["deadline_ms"] for key, row in made.subjects().items() if key[0] == "session"]


@pytest.mark.parametrize("at_once", [True, False])
def test_an_observation_is_no_part_of_an_orphan(made: World, studio: Studio, at_once: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """It names a session that is not known, and the playback id of a stream that is: it is the stream's, whenever that
    turns out."""
    started = studio.started(0)
    studio.recording_started(0)
    named = {"session_id": session_of(studio).id, "playback_id": studio.stream.playback_id}
    made.observe(Report("obs_1", START_MS, {"kind": "playback_ok", "at_ms": START_MS, **named}))
    made.deliver(*told(failure(studio)))
    if not at_once:
        made.settle()
    arrive(made, told(started))
    folded = {key: row["folded"] or "" for key, row in made.subjects().items()}
    assert "obs_1" in folded["stream", studio.stream.id]
    assert "obs_1" not in folded["session", session_of(studio).id]
    assert made.rebuild().differing == 0


def test_a_stream_that_is_ahead_adopts_all_that_it_turns_out_to_own(made: World, studio: Studio) -> None:
    """What one orphan brings makes the stream read its log, in which another is named already."""
    made.bounds = Bounds(pending=1)
    names = []
    for at_ms in (0, HOUR):
        names.append(studio.recording_started(at_ms))
        arrive(made, told(failure(studio, at_ms + MINUTE)))
    made.deliver(*told(*names))
    made.settle()
    assert {studio.stream.id} == {stream_id for _, _, stream_id in open_diagnoses(made)}
    assert made.rebuild().differing == 0


def test_a_task_alone_is_no_recording(made: World, studio: Studio) -> None:
    """Of a session nothing is diagnosed before it is known to be one, though its stream is ahead."""
    made.bounds = Bounds(pending=1)
    named = studio.recording_started(0)
    spawned, ready = studio.task_spawned(MINUTE), studio.recording_ready(2 * MINUTE)
    made.pass_time(START_MS + 2 * HOUR)
    made.deliver(*told(spawned, named, ready))
    made.settle()
    assert set() == open_diagnoses(made)
