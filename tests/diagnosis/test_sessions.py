from collections.abc import Mapping

import pytest

from receiver.diagnosis.frozen import replace
from receiver.diagnosis.sessions import MOST_SESSIONS
from receiver.diagnosis.state import Mark, Recording, StreamState
from receiver.diagnosis.values import Limits, Signal
from tests.diagnosis.story import (
    LATER_SESSION,
    SESSION,
    at,
    connected,
    event,
    folded,
    idle,
    intent,
    plays,
    recording_ready,
    recording_started,
    recording_waiting,
    started,
    wanted,
    work,
)

LIVE = (started(0), recording_started(1))
ENDED = (*LIVE, idle(60))
# How each state of a recording is reached, within the first three minutes.
BEFORE: Mapping[str, tuple[Signal, ...]] = {
    "recording": LIVE,
    "ending": ENDED,
    "processing": (*ENDED, recording_waiting(60, 130)),
    "ready": (*ENDED, recording_ready(170)),
    "failed": (*ENDED, work("asset.failed", 170, "failed")),
    "deleted": (*ENDED, work("asset.deleted", 170, "deleted")),
    "off": (started(0), recording_started(1, record=False), idle(60)),
}
SIGNALS: Mapping[str, Signal] = {
    "stream.started": started(180),
    "stream.idle": idle(180),
    "stream.started(child)": event("stream.started", 180, stream=None, of_child=True),
    "stream.idle(child)": event("stream.idle", 180, stream=None, of_child=True),
    "recording.started": replace(recording_started(180, began=1), id="again"),
    "recording.started(record off)": replace(recording_started(180, began=1, record=False), id="again"),
    "recording.started(newer)": recording_started(180, LATER_SESSION),
    "recording.waiting": recording_waiting(180, 250),
    "recording.ready": recording_ready(180),
    "asset.created": work("asset.created", 180, "working", created=1),
    "asset.updated(processing)": work("asset.updated", 180, "working"),
    "asset.updated(ready)": work("asset.updated", 180, "ready"),
    "asset.failed": work("asset.failed", 180, "failed"),
    "asset.deleted": work("asset.deleted", 180, "deleted"),
    "task.updated": work("task.updated", 180, "working"),
    "task.failed": work("task.failed", 180, "failed"),
    "task.completed": work("task.completed", 180, "ready"),
    "task.completed(other session)": work("task.completed", 180, "ready", LATER_SESSION),
    "multistream.connected": connected(180),
    "some.new.event": event("some.new.event", 180, session_id=SESSION),
    "publish_intent": intent(180),
    "recording_requested": wanted(180),
    "playback_ok": plays(180),
}
AT_WORK = ("recording.waiting", "asset.created", "asset.updated(processing)", "task.updated")
DONE = ("recording.ready", "asset.updated(ready)", "task.completed")
FAILED = ("asset.failed", "task.failed")
MOVES: Mapping[tuple[str, str], str] = {
    ("recording", "stream.idle"): "ending",
    ("ending", "stream.started"): "recording",
    **{(s, name): "processing" for s in ("recording", "ending") for name in AT_WORK},
    **{("failed", name): "processing" for name in AT_WORK[1:]},
    **{(s, name): "ready" for s in BEFORE if s != "ready" for name in DONE},
    **{(s, name): "failed" for s in ("recording", "ending", "processing", "ready") for name in FAILED},
    **{(s, "asset.deleted"): "deleted" for s in BEFORE if s not in {"deleted", "off"}},
    **{(s, "recording.started(record off)"): "off" for s in ("recording", "ending")},
}


def session_of(state: StreamState, session_id: str = SESSION) -> Recording:
    """One session of the stream."""
    return next(session for session in state.sessions if session.session_id == session_id)


def test_each_signal_moves_the_recording_as_told_and_no_other_does() -> None:
    """Every state of a recording, met by every kind of signal: the moves above, and not one more."""
    found = {
        (before, name): after
        for before, story in BEFORE.items()
        for name, signal in SIGNALS.items()
        if (after := session_of(folded(*story, signal)).state) != before
    }
    assert MOVES == found


@pytest.mark.parametrize("before", BEFORE)
def test_the_ways_to_each_state_lead_there(before: str) -> None:
    """The stories that the table starts from."""
    assert before == session_of(folded(*BEFORE[before])).state


def test_a_healthy_recording_remembers_what_it_rests_on() -> None:
    """The whole session, from its start to its URL; the queue's time is the first attempt to deliver it."""
    state = folded(
        *ENDED,
        recording_waiting(60, 130.9),
        work("asset.created", 130.3, "working", created=1),
        work("task.updated", 200, "working", progress=0.5),
        work("asset.ready", 299, "ready", url="https://cdn.example/asset.m3u8"),
        recording_ready(300, url="https://cdn.example/recording.m3u8"),
    )
    expected = Recording(
        session_id=SESSION,
        state="ready",
        since_ms=at(299),
        started=Mark(f"started:{SESSION}", "recording.started", at(1)),
        started_ms=at(1),
        idled=Mark("stream.idle@60", "stream.idle", at(60)),
        queued=Mark(f"waiting:{SESSION}", "recording.waiting", at(60)),
        queued_ms=at(130.9),
        progress=Mark("task.updated@200", "task.updated", at(200)),
        outcome=Mark("asset.ready@299", "asset.ready", at(299)),
        recording_url="https://cdn.example/recording.m3u8",
        recorded=True,
        queued_by=("wh-1",),
        ready=Mark(f"ready:{SESSION}", "recording.ready", at(300)),
        ready_ms=at(300),
        ready_by=("wh-1",),
    )
    assert (expected,) == state.sessions


def test_processing_began_with_its_first_sign() -> None:
    """`recording.waiting` stands at the first idle, but processing began when the asset was made, or when the event
    was first delivered, whichever is known to be earlier."""
    assert at(131) == session_of(folded(*ENDED, recording_waiting(60, 131))).since_ms
    asset = work("asset.created", 130, "working", created=1)
    assert at(130) == session_of(folded(*ENDED, recording_waiting(60, 131), asset)).since_ms
    assert at(130) == session_of(folded(*ENDED, recording_waiting(60, 9000), asset)).since_ms


def test_of_several_deliveries_the_first_attempt_counts() -> None:
    """Two webhooks bring the same event, at different times: when it was queued is the earlier."""
    session = session_of(folded(*ENDED, recording_waiting(60, 140), recording_waiting(60, 131, webhook="wh-2")))
    assert (at(131), at(131), ("wh-1", "wh-2")) == (session.queued_ms, session.since_ms, session.queued_by)


# The encoder goes and comes back


def test_a_takeover_does_not_end_the_session() -> None:
    """A second start while live, as another node takes over, is no error (DESIGN 4)."""
    session = session_of(folded(*LIVE, started(30)))
    assert ("recording", None) == (session.state, session.successor)


def test_a_second_idle_does_not_move_the_end() -> None:
    """The recording is due from the first idle on."""
    session = session_of(folded(*ENDED, idle(90)))
    assert ("ending", at(60), at(60)) == (session.state, session.since_ms, session.idled and session.idled.at_ms)


def test_a_return_within_the_session_waits_for_the_next_idle() -> None:
    """A drop and return inside one session: the recording is due from the idle that lasts."""
    session = session_of(folded(*ENDED, started(75), idle(105)))
    assert ("ending", at(105)) == (session.state, session.since_ms)


def test_a_return_after_the_recording_was_due_is_not_in_the_session() -> None:
    """After seven minutes the recording is missing, and no later broadcast makes it less so."""
    assert "recording" == session_of(folded(*ENDED, started(60 + 419.999))).state
    late = session_of(folded(*ENDED, started(60 + 420)))
    assert ("ending", at(60)) == (late.state, late.since_ms)


def test_how_late_a_return_may_be_is_the_setting_of_the_queue() -> None:
    """`RECEIVER_RECORDING_QUEUED_WITHIN_S` is how long an idle session may wait for its recording."""
    patient = Limits(recording_queued_within_ms=900_000)
    assert "recording" == session_of(folded(*ENDED, started(800), limits=patient)).state


def test_a_newer_session_ends_an_older_one_that_had_gone_idle() -> None:
    """The encoder came back for a new session: the old one ended when it went idle."""
    state = folded(*ENDED, started(75), recording_started(76, LATER_SESSION))
    older, newer = state.sessions
    expected = ("ending", at(60), Mark(f"started:{LATER_SESSION}", "recording.started", at(76)))
    assert expected == (older.state, older.since_ms, older.successor)
    assert ("recording", None) == (newer.state, newer.successor)


def test_an_idle_is_the_newest_sessions() -> None:
    """The older session's own idle was lost; the one that comes now is not its."""
    older, newer = folded(*LIVE, started(600), recording_started(601, LATER_SESSION), idle(900)).sessions
    assert ("recording", None, "ending") == (older.state, older.idled, newer.state)


def test_sessions_stand_in_the_order_of_their_start() -> None:
    """Whatever is told of them, and when."""
    state = folded(
        started(0), recording_started(1, "b"), idle(60), started(90), recording_started(91, "a"),
        recording_waiting(60, 140, "b"),
    )  # fmt: skip
    assert ["b", "a"] == [session.session_id for session in state.sessions]


def test_more_sessions_than_are_remembered_lose_the_oldest_that_is_over() -> None:
    """One that still fails is kept before one that is ready."""
    signals = [recording_started(n * 100, f"se-{n:02}") for n in range(MOST_SESSIONS + 1)]
    ready = recording_ready(350, "se-03", began=300)
    sessions = [session.session_id for session in folded(*signals, ready).sessions]
    assert MOST_SESSIONS == len(sessions)
    assert "se-03" not in sessions
    assert "se-00" not in [s.session_id for s in folded(*signals).sessions]


# Facts about a session


def test_a_recording_is_known_by_its_asset_alone() -> None:
    """No event of the session itself has come, but its asset tells what becomes of it."""
    state = folded(
        work("asset.created", 130, "working", created=1), work("asset.updated", 200, "working"), stream_id=None
    )
    session = session_of(state)
    assert ("processing", at(130), True) == (session.state, session.since_ms, session.recorded)


def test_a_task_alone_makes_no_recording() -> None:
    """Its output may be any asset."""
    assert not session_of(folded(work("task.updated", 130, "working"), stream_id=None)).recorded


def test_a_failure_is_kept_with_its_message_until_it_is_retried() -> None:
    """The task's message stands, though the asset's failure says nothing; a retry lets it go."""
    failed = (*ENDED, work("task.failed", 200, "failed", error="no video"), work("asset.failed", 201, "failed"))
    session = session_of(folded(*failed))
    assert ("failed", at(200), "no video", Mark("task.failed@200", "task.failed", at(200))) == (
        session.state, session.since_ms, session.error_message, session.failed,
    )  # fmt: skip
    retried = session_of(folded(*failed, work("task.updated", 300, "working")))
    assert ("processing", at(300), None, None) == (
        retried.state, retried.since_ms, retried.error_message, retried.failed,
    )  # fmt: skip


def test_failed_then_retried_then_ready_is_ready() -> None:
    """Phases are ordered by their own time (DESIGN 4)."""
    session = session_of(
        folded(
            *ENDED, recording_ready(400), work("asset.failed", 200, "failed", error="x"),
            work("asset.updated", 300, "working"),
        )
    )  # fmt: skip
    assert ("ready", at(400), None, None) == (session.state, session.since_ms, session.failed, session.error_message)


def test_an_automatic_retry_is_remembered_with_what_went_wrong() -> None:
    """A task that waits to be tried again says why; its next progress says nothing of it any more."""
    retry = work("task.updated", 200, "working", error="503 Service Unavailable")
    assert "503 Service Unavailable" == session_of(folded(*ENDED, retry)).retry_message
    assert session_of(folded(*ENDED, retry, work("task.updated", 240, "working"))).retry_message is None


def test_a_restored_recording_is_ready_again() -> None:
    """`asset.ready` comes again after a restore (FACTS 3)."""
    session = session_of(
        folded(*BEFORE["ready"], work("asset.deleted", 500, "deleted"), work("asset.ready", 600, "ready"))
    )
    assert ("ready", at(600)) == (session.state, session.since_ms)


def test_a_session_is_dated_by_what_it_says_of_itself() -> None:
    """Its start is the session's, not the event's."""
    assert at(0.9) == session_of(folded(started(0), recording_started(1, began=0.9))).started_ms


# Sessions that begin without a start


@pytest.mark.parametrize(
    ("signals", "announced"),
    [
        ((started(0), recording_started(1)), True),
        ((recording_started(1), started(1.002)), True),
        ((recording_started(1), started(61)), True),
        ((recording_started(1), started(61.001)), False),
        ((recording_started(1),), False),
        ((started(0), idle(5), recording_started(40)), True),
        ((started(0), idle(5), recording_started(100)), False),
    ],
)
def test_a_session_without_a_start_nearby_is_marked(signals: tuple[Signal, ...], *, announced: bool) -> None:
    """`recording.started` and `stream.started` race, but a minute apart they do not belong together."""
    assert announced == (session_of(folded(*signals)).unannounced is None)
