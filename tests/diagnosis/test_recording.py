import pytest

from receiver.diagnosis.frozen import replace
from receiver.diagnosis.rules.recorded import FAILURE_FADES_MS
from receiver.diagnosis.rules.recording import CONFIRMED_OVERDUE_MS
from receiver.diagnosis.values import Evidence, Limits, SessionFacts, Signal
from tests.diagnosis.story import (
    DAY,
    HOUR,
    LATER_SESSION,
    SESSION,
    Gist,
    at,
    event,
    false,
    gist,
    idle,
    judged,
    of_session,
    recording_ready,
    recording_started,
    recording_waiting,
    rests_on,
    started,
    surroundings,
    true,
    unknown,
    up_but,
    wanted,
    work,
)

LIVE = (started(0), recording_started(1))
ENDED = (*LIVE, idle(600))
QUEUED = (*ENDED, recording_waiting(600, 670))


def said(now: float, *signals: Signal) -> Gist:
    """The gist of what is known of the session's recording."""
    return gist(of_session(now, *signals))


def state_at(now: float, *signals: Signal) -> tuple[str, int | None]:
    """The session's state as it is shown, and since when."""
    verdict = next(v for v in judged(now, *signals).sessions if v.recording.session_id == SESSION)
    return verdict.state, verdict.since_ms


# Answers that are not failures


def test_while_live_the_recording_is_not_due() -> None:
    """It is generated when the stream goes idle; there is nothing to look at again for."""
    found = of_session(300, *LIVE)
    assert unknown("StreamStillLive", 1) == gist(found)
    assert found.message == "The stream is live since 15:00:00Z; its recording is generated when it goes idle."
    assert found.next_check_ms is None


def test_who_asks_for_it_while_live_is_told_what_that_means() -> None:
    """No idle has come; if the broadcast is over, the media was lost without a clean end."""
    found = of_session(300, *LIVE, wanted(240))
    assert unknown("StreamStillLive", 1) == gist(found)
    assert found.message.endswith(
        "The recording was asked for at 15:04:00Z, but no `stream.idle` has come. If the broadcast is over, the "
        "media was lost without a clean end: terminate the stream in Livepeer Studio, and the recording is generated."
    )
    assert ["stream.started@0", "recording_requested@240"] == rests_on(found)


def test_who_asked_before_this_broadcast_is_not_meant() -> None:
    """The question was about an earlier recording."""
    assert "asked for" not in of_session(300, *LIVE, wanted(-60)).message


def test_after_the_idle_it_is_awaited() -> None:
    """It says what comes next, and by when."""
    found = of_session(610, *ENDED)
    assert unknown("AwaitingRecording", 600) == gist(found)
    assert found.message == (
        "`stream.idle` came 15:10:00Z; `recording.waiting` follows about 70 s later and is due by 15:17:00Z."
    )
    assert at(600 + 480) == found.next_check_ms


def test_while_it_is_processed_it_is_awaited() -> None:
    """Since its first sign, and with the last one told."""
    progress = work("task.updated", 700, "working", progress=0.5)
    found = of_session(710, *QUEUED, progress)
    assert unknown("AwaitingRecording", 670) == gist(found)
    assert found.message == "Livepeer is processing the recording; its last sign of progress came at 15:11:40Z."
    assert ["waiting:se-1", "task.updated@700"] == rests_on(found)


def test_an_automatic_retry_is_told_with_its_cause() -> None:
    """Nothing has failed for good yet."""
    retry = work("task.updated", 700, "working", error="error downloading input: 503 Service Unavailable.")
    assert of_session(710, *QUEUED, retry).message.endswith(
        'It is being tried again after: "error downloading input: 503 Service Unavailable".'
    )


def test_a_ready_recording_does_not_fail() -> None:
    """Since it is ready, by the event that said so first."""
    found = of_session(2000, *QUEUED, work("asset.ready", 899, "ready"), recording_ready(900))
    assert (false("RecordingReady", 899), ["asset.ready@899"]) == (gist(found), rests_on(found))


def test_a_session_that_does_not_record_has_no_recording_to_miss() -> None:
    """That is an answer, however long the session is over."""
    signals = (started(0), recording_started(1, record=False), idle(600))
    assert false("RecordingDisabled", 1) == said(30 * DAY, *signals)


def test_a_session_whose_stream_was_deleted_before_it_ended_is_not_claimed_to_fail() -> None:
    """The live feed is cut with the deletion, and its idle may still come."""
    deleted = event("multistream.error", 300, stream=idle(300, deleted=True).stream)
    found = of_session(900, *LIVE, deleted)
    assert unknown("AwaitingRecording", 1) == gist(found)
    assert found.message == "The stream is deleted, and this session's end has not been told."


# RecordingNotQueued


def test_a_recording_that_is_not_queued_in_seven_minutes_and_the_grace_is_missing() -> None:
    """Up to the last millisecond it is awaited; then it is suspected, and the session is missing since that moment."""
    assert unknown("AwaitingRecording", 600) == said(1079.999, *ENDED)
    assert true("RecordingNotQueued", "suspected", "warning", 1080) == said(1080, *ENDED)
    assert (("ending", at(600)), ("missing", at(1080))) == (state_at(1079.999, *ENDED), state_at(1080, *ENDED))


def test_its_message_tells_when_it_was_due() -> None:
    """As the guide's answer made specific; and what rests on what."""
    told = event("recording.waiting", -DAY, session_id="older")
    found = of_session(1080, told, *ENDED)
    assert found.message == (
        "`stream.idle` came 15:10:00Z; `recording.waiting` was due by 15:17:00Z and has not come. Viewers who ask "
        "for the recording will not find it. Open the stream's sessions in Livepeer Studio. If there is a recording, "
        "only its webhook was lost; if there is none, report the session's id to Livepeer."
    )
    assert found.evidence == (
        Evidence("stream.idle", "stream.idle@600", at(600), "`stream.idle` at 15:10:00Z."),
        Evidence("deadline", "recording.waiting", at(1080), "Nothing of `recording.waiting` by 15:18:00Z."),
    )


def test_it_says_where_the_event_may_not_be_subscribed_to() -> None:
    """A webhook that never delivered it may be the reason."""
    assert "No webhook has ever delivered `recording.waiting` for this stream; it may not be subscribed to it." in (
        of_session(1080, *ENDED).message
    )


@pytest.mark.parametrize(
    "sign",
    [
        recording_waiting(600, 670),
        recording_ready(900),
        work("asset.created", 669, "working", created=1),
        work("task.spawned", 669, "working"),
        work("asset.updated", 700, "working"),
    ],
)
def test_any_sign_of_the_recording_voids_the_deadline(sign: Signal) -> None:
    """Once anything is heard of it, it was queued (DESIGN 4)."""
    assert "RecordingNotQueued" != said(1080, *ENDED, sign)[1]


def test_the_deadline_counts_only_while_we_could_have_heard() -> None:
    """An hour's gap in the middle is added, and then the sender's next retry may take another (P6)."""
    around = surroundings(up=up_but((700, 700 + HOUR)))
    assert unknown("AwaitingRecording", 600) == gist(of_session(700 + 2 * HOUR - 0.001, *ENDED, around=around))
    found = of_session(700 + 2 * HOUR, *ENDED, around=around)
    assert true("RecordingNotQueued", "suspected", "warning", 700 + 2 * HOUR) == gist(found)


def test_a_return_in_time_moves_the_deadline_to_the_next_idle() -> None:
    """Idle, still idle: an encoder that comes back inside the session ends it anew."""
    signals = (*ENDED, started(630), idle(700))
    assert unknown("AwaitingRecording", 700) == said(1179.999, *signals)
    assert true("RecordingNotQueued", "suspected", "warning", 1180) == said(1180, *signals)


def test_a_later_broadcast_does_not_make_it_less_missing() -> None:
    """The next day's session is another; this one's recording still fails."""
    next_day = (started(DAY), recording_started(DAY + 1, LATER_SESSION))
    assert true("RecordingNotQueued", "suspected", "warning", 1080) == said(DAY + 60, *ENDED, *next_day)


def test_how_long_the_queue_may_take_is_a_setting() -> None:
    """`RECEIVER_RECORDING_QUEUED_WITHIN_S`."""
    around = surroundings(Limits(recording_queued_within_ms=100_000))
    assert at(760) == of_session(760, *ENDED, around=around).since_ms


# StreamNotIdle


def test_a_session_that_a_newer_one_follows_without_an_idle_has_lost_it() -> None:
    """After the grace it is suspected; the newer session is the evidence."""
    newer = (started(900), recording_started(901, LATER_SESSION))
    assert unknown("AwaitingRecording", 1) == said(960.999, *LIVE, *newer)
    found = of_session(961, event("stream.idle", -DAY), *LIVE, *newer)
    assert true("StreamNotIdle", "suspected", "warning", 961) == gist(found)
    assert ["started:se-1", "started:se-2", "stream.idle"] == rests_on(found)
    assert found.message == (
        "The session began at 15:00:01Z and a newer one at 15:15:01Z, but no `stream.idle` came in between, so no "
        "recording is generated. Viewers who ask for the recording will not find it. If nobody broadcasts and "
        "Livepeer Studio still shows the stream as active, terminate it there, and the recording is generated; "
        "otherwise report the session's id to Livepeer."
    )


def test_a_session_that_does_not_say_when_it_began_is_dated_by_its_event() -> None:
    """As well as can be."""
    undated = replace(recording_started(1), session=SessionFacts(SESSION, None, record=True))
    found = of_session(961, started(0), undated, started(900), recording_started(901, LATER_SESSION))
    assert found.message.startswith("The session began at 15:00:01Z and a newer one at 15:15:01Z")


def test_the_newer_sessions_idle_is_not_the_older_ones() -> None:
    """It stays failing when the broadcast that followed ends."""
    later = (started(900), recording_started(901, LATER_SESSION), idle(1500))
    assert true("StreamNotIdle", "suspected", "warning", 961) == said(1600, *LIVE, *later)


def test_a_late_idle_takes_it_back() -> None:
    """It was only delivered late: the session ended, and its recording may have been queued."""
    newer = (started(900), recording_started(901, LATER_SESSION))
    assert true("RecordingNotQueued", "suspected", "warning", 1280) == said(1300, *LIVE, *newer, idle(800))
    assert false("RecordingReady", 1200) == said(1300, *LIVE, *newer, idle(800), recording_ready(1200))


def test_a_takeover_in_the_same_session_loses_nothing() -> None:
    """Only a newer session tells that this one is over."""
    assert "StreamStillLive" == said(2 * HOUR, *LIVE, started(900))[1]


def test_a_broadcast_longer_than_it_should_last_is_suspected_to_be_over() -> None:
    """Only where `RECEIVER_MAX_BROADCAST_S` is set."""
    around = surroundings(Limits(max_broadcast_ms=4 * HOUR * 1000))
    before = of_session(4 * HOUR + 59.999, *LIVE, around=around)
    assert (unknown("StreamStillLive", 1), at(4 * HOUR + 60)) == (gist(before), before.next_check_ms)
    found = of_session(4 * HOUR + 60, *LIVE, around=around)
    assert true("StreamNotIdle", "suspected", "warning", 4 * HOUR + 60) == gist(found)
    assert found.message.startswith(
        "The stream is live since 15:00:00Z, longer than a broadcast should last (4 h), and no `stream.idle` has "
        "come. If the broadcast is over, no recording will come either. "
    )
    assert "StreamStillLive" == said(9 * HOUR, *LIVE)[1]


# ProcessingOverdue


def test_a_recording_that_is_not_ready_in_a_quarter_of_an_hour_is_overdue() -> None:
    """15 minutes and the grace after the first delivery of `recording.waiting`, not after its own misleading time."""
    assert unknown("AwaitingRecording", 670) == said(670 + 959.999, *QUEUED)
    assert true("ProcessingOverdue", "suspected", "warning", 670 + 960) == said(670 + 960, *QUEUED)


def test_after_an_hour_it_is_confirmed() -> None:
    """Then it is taken for lost; since when it is overdue does not move."""
    assert CONFIRMED_OVERDUE_MS == HOUR * 1000
    last = of_session(670 + HOUR + 59.999, *QUEUED)
    assert ("suspected", at(670 + HOUR + 60)) == (last.certainty, last.next_check_ms)
    assert true("ProcessingOverdue", "confirmed", "warning", 670 + 960) == said(670 + HOUR + 60, *QUEUED)


def test_progress_gives_it_more_time() -> None:
    """A long recording that moves on is not overdue."""
    moving = [work("task.updated", 700 + n * 600, "working", progress=n / 10) for n in range(9)]
    assert "AwaitingRecording" == said(5500 + 959.999, *QUEUED, *moving)[1]
    assert true("ProcessingOverdue", "suspected", "warning", 5500 + 960) == said(5500 + 960, *QUEUED, *moving)


def test_an_overdue_recording_tells_what_was_last_heard() -> None:
    """And what rests on what."""
    found = of_session(1700, *QUEUED, work("task.updated", 700, "working"))
    assert found.message == (
        "Livepeer began to process the recording, and its last sign of progress came at 15:11:40Z; `recording.ready` "
        "was due by 15:26:40Z and has not come. Viewers who ask for the recording will not find it. Look at the "
        "asset with the session's id in Livepeer Studio; long recordings and a busy account take longer."
    )
    assert ["waiting:se-1", "task.updated@700", "recording.ready"] == rests_on(found)


def test_a_late_ready_takes_it_back() -> None:
    """However late, the recording is there."""
    assert false("RecordingReady", 3 * HOUR) == said(4 * HOUR, *QUEUED, recording_ready(3 * HOUR))


def test_an_orphans_recording_is_awaited_alike() -> None:
    """A session whose stream is not known yet is judged by its asset."""
    signals = [work("asset.created", 670, "working", created=1)]
    found = judged(670 + 960, *signals, stream_id=None)
    assert () == found.conditions
    assert [true("ProcessingOverdue", "suspected", "warning", 670 + 960)] == [gist(c) for _, c in found.diagnosable]


def test_how_long_processing_may_take_is_a_setting() -> None:
    """`RECEIVER_RECORDING_READY_WITHIN_S`; more than an hour is confirmed when it is over."""
    around = surroundings(Limits(recording_ready_within_ms=2 * HOUR * 1000))
    found = of_session(670 + 2 * HOUR + 60, *QUEUED, around=around)
    assert true("ProcessingOverdue", "confirmed", "warning", 670 + 2 * HOUR + 60) == gist(found)


# ProcessingFailed, RecordingDeleted


def test_a_failure_is_told_with_its_message() -> None:
    """Confirmed, critical, since it failed."""
    failed = work("task.failed", 900, "failed", error="error processing file: no video track found in source")
    found = of_session(900, *QUEUED, failed, work("asset.failed", 900.04, "failed"))
    assert true("ProcessingFailed", "confirmed", "critical", 900) == gist(found)
    assert ["task.failed@900"] == rests_on(found)
    assert found.message == (
        'Processing the recording failed at 15:15:00Z. Livepeer said: "error processing file: no video track found in '
        'source". Viewers who ask for the recording will not find it. Retry it with `POST /asset/se-1/retry` of '
        "the Livepeer API; if it fails again, report its message to Livepeer."
    )


def test_a_long_message_is_cut() -> None:
    """A stack trace is not for reading here."""
    failed = work("asset.failed", 900, "failed", error="x" * 900)
    assert f'Livepeer said: "{"x" * 199}…".' in of_session(900, *QUEUED, failed).message


def test_a_retrys_progress_takes_the_failure_back() -> None:
    """It is being worked on again."""
    retried = (work("asset.failed", 900, "failed"), work("asset.updated", 1000, "working"))
    assert unknown("AwaitingRecording", 1000) == said(1100, *QUEUED, *retried)


def test_a_deleted_recording_is_noted() -> None:
    """Somebody deleted it, and viewers will not find it."""
    found = of_session(2000, *QUEUED, recording_ready(900), work("asset.deleted", 2000, "deleted"))
    assert true("RecordingDeleted", "confirmed", "info", 2000) == gist(found)
    assert ["asset.deleted@2000"] == rests_on(found)
    assert found.message.startswith(
        "The recording was deleted at 15:33:20Z. Viewers who ask for the recording will not find it. "
    )


def test_the_deletion_of_a_failed_recording_ends_its_failure() -> None:
    """Nobody misses what failed and was cleared away (DESIGN 5, Ending)."""
    cleared = (work("asset.failed", 900, "failed"), work("asset.deleted", 2000, "deleted"))
    assert unknown("FailureExpired", 2000) == said(2000, *QUEUED, *cleared)


def test_the_deletion_of_a_recording_that_failed_once_is_a_deletion() -> None:
    """It failed, was retried, was ready: what is gone now is a recording."""
    story = (
        work("asset.failed", 900, "failed", error="x"),
        recording_ready(1500),
        work("asset.deleted", 2000, "deleted"),
    )
    assert "RecordingDeleted" == said(2000, *QUEUED, *story)[1]


# How failures end


@pytest.mark.parametrize(
    ("signals", "reason", "since"),
    [
        (ENDED, "RecordingNotQueued", 1080),
        (QUEUED, "ProcessingOverdue", 670 + 960),
        ((*QUEUED, work("asset.failed", 900, "failed")), "ProcessingFailed", 900),
        ((*QUEUED, work("asset.deleted", 900, "deleted")), "RecordingDeleted", 900),
        ((*LIVE, recording_started(900, LATER_SESSION)), "StreamNotIdle", 960),
    ],
)
def test_a_failure_fades_after_seven_days(signals: tuple[Signal, ...], reason: str, since: float) -> None:
    """Then nothing more is expected of it, and a diagnosis expires."""
    assert FAILURE_FADES_MS == 7 * DAY * 1000
    last = of_session(since + 7 * DAY - 0.001, *signals)
    assert (reason, at(since + 7 * DAY)) == (last.reason, last.next_check_ms)
    assert unknown("FailureExpired", since + 7 * DAY) == said(since + 7 * DAY, *signals)


@pytest.mark.parametrize(
    ("signals", "since"),
    [(ENDED, 1080), (QUEUED, 670 + 960), ((*QUEUED, work("asset.failed", 900, "failed")), 900)],
)
def test_a_failure_ends_with_its_stream(signals: tuple[Signal, ...], since: float) -> None:
    """Who deletes the stream does not wait for its recording."""
    deleted = event("multistream.error", 3000, stream=idle(3000, deleted=True).stream)
    found = of_session(3000, *signals, deleted)
    assert unknown("FailureExpired", 3000) == gist(found)
    assert "is past: nothing more is expected of this recording." in found.message
    early = event("multistream.error", 610, stream=idle(610, deleted=True).stream)
    assert "FailureExpired" == said(since, *signals, early)[1]


def test_a_failure_whose_end_is_still_to_come_is_looked_at_again_then() -> None:
    """The sender's clock may be ahead of ours: what it says of a moment to come is not overlooked when that is here."""
    deleted = event("multistream.error", 3000, stream=idle(3000, deleted=True).stream)
    found = of_session(2999.5, *ENDED, deleted)
    assert ("RecordingNotQueued", at(3000)) == (found.reason, found.next_check_ms)
