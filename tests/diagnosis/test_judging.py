from collections.abc import Sequence

import pytest

from receiver.diagnosis.coverage import OPEN_END_MS
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.judging import muted_by_deliveries
from receiver.diagnosis.state import BroadcastState
from receiver.diagnosis.values import Report, Signal, Subject
from receiver.diagnosis.verdicts import Surroundings, clock, quoted, span
from tests.diagnosis.story import (
    DAY,
    DELIVERIES,
    FORBIDDEN,
    HOUR,
    LATER_SESSION,
    MANIFEST,
    MINUTE,
    PUSH,
    RECORDING,
    SESSION,
    STREAM,
    at,
    condition,
    connected,
    event,
    gist,
    idle,
    intent,
    judged,
    of_session,
    player_error,
    plays,
    recording_ready,
    recording_started,
    recording_waiting,
    rejected,
    started,
    surroundings,
    unknown,
    up_until,
    wanted,
    work,
)

FIVE = (PUSH, MANIFEST, FORBIDDEN, RECORDING, DELIVERIES)
LIVE = (started(0), recording_started(1))
ENDED = (*LIVE, idle(600))
WRONG_KEY = Report(key_prefix_matches=False, key_is_playback_id=False)
ENDPOINT_FAILS = surroundings(endpoint_failing=True)
WEBHOOK_FAILS = surroundings(failing=frozenset({"wh-1"}))


# Five conditions, from the first signal of any kind


@pytest.mark.parametrize(
    "signal",
    [
        started(0),
        idle(0),
        recording_started(0),
        recording_waiting(0, 70),
        recording_ready(0),
        connected(0),
        event("stream.detection", 0),
        event("some.new.event", 0),
        event("stream.idle", 0, stream=None, of_child=True),
        work("asset.created", 0, "working"),
        work("task.failed", 0, "failed"),
        intent(0),
        rejected(0),
        player_error(0),
        plays(0),
        wanted(0),
    ],
    ids=lambda signal: signal.id,
)
def test_every_stream_has_five_conditions_from_its_first_signal(signal: Signal) -> None:
    """Whatever it is: all five, in the order of the catalogue, each with words for people."""
    conditions = judged(10, signal).conditions
    assert FIVE == tuple(found.type for found in conditions)
    assert all(found.message[0].isupper() or found.message[0] == "`" for found in conditions)
    assert all(found.message.endswith(".") for found in conditions)


def test_a_stream_of_which_nothing_has_come_claims_nothing() -> None:
    """Absence of evidence is never reported as health (P8)."""
    found = judged(0)
    assert ("idle", None, None) == (found.state, found.since_ms, found.deadline_ms)
    assert {"unknown"} == {one.status for one in found.conditions}


def test_what_may_be_diagnosed_names_its_subject() -> None:
    """Four of the stream, one of each session; what is rolled up and what is the webhook's is diagnosed there."""
    found = judged(HOUR, *ENDED, started(HOUR - 60), recording_started(HOUR - 59, LATER_SESSION)).diagnosable
    stream = Subject("stream", STREAM)
    expected = [(stream, kind) for kind in (PUSH, MANIFEST, FORBIDDEN, RECORDING)]
    expected += [(Subject("session", session), RECORDING) for session in (SESSION, LATER_SESSION)]
    assert expected == [(subject, one.type) for subject, one in found]


def test_an_orphaned_session_has_no_stream_to_show_conditions() -> None:
    """Only its recording is judged, until its stream is known."""
    found = judged(HOUR, work("asset.failed", 0, "failed"), stream_id=None)
    assert () == found.conditions
    assert [(Subject("session", SESSION), "ProcessingFailed")] == [(s, one.reason) for s, one in found.diagnosable]


# Time


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (HOUR - 0.001, ("announced", 0)),
        (HOUR, ("idle", HOUR)),
    ],
)
def test_an_announced_stream_is_idle_again_when_its_attempt_has_faded(
    now: float, expected: tuple[BroadcastState, float]
) -> None:
    """By the passing of time alone, an hour after the last attempt."""
    found = judged(now, intent(0))
    assert (expected[0], at(expected[1])) == (found.state, found.since_ms)


@pytest.mark.parametrize(
    ("signals", "deadlines"),
    [
        ([intent(0)], [90, HOUR]),
        ([started(0), idle(5)], [605]),
        ([started(0), player_error(4)], [10, 604]),
        ([started(0), plays(30)], [10, 630]),
        (ENDED, [10, 1080, 1080 + 7 * DAY]),
        ([*ENDED, recording_waiting(600, 670)], [10, 670 + 960, 670 + HOUR + 60, 670 + 960 + 7 * DAY]),
        ([*ENDED, recording_ready(900)], [10, 960, 960 + DAY]),
        ([*LIVE, work("asset.failed", 900, "failed")], [10, 900 + 7 * DAY]),
        ([*LIVE], [10]),
        ([plays(0)], [600]),
    ],
)
def test_it_is_known_when_time_alone_may_change_anything(signals: Sequence[Signal], deadlines: list[float]) -> None:
    """Looked at again at each of these moments and at no other, nothing is missed (P6)."""
    met, now_ms = [], at(0)
    known = [signal for signal in signals if signal.at_ms <= at(0)]
    while True:
        ahead = [s for s in signals if s not in known]
        found = judged((now_ms - at(0)) / 1000, *known).deadline_ms
        next_signal_ms = min((signal.at_ms for signal in ahead), default=OPEN_END_MS)
        if found is not None and found < next_signal_ms:
            now_ms = found
            met.append(now_ms)
        elif ahead:
            now_ms = next_signal_ms
            known += [signal for signal in ahead if signal.at_ms == now_ms]
        else:
            break
    assert [at(deadline) for deadline in deadlines] == met


@pytest.mark.parametrize(
    "signals",
    [[intent(0)], [started(0), idle(5)], [started(0), player_error(4)], ENDED, [*ENDED, recording_waiting(600, 670)]],
)
def test_between_two_deadlines_nothing_changes(signals: Sequence[Signal]) -> None:
    """What is said is the same at every moment up to the next deadline."""
    now = 700.0
    for _ in range(4):
        found = judged(now, *signals)
        if found.deadline_ms is None:
            break
        last = (found.deadline_ms - at(0) - 1) / 1000
        assert found == judged(last, *signals)
        now = last + 0.001


def test_a_wait_without_a_known_end_has_no_time_to_look_again() -> None:
    """It is looked at after the grace, but promises nothing."""
    found = judged(800, *ENDED, around=surroundings(up=up_until(700)))
    assert at(860) == found.deadline_ms
    recording = next(one for one in found.conditions if one.type == RECORDING)
    assert (unknown("AwaitingRecording", 600), None) == (gist(recording), recording.next_check_ms)


# Muting


@pytest.mark.parametrize("around", [ENDPOINT_FAILS, WEBHOOK_FAILS])
@pytest.mark.parametrize(
    ("now", "signals"),
    [
        (90, (started(-HOUR, record=False), idle(-1800, record=False), intent(0))),
        (90, (started(-HOUR, record=False), idle(-1800, record=False, suspended=True), intent(0))),
        (1080, (started(0), idle(600))),
    ],
)
def test_failing_deliveries_mute_what_a_stream_concludes_from_silence(
    around: Surroundings, now: float, signals: tuple[Signal, ...]
) -> None:
    """It stays true, and says what mutes it."""
    plain = [one for one in judged(now, *signals).conditions if one.status == "true"]
    assert [None] == [one.muted_by for one in plain]
    muted = [one for one in judged(now, *signals, around=around).conditions if one.status == "true"]
    assert [replace(one, muted_by="webhook_not_firing") for one in plain] == muted


@pytest.mark.parametrize("around", [ENDPOINT_FAILS, WEBHOOK_FAILS])
@pytest.mark.parametrize(
    ("now", "signals"),
    [
        (1080, ENDED),
        (1630, (*ENDED, recording_waiting(600, 670))),
        (1000, (*LIVE, started(900), recording_started(901, LATER_SESSION))),
    ],
)
def test_failing_deliveries_mute_what_a_session_concludes_from_silence(
    around: Surroundings, now: float, signals: tuple[Signal, ...]
) -> None:
    """At the session and in the roll-up alike."""
    assert "webhook_not_firing" == of_session(now, *signals, around=around).muted_by
    assert "webhook_not_firing" == condition(RECORDING, now, *signals, around=around).muted_by


@pytest.mark.parametrize(
    ("kind", "now", "signals"),
    [
        (PUSH, 5, (started(0), idle(5))),
        (PUSH, 1, (started(-HOUR), idle(-1800), rejected(0, WRONG_KEY))),
        (PUSH, 1, (started(-HOUR), idle(-1800, deleted=True), rejected(0))),
        (MANIFEST, 30, (started(0), player_error(30))),
        (FORBIDDEN, 30, (started(0), player_error(30, "forbidden"))),
        (RECORDING, 900, (*ENDED, work("asset.failed", 900, "failed"))),
        (RECORDING, 900, (*ENDED, work("asset.deleted", 900, "deleted"))),
    ],
)
def test_what_rests_on_what_came_is_not_muted_by_what_did_not(
    kind: str, now: float, signals: tuple[Signal, ...]
) -> None:
    """Direct evidence stands, however bad the deliveries."""
    found = next(one for one in judged(now, *signals, around=ENDPOINT_FAILS).conditions if one.type == kind)
    assert ("true", None) == (found.status, found.muted_by)


def test_another_webhooks_failure_mutes_nothing() -> None:
    """It has not told of this stream."""
    around = surroundings(failing=frozenset({"wh-9"}))
    assert of_session(1080, *ENDED, around=around).muted_by is None


def test_missing_events_of_this_stream_mute_its_conclusions_from_silence() -> None:
    """A webhook that loses one event may lose others; it is not itself muted."""
    missing = (*ENDED, recording_ready(900), started(HOUR), recording_started(HOUR + 1, LATER_SESSION), idle(HOUR + 60))
    found = judged(HOUR + 600, *missing).conditions
    assert {RECORDING: "webhook_not_firing", DELIVERIES: None} == {
        one.type: one.muted_by for one in found if one.status == "true"
    }


def test_what_is_not_true_is_not_muted() -> None:
    """There is nothing to mute."""
    for found in judged(300, *LIVE, around=ENDPOINT_FAILS).conditions:
        assert found == muted_by_deliveries(found, failing=True)
        assert found.muted_by is None


def test_a_rejected_push_mutes_the_empty_manifest_that_follows_from_it() -> None:
    """Players find nothing because nothing came in."""
    found = judged(120, intent(0), player_error(100, "offline")).conditions
    assert {PUSH: None, MANIFEST: PUSH} == {one.type: one.muted_by for one in found if one.status == "true"}


def test_a_rejected_push_mutes_a_missing_recording() -> None:
    """Of the stream itself; a session that was recorded once is its own matter."""
    untold = (started(0), idle(600), intent(1000))
    found = judged(1100, *untold).conditions
    assert {PUSH: None, RECORDING: PUSH} == {one.type: one.muted_by for one in found if one.status == "true"}
    assert of_session(1100, *ENDED, intent(1000)).muted_by is None


def test_a_rejected_push_mutes_no_refusal() -> None:
    """Access is another matter."""
    assert condition(FORBIDDEN, 120, intent(0), player_error(100, "forbidden")).muted_by is None


def test_where_both_mute_the_deliveries_are_named() -> None:
    """They are the cause of the cause."""
    found = judged(1100, started(0), idle(600), intent(1000), around=ENDPOINT_FAILS).conditions
    assert "webhook_not_firing" == next(one.muted_by for one in found if one.type == RECORDING)


# Words


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "less than a second"),
        (0.999, "less than a second"),
        (1, "1 s"),
        (119.999, "119 s"),
        (120, "2 min"),
        (2 * HOUR - 1, "119 min"),
        (2 * HOUR, "2 h"),
        (3 * DAY, "72 h"),
    ],
)
def test_a_duration_is_told_as_people_say_it(seconds: float, expected: str) -> None:
    """In one unit, rounded down."""
    assert expected == span(round(seconds * 1000))


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [(at(0), "15:00:00Z"), (at(MINUTE + 0.999), "15:01:00Z"), (-1, "00:00:00Z"), (10**18, "23:59:59Z")],
)
def test_a_time_is_told_in_utc(at_ms: int, expected: str) -> None:
    """Whatever an event may claim."""
    assert expected == clock(at_ms)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("no video", '"no video"'),
        ("no video.", '"no video"'),
        ("  line\n  after   line ", '"line after line"'),
        ("x" * 200, f'"{"x" * 200}"'),
        ("x" * 201, f'"{"x" * 199}…"'),
    ],
)
def test_what_somebody_said_is_quoted_in_one_short_line(said: str, expected: str) -> None:
    """Without a full stop of its own."""
    assert expected == quoted(said)
