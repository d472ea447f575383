import pytest

from receiver.diagnosis.values import Condition, Limits, PlaybackError, Signal
from tests.diagnosis.story import (
    FORBIDDEN,
    MANIFEST,
    PLAYBACK,
    Gist,
    at,
    condition,
    connected,
    event,
    false,
    gist,
    idle,
    intent,
    player_error,
    plays,
    recording_started,
    recording_waiting,
    rejected,
    rests_on,
    started,
    surroundings,
    true,
    unknown,
)

NOT_ALLOWED = "Shutting down since this session is not allowed to view this stream"


def manifest(now: float, *signals: Signal) -> Condition:
    """Whether players get segments."""
    return condition(MANIFEST, now, *signals)


def forbidden(now: float, *signals: Signal) -> Condition:
    """Whether players are refused."""
    return condition(FORBIDDEN, now, *signals)


def said(now: float, *signals: Signal) -> Gist:
    """The gist of whether players get segments."""
    return gist(manifest(now, *signals))


# FirstSegmentPending


def test_for_ten_seconds_after_the_start_the_first_segment_is_awaited() -> None:
    """It says how long to wait; then nothing is known, for nobody has reported."""
    found = manifest(3, started(0))
    assert unknown("FirstSegmentPending", 0) == gist(found)
    assert at(10) == found.next_check_ms
    assert (
        found.message
        == "The stream started at 15:00:00Z; its first segment needs 5 to 10 seconds. Wait until 15:00:10Z."
    )
    assert unknown("FirstSegmentPending", 0) == said(9.999, started(0))
    assert unknown("NotObserved", 0) == said(10, started(0))


def test_a_report_made_in_the_wait_counts_when_it_is_over() -> None:
    """A player that came too early is no failure, unless the wait changes nothing."""
    assert unknown("FirstSegmentPending", 0) == said(9.999, started(0), player_error(4))
    assert true("NoSegments", "suspected", "warning", 10) == said(10, started(0), player_error(4))


def test_a_takeover_begins_the_wait_anew() -> None:
    """The new node has no segment yet; since when nothing is known does not move."""
    found = manifest(63, started(0), started(60))
    assert (unknown("FirstSegmentPending", 0), at(70)) == (gist(found), found.next_check_ms)


def test_a_takeover_takes_no_failure_back() -> None:
    """What players met before it stands."""
    assert true("NoSegments", "suspected", "warning", 40) == said(63, started(0), player_error(40), started(60))


def test_how_long_the_first_segment_may_take_is_a_setting() -> None:
    """`RECEIVER_FIRST_SEGMENT_WITHIN_S`."""
    around = surroundings(Limits(first_segment_within_ms=20_000))
    assert "FirstSegmentPending" == condition(MANIFEST, 19.999, started(0), around=around).reason
    assert at(20) == condition(MANIFEST, 20, started(0), player_error(15), around=around).since_ms


# What players report of a live stream


@pytest.mark.parametrize(
    ("report", "reason", "severity"),
    [
        (player_error(30), "NoSegments", "warning"),
        (player_error(30, "empty_manifest", 404, "Not online or found"), "NoSegments", "warning"),
        (player_error(30, "empty_manifest", None, "Stream is waiting for data"), "NoSegments", "warning"),
        (player_error(30, "offline", 200, "Stream open failed"), "StreamOffline", "warning"),
        (player_error(30, "offline", 404), "StreamOffline", "warning"),
        (player_error(30, "empty_manifest", 502), "NoPlaybackNode", "warning"),
        (player_error(30, "empty_manifest", 500), "ManifestUnreachable", "warning"),
        (player_error(30, "empty_manifest", 422), "AssetNotReady", "info"),
        (player_error(30, "offline", 404, identifier="another"), "WrongIdentifier", "warning"),
        (player_error(30, "offline", 404, identifier=PLAYBACK), "StreamOffline", "warning"),
    ],
)
def test_a_report_makes_it_true_and_names_why_where_it_can(report: Signal, reason: str, severity: str) -> None:
    """A single report is suspected, since it was made (DESIGN 5, F8)."""
    found = manifest(30, started(0), report)
    assert true(reason, "suspected", severity, 30) == gist(found)
    assert [report.id, "stream.started@0"] == rests_on(found)


def test_it_says_what_players_see() -> None:
    """And what to look at."""
    found = manifest(30, started(0), player_error(30, "empty_manifest", 404, "Not online or found."))
    assert found.message == (
        "The stream is live since 15:00:00Z, but a player got no segments at 15:00:30Z (HTTP 404), and said "
        '"Not online or found". Viewers see nothing or an error. Check that the encoder sends video with a keyframe '
        "every 1 to 2 seconds and no B-frames, then look at the stream's health in Livepeer Studio."
    )


def test_three_reports_confirm_it() -> None:
    """They are no accident of one player; the last one's words are told."""
    reports = [player_error(30), player_error(35), player_error(50, "empty_manifest", 502)]
    assert true("NoSegments", "suspected", "warning", 30) == said(35, started(0), *reports[:2])
    found = manifest(50, started(0), *reports)
    assert true("NoPlaybackNode", "confirmed", "warning", 30) == gist(found)
    assert "a player got no segments 3 times since 15:00:30Z, last at 15:00:50Z (HTTP 502)." in found.message


def test_a_report_fades_after_ten_minutes() -> None:
    """Nothing has been heard since, and a diagnosis expires."""
    last = manifest(629.999, started(0), player_error(30))
    assert ("NoSegments", at(630)) == (last.reason, last.next_check_ms)
    assert unknown("ReportExpired", 630) == said(630, started(0), player_error(30))


def test_how_long_a_report_counts_is_a_setting() -> None:
    """`RECEIVER_REPORT_TTL_S`."""
    around = surroundings(Limits(report_ttl_ms=60_000))
    assert "ReportExpired" == condition(MANIFEST, 90, started(0), player_error(30), around=around).reason


def test_a_player_that_plays_refutes_it() -> None:
    """Since it plays; ten minutes later that is as old as any report."""
    story = (started(0), player_error(30), plays(60))
    assert false("ManifestPlayable", 60) == said(659.999, *story)
    assert unknown("ReportExpired", 660) == said(660, *story)


def test_a_player_that_played_an_earlier_broadcast_says_nothing() -> None:
    """This one has not been seen."""
    assert unknown("NotObserved", 120) == said(140, started(0), plays(30), idle(60), started(120))


def test_a_stream_whose_media_is_gone_is_looked_at_as_if_live() -> None:
    """`lost`: `recording.waiting` came and no idle. Players that find nothing are right, and told why."""
    lost = (started(0), recording_started(1), recording_waiting(60, 130))
    assert true("StreamOffline", "suspected", "warning", 70) == said(80, *lost, player_error(70, "offline"))


# An idle stream has no manifest


def test_an_idle_stream_has_no_manifest_and_that_is_no_failure() -> None:
    """It says so; what players reported of it, before or after, is explained."""
    found = manifest(90, started(0), player_error(30), idle(60), player_error(70, "offline"))
    assert (false("StreamOffline", 60), ["stream.idle@60"]) == (gist(found), rests_on(found))
    assert found.message == "The stream is idle since 15:01:00Z; there is no manifest until it is live."


def test_an_announced_stream_has_no_manifest_yet() -> None:
    """While its start is awaited, players have come too early."""
    assert false("StreamOffline", 0) == said(60, intent(0), player_error(30, "offline"))


def test_a_deleted_stream_has_none_any_more() -> None:
    """And the event that showed the deletion says so."""
    found = manifest(90, started(0), idle(60, deleted=True))
    assert (false("StreamOffline", 60), ["stream.idle@60"]) == (gist(found), rests_on(found))


def test_of_a_stream_that_was_never_seen_to_start_or_end_nothing_is_known() -> None:
    """Not even whether it should be live; the report is kept."""
    found = manifest(30, connected(0), player_error(20))
    assert (unknown("NotObserved"), ["playback_error@20"]) == (gist(found), rests_on(found))


def test_a_childs_idle_does_not_make_it_offline() -> None:
    """A transcoding run that was deactivated is not the stream."""
    child = event("stream.idle", 60, stream=None, of_child=True)
    assert "NoSegments" == said(90, started(0), player_error(30), child)[1]


# A stream that should be live


@pytest.mark.parametrize("attempt", [intent, rejected])
def test_a_stream_whose_push_was_rejected_should_be_live(attempt: type) -> None:
    """Players wait for it in vain: true since the rejection is, and muted by it, for that is the cause."""
    story = (attempt(0), player_error(30, "offline"))
    assert false("StreamOffline", 0) == said(89.999, *story)
    found = manifest(90, *story)
    assert true("StreamOffline", "suspected", "warning", 90) == gist(found)
    assert "rtmp_push_rejected" == found.muted_by
    assert found.message.startswith(
        "The stream should be live, but a player found the stream offline at 15:00:30Z. Viewers see nothing or an "
        "error. "
    )


def test_without_a_report_a_rejected_push_says_enough() -> None:
    """Nobody has missed the manifest yet."""
    assert false("StreamOffline", 0) == said(90, intent(0))


def test_a_report_from_before_the_attempt_is_not_about_it() -> None:
    """The stream was not meant to be live then."""
    assert false("StreamOffline", 0) == said(90, started(-300), idle(-200), player_error(-60, "offline"), intent(0))


def test_such_a_report_fades_as_any() -> None:
    """Ten minutes after the last."""
    assert unknown("ReportExpired", 630) == said(630, intent(0), player_error(30, "offline"))


def test_a_start_explains_it() -> None:
    """The stream is live at last; now its first segment is awaited."""
    assert unknown("FirstSegmentPending", 120) == said(125, intent(0), player_error(30, "offline"), started(120))


# playback_forbidden


@pytest.mark.parametrize(
    ("message", "reason", "severity"),
    [
        (None, "Forbidden", "warning"),
        (NOT_ALLOWED, "Forbidden", "warning"),
        ("Content is gated and requires an access key", "AccessKeyMissing", "info"),
        ("Content is gated and requires a public key", "AccessKeyMissing", "info"),
        ("Content is gated and origin not in allowed origins", "OriginNotAllowed", "warning"),
        ("Content is gated and corresponding public key not found", "JwtKeyUnknown", "warning"),
        ("The public key is disabled or deleted", "JwtKeyUnknown", "warning"),
        ("Content is gated and corresponding webhook failed", "GateEndpointFailed", "critical"),
        ("Content is gated and corresponding webhook not found", "GateWebhookMissing", "critical"),
        ("Content not found", "ContentSuspended", "critical"),
    ],
)
def test_a_refusal_is_told_with_the_rule_where_the_text_names_it(
    message: str | None, reason: str, severity: str
) -> None:
    """What the gate says (F7.2) names the rule; what most players see (F7.5) does not."""
    found = forbidden(60, started(0), player_error(60, "forbidden", 403, message))
    assert true(reason, "suspected", severity, 60) == gist(found)
    assert ["playback_error@60"] == rests_on(found)


def test_a_refusal_says_what_was_seen_and_what_to_check() -> None:
    """Denied HLS is HTTP 200 with a line of text."""
    found = forbidden(60, started(0), player_error(60, "forbidden", 200, NOT_ALLOWED))
    assert found.message == (
        'A player was refused at 15:01:00Z (HTTP 200), and said "Shutting down since this session is not allowed to '
        "view this stream\". Such viewers cannot watch. Check the stream's playback policy: its kind (JWT or webhook), "
        "the allowed origins, and that the player sends its credential. A change takes up to 10 minutes to show. "
        "Report the player's exact message with the next failure."
    )


def test_a_refusal_counts_whether_the_stream_is_live_or_not() -> None:
    """Recordings and idle streams are gated alike."""
    assert "true" == forbidden(90, started(0), idle(60), player_error(80, "forbidden")).status
    assert "true" == forbidden(90, player_error(80, "forbidden")).status


@pytest.mark.parametrize("facts", [{"suspended": True}, {"deleted": True}])
def test_a_suspended_or_deleted_stream_explains_a_refusal(facts: dict[str, bool]) -> None:
    """The gate says no for it, without a word on why."""
    signals = (started(0), idle(30, **facts), player_error(60, "forbidden"))
    assert true("ContentSuspended", "suspected", "critical", 60) == gist(forbidden(60, *signals))


def test_three_refusals_confirm_it() -> None:
    """Since the first."""
    reports = [player_error(n, "forbidden", 403) for n in (60, 70, 80)]
    found = forbidden(80, *reports)
    assert true("Forbidden", "confirmed", "warning", 60) == gist(found)
    assert found.message.startswith(
        "A player was refused 3 times since 15:01:00Z, last at 15:01:20Z (HTTP 403). Such viewers cannot watch. "
    )


def test_refusals_fade_after_ten_minutes_and_end_when_it_plays() -> None:
    """By silence to unknown, by a player that plays to false."""
    refused = (started(0), player_error(60, "forbidden"))
    assert unknown("ReportExpired", 660) == gist(forbidden(660, *refused))
    assert false("PlaybackAllowed", 90) == gist(forbidden(100, *refused, plays(90)))
    assert unknown("ReportExpired", 690) == gist(forbidden(690, *refused, plays(90)))


@pytest.mark.parametrize("error", ["empty_manifest", "offline", "other"])
def test_other_failures_are_no_refusals(error: PlaybackError) -> None:
    """They say nothing of access."""
    assert unknown("NotObserved") == gist(forbidden(60, started(0), player_error(60, error)))
