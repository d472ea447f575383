import pytest

from receiver.diagnosis.folding import ATTEMPT_FADES_MS, DROPS_FADE_MS
from receiver.diagnosis.values import Evidence, Limits, Report, Signal
from tests.diagnosis.story import (
    HOUR,
    MINUTE,
    PUSH,
    STREAM,
    Gist,
    at,
    condition,
    connected,
    event,
    false,
    gist,
    idle,
    intent,
    judged,
    player_error,
    recording_started,
    rejected,
    rests_on,
    started,
    surroundings,
    true,
    unknown,
    up_but,
    up_until,
)

WRONG_KEY = Report(key_prefix_matches=False, key_is_playback_id=False)
PLAYBACK_ID_AS_KEY = Report(key_prefix_matches=True, key_is_playback_id=True)
RIGHT_KEY = Report(key_prefix_matches=True, key_is_playback_id=False)


def said(now: float, *signals: Signal) -> Gist:
    """The gist of the condition."""
    return gist(condition(PUSH, now, *signals))


# PublishNotStarted


@pytest.mark.parametrize("attempt", [intent, rejected])
def test_an_attempt_without_a_start_fails_after_half_a_minute_and_the_grace(attempt: type) -> None:
    """Up to the last millisecond of 30 s + 60 s it is not known; then it is suspected, since that moment."""
    assert unknown("AwaitingStart", 0) == said(89.999, attempt(0))
    assert true("PublishNotStarted", "suspected", "critical", 90) == said(90, attempt(0))


def test_it_rests_on_the_attempt_and_the_silence() -> None:
    """Evidence leads back to the report, and names what did not come, and by when."""
    found = condition(PUSH, 90, intent(0))
    assert found.evidence == (
        Evidence("observation.publish_intent", "publish_intent@0", at(0), "A publish was announced at 15:00:00Z."),
        Evidence("deadline", "stream.started", at(90), "Nothing of `stream.started` by 15:01:30Z."),
    )


def test_it_says_what_happened_and_what_to_do() -> None:
    """What a user reads after a rejected push of a stream that has been live before."""
    found = condition(PUSH, 90, started(-HOUR), idle(-1800), rejected(0, Report(message="Connection closed.")))
    assert found.message == (
        'The encoder was refused at 15:00:00Z. It said: "Connection closed". `stream.started` was due by 15:00:30Z and '
        "has not come, so viewers get nothing. Check that the encoder's URL is rtmp://rtmp.livepeer.com/live/ followed "
        "by the key of this very stream, then start the encoder again."
    )


def test_it_says_where_the_silence_may_be_the_webhooks() -> None:
    """Of a stream that nothing was ever delivered about, or never this event, silence says little."""
    assert "check that a webhook is registered" in condition(PUSH, 90, intent(0)).message
    unsubscribed = condition(PUSH, 90, idle(-HOUR), intent(0)).message
    assert "No webhook has ever delivered `stream.started` for this stream" in unsubscribed


def test_while_it_waits_it_says_until_when() -> None:
    """The start may come late, and so long there is nothing to do."""
    found = condition(PUSH, 20, intent(0))
    assert found.message == "A publish was announced at 15:00:00Z. `stream.started` may still come until 15:01:30Z."
    assert at(90) == found.next_check_ms


def test_a_run_of_attempts_is_judged_by_its_first() -> None:
    """An encoder that tries again and again is not given more time by it."""
    found = condition(PUSH, 90, rejected(0), rejected(40), rejected(80))
    assert true("PublishNotStarted", "suspected", "critical", 90) == gist(found)
    assert found.message.startswith("The encoder was refused at 15:01:20Z (3 reports since 15:00:00Z). ")


def test_a_new_attempt_begins_a_new_wait() -> None:
    """It refutes what was concluded from the attempt before (DESIGN 5, Ending)."""
    assert unknown("AwaitingStart", 300) == said(310, intent(0), intent(300))
    assert true("PublishNotStarted", "suspected", "critical", 390) == said(390, intent(0), intent(300))


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (-30, false("PushAccepted", -30)),
        (-30.001, true("PublishNotStarted", "suspected", "critical", 90)),
        (20, false("PushAccepted", 20)),
        (90, false("PushAccepted", 90)),
        (100, false("PushAccepted", 100)),
    ],
)
def test_a_start_from_half_a_minute_before_answers_the_attempt(start: float, expected: Gist) -> None:
    """`stream.started` in [at - 30 s, ...] answers, however late; an older push that has ended does not."""
    before = (started(start), idle(-10)) if start < 0 else (started(start),)
    assert expected == said(120, *before, intent(0))


def test_a_stream_that_is_live_already_answers_the_attempt() -> None:
    """A second encoder, or a repeated announcement, of a stream that is on air."""
    assert false("PushAccepted", -HOUR) == said(120, started(-HOUR), intent(0))


def test_it_fades_an_hour_after_the_last_attempt() -> None:
    """Then nothing is known of now, and a diagnosis expires."""
    assert ATTEMPT_FADES_MS == HOUR * 1000
    assert "PublishNotStarted" == said(HOUR - 0.001, intent(0))[1]
    assert unknown("AttemptExpired", HOUR) == said(HOUR, intent(0))
    assert unknown("AttemptExpired", HOUR + 60) == said(HOUR + 60, intent(0), rejected(60))


def test_it_is_looked_at_again_when_it_fades() -> None:
    """Time alone may change it then."""
    assert at(HOUR) == condition(PUSH, 90, intent(0)).next_check_ms
    assert condition(PUSH, HOUR, intent(0)).next_check_ms is None


def test_the_wait_is_a_setting() -> None:
    """`RECEIVER_PUBLISH_START_WITHIN_S` and `RECEIVER_DELIVERY_GRACE_S` make it longer or shorter."""
    around = surroundings(Limits(publish_start_within_ms=5_000, delivery_grace_ms=10_000))
    assert "unknown" == condition(PUSH, 14.999, intent(0), around=around).status
    assert at(15) == condition(PUSH, 15, intent(0), around=around).since_ms


def test_the_wait_counts_only_while_we_could_have_heard() -> None:
    """Ten seconds away in the middle: they are added, and the sender's retries get the grace (P6)."""
    around = surroundings(up=up_but((50, 60)))
    assert "unknown" == condition(PUSH, 119.999, intent(0), around=around).status
    assert at(120) == condition(PUSH, 120, intent(0), around=around).since_ms


def test_nothing_is_concluded_while_we_are_deaf() -> None:
    """The wait has no known end, and the stream is looked at again before long, and fades all the same."""
    around = surroundings(up=up_until(50))
    found = condition(PUSH, 200, intent(0), around=around)
    assert unknown("AwaitingStart", 0) == gist(found)
    assert found.message == "A publish was announced at 15:00:00Z. `stream.started` may still come."
    assert at(260) == judged(200, intent(0), around=around).deadline_ms
    assert unknown("AttemptExpired", HOUR) == gist(condition(PUSH, HOUR, intent(0), around=around))


# What explains a rejection by itself


def test_a_key_of_another_stream_is_a_mismatch_at_once() -> None:
    """Its first four characters are not the stream's (F2.3): confirmed, since the attempt, without waiting."""
    found = condition(PUSH, 1, rejected(0, WRONG_KEY))
    assert true("StreamKeyMismatch", "confirmed", "critical", 0) == gist(found)
    assert ["publish_rejected@0"] == rests_on(found)
    assert found.message == (
        "The encoder was refused at 15:00:00Z. The key that was used belongs to another stream: a stream's key begins "
        "with the same four characters as its id. Viewers of this stream get nothing. Copy the stream key of this "
        "stream from Livepeer Studio into the encoder."
    )


def test_a_playback_id_for_a_key_is_a_mismatch_at_once() -> None:
    """It begins as the stream's id does, but is no key (F2.3)."""
    found = condition(PUSH, 1, intent(0, PLAYBACK_ID_AS_KEY))
    assert true("StreamKeyMismatch", "confirmed", "critical", 0) == gist(found)
    assert "The key that was used is a playback id, not a stream key." in found.message


def test_a_key_that_may_be_right_proves_nothing() -> None:
    """Four characters that fit are no proof; the silence has to be waited for."""
    assert unknown("AwaitingStart", 0) == said(1, rejected(0, RIGHT_KEY))
    assert "PublishNotStarted" == said(90, rejected(0, RIGHT_KEY))[1]


def test_a_corrected_key_takes_the_mismatch_back() -> None:
    """The next attempt of the run used another key."""
    assert unknown("AwaitingStart", 0) == said(30, rejected(0, WRONG_KEY), rejected(20, RIGHT_KEY))


def test_a_start_refutes_a_mismatch() -> None:
    """The stream is live, so some key was right."""
    assert false("PushAccepted", 40) == said(60, rejected(0, WRONG_KEY), started(40))


def test_a_deleted_stream_explains_the_rejection() -> None:
    """Confirmed, since the attempt, or since the deletion where that came later; both are the evidence."""
    gone = idle(-60, deleted=True)
    found = condition(PUSH, 1, started(-HOUR), gone, rejected(0))
    assert true("StreamDeleted", "confirmed", "critical", 0) == gist(found)
    assert ["publish_rejected@0", gone.id] == rests_on(found)
    assert true("StreamDeleted", "confirmed", "critical", 50) == said(
        60, rejected(0), event("multistream.error", 50), idle(50, deleted=True)
    )


def test_a_suspended_stream_explains_the_silence() -> None:
    """The snapshot may be old, so the silence is waited for; then the suspension is the likely cause."""
    suspended = idle(-60, suspended=True)
    assert unknown("AwaitingStart", 0) == said(89.999, suspended, intent(0))
    found = condition(PUSH, 90, suspended, intent(0))
    assert true("StreamSuspended", "suspected", "critical", 90) == gist(found)
    assert found.message.endswith(
        "The stream was last seen suspended. Resume the stream in Livepeer Studio, then start the encoder again."
    )


# PushDropped


def test_a_push_that_drops_is_told_at_once() -> None:
    """No attempt need be reported: started, then idle within ten seconds, and no sign of media."""
    found = condition(PUSH, 5, started(0), idle(5))
    assert true("PushDropped", "suspected", "info", 5) == gist(found)
    assert ["stream.started@0", "stream.idle@5"] == rests_on(found)
    assert found.message == (
        "The push started at 15:00:00Z and was gone 5 s later, before any media was seen. Viewers see a stream that "
        "appears and vanishes. Look at the encoder's log and upload bandwidth, and check that it sends video with a "
        "keyframe every 1 to 2 seconds."
    )


def test_a_drop_within_a_second_is_told_so() -> None:
    """A duration of nothing is no duration."""
    assert "was gone less than a second later" in condition(PUSH, 1, started(0), idle(0.4)).message


@pytest.mark.parametrize(
    ("last", "severity", "often"),
    [
        (60, "info", "It is the second time since 15:00:00Z."),
        (300, "info", "It is the second time since 15:00:00Z."),
        (300.001, "info", ""),
    ],
)
def test_two_drops_are_noted(last: float, severity: str, often: str) -> None:
    """Drops count together over five minutes; since when is the first one's end."""
    found = condition(PUSH, last + 5, started(0), idle(5), started(last), idle(last + 5))
    assert true("PushDropped", "suspected", severity, 5) == gist(found)
    assert often in found.message
    assert (often != "") == ("It is the" in found.message)


def test_three_drops_in_five_minutes_are_a_warning() -> None:
    """Once may be an accident; three times is trouble (DESIGN 5)."""
    pairs = [s for n in (0, 100, 200) for s in (started(n), idle(n + 5))]
    found = condition(PUSH, 205, *pairs)
    assert true("PushDropped", "suspected", "warning", 5) == gist(found)
    assert "It is the third time since 15:00:00Z." in found.message
    spread = [s for n in (0, 200, 400) for s in (started(n), idle(n + 5))]
    assert true("PushDropped", "suspected", "info", 5) == said(405, *spread)


def test_since_when_pushes_drop_stays_known() -> None:
    """An encoder that fails every two minutes for an hour fails since its first drop."""
    pairs = [s for n in range(0, HOUR, 120) for s in (started(n), idle(n + 5))]
    assert true("PushDropped", "suspected", "warning", 5) == said(HOUR, *pairs)


def test_a_drop_fades_after_ten_minutes() -> None:
    """Then it says nothing of now."""
    assert DROPS_FADE_MS == 10 * MINUTE * 1000
    assert "PushDropped" == said(604.999, started(0), idle(5))[1]
    assert unknown("AttemptExpired", 605) == said(605, started(0), idle(5))


def test_a_start_that_lasts_refutes_the_drop() -> None:
    """Ten seconds live, and the push is accepted; until then the drop stands, and it is known when to look again."""
    story = (started(0), idle(5), started(60))
    waiting = condition(PUSH, 69.999, *story)
    assert ("PushDropped", at(70)) == (waiting.reason, waiting.next_check_ms)
    assert false("PushAccepted", 60) == said(70, *story)


@pytest.mark.parametrize("media", [recording_started(1), connected(4)])
def test_a_sign_of_media_refutes_the_drop(media: Signal) -> None:
    """Short, but it was a broadcast."""
    assert false("PushAccepted", 0) == said(5, started(0), media, idle(5))


def test_how_short_a_push_must_be_is_a_setting() -> None:
    """`RECEIVER_PUSH_DROPPED_WITHIN_S`."""
    around = surroundings(Limits(push_dropped_within_ms=30_000))
    assert "PushDropped" == condition(PUSH, 30, started(0), idle(25), around=around).reason


# Neither


def test_without_any_attempt_or_start_nothing_is_known() -> None:
    """A player's report tells of the stream, not of its encoder."""
    assert unknown("NoPublishAttempt") == said(10, player_error(0))


def test_a_start_means_that_the_push_was_accepted() -> None:
    """Since the stream became live; a takeover does not move it, the end neither."""
    assert false("PushAccepted", 0) == said(10, started(0))
    assert false("PushAccepted", 0) == said(HOUR, started(0), started(60), idle(120))


def test_a_session_proves_a_push_without_its_start() -> None:
    """`recording.started` is as good a sign."""
    found = condition(PUSH, 10, recording_started(1))
    assert (false("PushAccepted", 1), ["started:se-1"]) == (gist(found), rests_on(found))


def test_it_is_the_streams() -> None:
    """The diagnosis of a rejected push is the stream's."""
    subjects = [subject for subject, found in judged(90, intent(0)).diagnosable if found.type == PUSH]
    assert [("stream", STREAM)] == [(subject.kind, subject.id) for subject in subjects]
