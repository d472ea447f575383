import pytest

from receiver.diagnosis.values import Condition, Signal
from tests.diagnosis.story import (
    DAY,
    HOUR,
    LATER_SESSION,
    RECORDING,
    Gist,
    at,
    condition,
    event,
    false,
    gist,
    idle,
    intent,
    judged,
    player_error,
    recording_ready,
    recording_started,
    recording_waiting,
    rests_on,
    started,
    true,
    unknown,
    wanted,
)

MISSING = (started(0), recording_started(1), idle(600))
"""A session whose recording is missing from 1080 on."""
UNTOLD = (started(0), idle(600))
"""A broadcast of a stream that records, of which no session is told."""


def shown(now: float, *signals: Signal) -> Condition:
    """What the stream shows of its recordings."""
    return condition(RECORDING, now, *signals)


def said(now: float, *signals: Signal) -> Gist:
    """The gist of it."""
    return gist(shown(now, *signals))


# The newest session, and any that still fails


def test_a_stream_shows_its_newest_session() -> None:
    """Where nothing fails, the newest recording is what one asks for."""
    earlier = (*MISSING, recording_ready(900))
    assert false("RecordingReady", 900) == said(HOUR, *earlier)
    live = (started(HOUR), recording_started(HOUR + 1, LATER_SESSION))
    assert unknown("StreamStillLive", HOUR + 1) == said(HOUR + 60, *earlier, *live)


def test_an_older_session_that_still_fails_shows_before_a_newer_that_does_not() -> None:
    """Its recording is missed all the same."""
    newer = (
        started(HOUR), recording_started(HOUR + 1, LATER_SESSION), idle(HOUR + 60),
        recording_ready(HOUR + 400, LATER_SESSION, began=HOUR + 1),
    )  # fmt: skip
    assert true("RecordingNotQueued", "suspected", "warning", 1080) == said(2 * HOUR, *MISSING, *newer)


@pytest.mark.parametrize(
    ("count", "more"), [(1, ""), (2, " One older recording fails too."), (4, " 3 older ones fail too.")]
)
def test_of_several_that_fail_the_newest_shows_and_the_others_are_counted(count: int, more: str) -> None:
    """One message, and how many there are."""
    broadcasts = [
        signal
        for day in range(count)
        for signal in (started(day * DAY), recording_started(day * DAY + 1, f"se-{day}"), idle(day * DAY + 60))
    ]
    found = shown((count - 1) * DAY + HOUR, *broadcasts)
    assert true("RecordingNotQueued", "suspected", "warning", (count - 1) * DAY + 540) == gist(found)
    assert found.message.endswith(f"report the session's id to Livepeer.{more}")


def test_what_is_rolled_up_is_diagnosed_where_it_happens() -> None:
    """The failing session has the diagnosis; the stream has none of its own."""
    found = judged(1080, *MISSING).diagnosable
    subjects = [(s.kind, s.id, c.status) for s, c in found if c.type == RECORDING]
    assert [("stream", "7c1e-stream", "unknown"), ("session", "se-1", "true")] == subjects


# A broadcast of which no session is told


def test_a_stream_that_does_not_record_has_nothing_to_miss() -> None:
    """That is an answer, at every time."""
    off = (started(0, record=False), idle(600, record=False))
    assert false("RecordingDisabled", 0) == said(300, *off[:1])
    assert false("RecordingDisabled", 0) == said(30 * DAY, *off)


def test_a_stream_of_which_it_is_not_known_whether_it_records() -> None:
    """Nothing is claimed."""
    assert unknown("NotObserved") == said(60, player_error(0))
    assert unknown("NotObserved") == said(
        HOUR, event("stream.started", 0, stream=None), event("stream.idle", 60, stream=None)
    )


def test_while_live_the_recording_is_not_due() -> None:
    """Although no session is told; who asks for it is answered the same."""
    assert unknown("StreamStillLive", 0) == said(300, started(0))
    assert "terminate the stream in Livepeer Studio" in shown(300, started(0), wanted(200)).message


def test_a_broadcast_without_any_sign_of_a_recording_is_not_queued() -> None:
    """Seven minutes and the grace after its idle; the stream itself is diagnosed, there being no session."""
    waiting = shown(1079.999, *UNTOLD)
    assert (unknown("AwaitingRecording", 600), at(1080)) == (gist(waiting), waiting.next_check_ms)
    assert waiting.message == "`stream.idle` came 15:10:00Z; a sign of its recording is due by 15:17:00Z."
    found = shown(1080, *UNTOLD)
    assert true("RecordingNotQueued", "suspected", "warning", 1080) == gist(found)
    assert ["stream.started@0", "stream.idle@600", "recording.waiting"] == rests_on(found)
    assert found.message.startswith(
        "`stream.idle` came 15:10:00Z; `recording.waiting` was due by 15:17:00Z and has not come, nor any other sign "
        "of a session. Viewers who ask for the recording will not find it. No webhook has ever delivered "
        "`recording.started` for this stream; it may not be subscribed to it. "
    )
    own = [(s.kind, c.status) for s, c in judged(1080, *UNTOLD).diagnosable if c.type == RECORDING]
    assert [("stream", "true")] == own


@pytest.mark.parametrize("sign", [recording_waiting(600, 670), recording_ready(900), recording_started(1)])
def test_a_sign_of_its_session_takes_it_to_the_session(sign: Signal) -> None:
    """From then on the session is judged; the stream itself does not fail."""
    own = [c.status for s, c in judged(1080, *UNTOLD, sign).diagnosable if c.type == RECORDING and s.kind == "stream"]
    assert ["unknown"] == own


def test_a_second_idle_does_not_give_it_more_time() -> None:
    """The broadcast ended with the first."""
    assert true("RecordingNotQueued", "suspected", "warning", 1080) == said(1080, *UNTOLD, idle(1000))


def test_a_push_that_dropped_leaves_no_recording_to_miss() -> None:
    """There was no media; that is the push's trouble, not the recording's."""
    assert unknown("NotObserved") == said(HOUR, started(0), idle(5))
    assert unknown("NotObserved") == said(HOUR, started(0), idle(5), idle(90))


def test_it_fades_after_seven_days_and_with_the_stream() -> None:
    """Then nothing more is expected of it."""
    assert "RecordingNotQueued" == said(1080 + 7 * DAY - 0.001, *UNTOLD)[1]
    assert unknown("FailureExpired", 1080 + 7 * DAY) == said(1080 + 7 * DAY, *UNTOLD)
    deleted = event("multistream.error", 3000, stream=idle(3000, deleted=True).stream)
    assert unknown("FailureExpired", 3000) == said(3000, *UNTOLD, deleted)


def test_it_is_not_expected_of_a_stream_that_was_deleted_while_live() -> None:
    """Nobody told that it ended."""
    assert unknown("NotObserved") == said(
        HOUR, started(0), event("multistream.error", 60, stream=idle(60, deleted=True).stream)
    )


# SessionResumed


RESUMED = (*MISSING, recording_waiting(600, 670), recording_ready(900), started(1000), idle(1500))
"""The encoder came back after the recording was made, and no new session began."""


def test_what_went_on_in_a_finished_session_is_lost() -> None:
    """Livepeer tells of new sessions here, and told of none: the later part is in no recording."""
    assert unknown("StreamStillLive", 1000) == said(1400, *RESUMED[:-1])
    assert unknown("AwaitingRecording", 1500) == said(1979.999, *RESUMED)
    found = shown(1980, *RESUMED)
    assert true("SessionResumed", "suspected", "warning", 1980) == gist(found)
    assert ["waiting:se-1", "stream.started@1000", "stream.idle@1500", "recording.waiting"] == rests_on(found)
    assert found.message == (
        "The stream was live again until 15:25:00Z, but no new session began: it went on in session se-1, whose "
        "recording had already been made. Viewers will miss this part. Use the encoder's own copy of this part, and "
        "report the session's id to Livepeer if it happens again."
    )


def test_a_new_session_refutes_it() -> None:
    """Its start may come late; the part is in that session's recording."""
    assert "SessionResumed" != said(1980, *RESUMED, recording_started(1001, LATER_SESSION))[1]


def test_where_sessions_are_never_told_of_it_may_be_a_new_one() -> None:
    """Without `recording.started` from any webhook, only the missing recording can be told."""
    untold = [signal for signal in RESUMED if signal.kind != "recording.started"]
    assert "RecordingNotQueued" == said(1980, *untold)[1]


def test_a_recording_made_after_the_return_contains_it() -> None:
    """Drop and return inside one session, queued after the last idle with the first one's time (F12)."""
    story = (*MISSING, started(630), idle(700), recording_waiting(600, 766), recording_ready(900))
    assert false("RecordingReady", 900) == said(2 * HOUR, *story)


def test_an_announcement_says_nothing_of_the_last_recording() -> None:
    """Somebody means to publish again; what is recorded is recorded."""
    assert false("RecordingReady", 900) == said(2 * HOUR, *MISSING, recording_ready(900), intent(1200))
