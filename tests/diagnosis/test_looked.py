"""What is seen is not always so: the API's replicas lag, its counts come late, playback info is cached, and anybody can
call a gate. None of that is a failure."""

from typing import Any

import pytest

from receiver.diagnosis.inquiries import inquiries
from receiver.diagnosis.looks import PlaybackVerdict
from receiver.diagnosis.senders import judge_webhook
from receiver.diagnosis.values import Limits
from tests.diagnosis.seen import decided, finding, of_recording, refused, snapshot, webhook
from tests.diagnosis.story import (
    ALWAYS,
    DELIVERIES,
    FORBIDDEN,
    MANIFEST,
    PUSH,
    RECORDING,
    at,
    condition,
    connected,
    folded,
    gist,
    idle,
    intent,
    judged,
    of_session,
    player_error,
    plays,
    recording_started,
    recording_waiting,
    started,
    true,
    work,
)


def test_what_strangers_send_to_a_gate_makes_nobody_refused() -> None:
    """A call that is not genuine can be anybody's: it may explain why viewers are refused, not that they are."""
    junk = [decided(second, refused=1) for second in range(52, 1200, 60)]
    told = (started(0), player_error(50, "forbidden"), plays(55), *junk)
    assert ("false", "PlaybackAllowed") == gist(condition(FORBIDDEN, 60, *told))[:2]
    assert ("unknown", "ReportExpired") == gist(condition(FORBIDDEN, 1200, *told))[:2]


def test_what_strangers_send_to_a_gate_hides_no_fault_of_it() -> None:
    """However much of it there is."""
    told = (started(0), player_error(50, "forbidden"), decided(52, refused=100, slow=2))
    assert true("GateEndpointSlow", "confirmed", "critical", 50) == gist(condition(FORBIDDEN, 60, *told))


def test_a_replica_that_lags_is_no_missing_idle() -> None:
    """Looked at half a second after the start, and never live before: only a second look, a grace later, tells more."""
    lagging = (intent(0), started(1.5), snapshot(2, is_active=False))
    for now in (3, 62, 120):
        assert ("false", "DeliveriesArriving") == gist(condition(DELIVERIES, now, *lagging))[:2]
    caught_up = (*lagging, snapshot(62, is_active=True, last_seen=61))
    assert ("false", "DeliveriesArriving") == gist(condition(DELIVERIES, 63, *caught_up))[:2]
    still = (*lagging, snapshot(62, is_active=False))
    assert ("true", "EventsMissing") == gist(condition(DELIVERIES, 63, *still))[:2]


def test_a_replica_that_lags_is_no_end_of_the_stream() -> None:
    """A broadcast that does not come up is not well because it was not active yet when it began."""
    told = (intent(0), started(1.5), snapshot(2, is_active=False), finding(20, "offline", "StreamOffline"))
    assert ("true", "StreamOffline") == gist(condition(MANIFEST, 21, *told))[:2]


def test_recording_that_is_switched_on_later_was_not_missed() -> None:
    """An ended push that did not record has no recording, whatever the next one will do."""
    told = (started(0, record=False), idle(100, record=False), snapshot(1500, record=True, is_active=False))
    assert ("false", "RecordingDisabled") == gist(condition(RECORDING, 2000, *told))[:2]


def test_a_probe_of_the_beginning_tells_of_the_beginning() -> None:
    """The source's rendition comes before the others; and what comes up after twelve seconds is well."""
    met: dict[PlaybackVerdict, str] = {"degraded": "TranscodingStalled", "empty": "NoSegments"}
    for verdict, reason in met.items():
        early = (started(0), snapshot(3, is_active=True, transcoded_segments=0), finding(10, verdict, reason))
        for now in (10, 14, 16):
            assert ("unknown", "FirstSegmentPending") == gist(condition(MANIFEST, now, *early))[:2]
        assert ("false", "ManifestPlayable") == gist(condition(MANIFEST, 21, *early, finding(20, "plays")))[:2]
        assert (
            true(reason, "suspected" if verdict == "degraded" else "confirmed", "critical", 10)[:3]
            == gist(condition(MANIFEST, 21, *early, finding(20, verdict, reason)))[:3]
        )


def test_a_gate_that_says_no_does_not_fail() -> None:
    """Livepeer counts its 403 as a failure; our own gate, where the call went through it, saw what it was."""
    gated: dict[str, Any] = {
        "policy": "webhook",
        "gate_exists": True,
        "gate_triggered_ms": at(45),
        "gate_failed_ms": at(45),
    }
    told = (started(0), player_error(52, "forbidden"), snapshot(53, **gated, gate_failure="HTTP 403"))
    assert ("true", "GateDenied", "suspected") == gist(condition(FORBIDDEN, 61, *told))[:3]
    ours = decided(50, allowed=90, denied=1)
    assert ("true", "GateDenied", "confirmed") == gist(condition(FORBIDDEN, 61, *told, ours))[:3]


def test_a_webhook_that_has_called_since_its_failure_is_well() -> None:
    """Its status is written once a minute, and looked at less often."""
    failed: dict[str, Any] = {"failed_ms": at(40), "triggered_ms": at(40), "failed_status": 503}
    assert "EndpointFailing" == judge_webhook(webhook(100, called=30, **failed), at(140), ALWAYS).reason
    assert "false" == judge_webhook(webhook(100, called=45, **failed), at(140), ALWAYS).status


def test_a_deleted_webhook_may_still_call() -> None:
    """What it could not deliver is tried again for a day (FACTS 12): that alone does not make it another project's."""
    found = judge_webhook(webhook(100, called=130, standing="missing"), at(140), ALWAYS)
    assert ("WrongProject", "suspected") == (found.reason, found.certainty)


def test_what_a_look_before_a_push_counts_is_no_media_of_it() -> None:
    """Segments are counted late: those that an intent's snapshot shows are of the push before."""
    before = (started(0, source_segments=0), connected(5), idle(600, source_segments=100))
    looked = (intent(1000), snapshot(1002, source_segments=120, is_active=False, last_seen=600))
    dropped = (started(1010, source_segments=120), idle(1015, source_segments=120))
    assert ("true", "PushDropped") == gist(condition(PUSH, 1030, *before, *looked, *dropped))[:2]


def test_since_when_a_stream_is_gone_does_not_move() -> None:
    """It goes inactive after it was suspended, and its playback info is cached for two minutes (FACTS 8)."""
    told = (
        started(0),
        snapshot(90, suspended=True, is_active=True),
        snapshot(190, suspended=True, is_active=False, playback_status=200),
        snapshot(290, suspended=True, is_active=False, playback_status=404),
    )
    for now, *seen_so_far in ((100, *told[:2]), (200, *told[:3]), (300, *told)):
        assert at(90) == condition(MANIFEST, now, *seen_so_far).since_ms


def test_health_does_not_move_since_when_an_event_is_missing() -> None:
    """An encoder that is well by turns is active all the time."""
    looks = [snapshot(s, is_active=True, last_seen=s - 1, is_healthy=s % 20 == 0) for s in range(800, 960, 10)]
    found = condition(DELIVERIES, 955, started(0), idle(600), *looks)
    assert ("true", "EventsMissing", at(860)) == (found.status, found.reason, found.since_ms)


def test_no_session_is_said_of_none_and_stays() -> None:
    """Later looks that list no sessions take nothing back; a session that went on is one (FACTS 12)."""
    pushed, none = (started(0), idle(600)), snapshot(1100, is_active=False, sessions=0)
    found = condition(RECORDING, 1150, *pushed, none)
    assert ("true", "NoSession", "confirmed") == gist(found)[:3]
    assert gist(found) == gist(condition(RECORDING, 1250, *pushed, none, snapshot(1200, is_active=False, policy="jwt")))
    again = (*pushed, started(1000), idle(1600))
    went_on = snapshot(2200, is_active=False, sessions=1, newest_session=1, newest_session_seen_ms=at(1599))
    assert "NoSession" != condition(RECORDING, 2300, *again, went_on).reason


def test_what_is_left_of_the_push_before_accepts_no_push() -> None:
    """Active on a replica that lags, last seen when its segments were counted: that is the broadcast which is over."""
    tried = (started(-600), idle(-1), intent(0))
    for left in ({"is_active": True, "last_seen": -1}, {"is_active": False, "last_seen": 20}):
        assert ("unknown", "AwaitingStart") == gist(condition(PUSH, 30, *tried, snapshot(25, **left)))[:2]
    came = snapshot(92, is_active=True, last_seen=90)
    assert ("false", "PushAccepted") == gist(condition(PUSH, 95, *tried, came))[:2]


def test_a_policy_that_was_changed_refuses_nobody_wrongly() -> None:
    """A snapshot from before the refusal may be of the policy before: it is looked at again."""
    told = (started(0), snapshot(20, is_active=True, last_seen=20, source_segments=0), refused(120))
    assert ("unknown", "NotObserved") == gist(condition(FORBIDDEN, 121, *told))[:2]
    assert ("false", "PushAccepted") == gist(condition(PUSH, 121, *told))[:2]
    asks = Limits(asks_studio=True)
    wanted = inquiries(folded(*told), judged(121, *told), at(121), asks)
    assert ("stream", at(120)) in [(one.what, one.due_ms) for one in wanted]
    still = (*told, snapshot(121, is_active=True, last_seen=120, source_segments=0))
    assert ("true", "ContentSuspended") == gist(condition(FORBIDDEN, 122, *still))[:2]
    assert not [one for one in inquiries(folded(*still), judged(122, *still), at(122), asks) if one.due_ms < at(122)]


def test_a_stream_that_was_just_made_is_not_deleted() -> None:
    """A replica of the API may not know it yet, and says 404; it is looked at again soon."""
    told = (intent(0), snapshot(2, standing="missing", playback_status=404))
    assert ("unknown", "AwaitingStart") == gist(condition(PUSH, 3, *told))[:2]
    wanted = inquiries(folded(*told), judged(3, *told), at(3), Limits(asks_studio=True))
    assert at(7) == wanted[0].due_ms
    again = (*told, snapshot(7, standing="missing", playback_status=404), snapshot(14, is_active=False))
    assert ("unknown", "AwaitingStart") == gist(condition(PUSH, 15, *again))[:2]


def test_playback_info_that_is_cached_names_no_wrong_id() -> None:
    """It may have been asked before the stream was made, or while it was suspended (FACTS 8)."""
    told = (started(0), finding(5, "missing", "WrongIdentifier", http_status=None, playback_status=404))
    assert ("unknown", "FirstSegmentPending") == gist(condition(MANIFEST, 30, *told))[:2]
    still = (*told, finding(119, "missing", "WrongIdentifier", http_status=None, playback_status=404))
    assert ("true", "WrongIdentifier", "suspected") == gist(condition(MANIFEST, 121, *still))[:3]


def test_a_look_from_before_a_refusal_does_not_say_that_the_gate_was_not_called() -> None:
    """Nor does one within the minute in which its status is written."""
    gated: dict[str, Any] = {"policy": "webhook", "gate_exists": True, "gate_triggered_ms": at(290)}
    told = (started(0), snapshot(300, **gated), player_error(600, "forbidden"))
    assert ("true", "Forbidden") == gist(condition(FORBIDDEN, 605, *told))[:2]
    assert ("true", "Forbidden") == gist(condition(FORBIDDEN, 611, *told, snapshot(610, **gated)))[:2]
    assert ("true", "GateNotCalled") == gist(condition(FORBIDDEN, 661, *told, snapshot(660, **gated)))[:2]


def test_a_probe_without_an_origin_is_no_viewer() -> None:
    """Browsers send theirs, and it plays: the policy does what it is for (FACTS 7.5)."""
    listed = snapshot(20, is_active=True, origins=("https://a.example",))
    told = (started(0), listed, finding(60, "plays", origin=True), refused(70))
    assert "true" != condition(FORBIDDEN, 71, *told).status


def test_a_replica_that_lags_takes_no_failure_back() -> None:
    """The asset that has just failed is still shown at work; a retry is told of by its own events, or seen later."""
    ended = (started(0), recording_started(1), idle(100), recording_waiting(100, 171))
    failed = (*ended, work("asset.failed", 300, "failed"))
    lagging = of_recording(301, last_seen=100, recording_status="waiting", asset=True, asset_phase="processing")
    assert ("true", "ProcessingFailed") == gist(of_session(302, *failed, lagging))[:2]
    later = of_recording(400, last_seen=100, recording_status="waiting", asset=True, asset_phase="processing")
    assert ("unknown", "AwaitingRecording") == gist(of_session(401, *failed, later))[:2]


@pytest.mark.parametrize(("slow", "fails"), [(1, False), (3, True), (120, True)])
def test_one_fault_in_a_great_many_calls_is_no_alarm(slow: int, fails: bool) -> None:  # noqa: FBT001 -- a case
    """Three are, or one in ten; and who is refused meanwhile is told of it all the same."""
    found = condition(FORBIDDEN, 60, started(0), decided(50, allowed=1000, slow=slow))
    assert fails == (found.status == "true")
    told = condition(FORBIDDEN, 60, started(0), decided(50, allowed=1000, slow=slow), player_error(55, "forbidden"))
    assert ("true", "GateEndpointSlow") == (told.status, told.reason)


def test_a_gate_that_fails_now_and_then_fails_all_the_time() -> None:
    """A fault every six minutes: since the first of them, without a pause."""
    tallies = [decided(seconds, failed=int(seconds % 360 == 0)) for seconds in range(360, 3601, 10)]
    for now in range(400, 3601, 50):
        found = condition(FORBIDDEN, now, started(0), *[one for one in tallies if one.at_ms <= at(now)])
        assert ("true", "GateEndpointFailed", at(360)) == (found.status, found.reason, found.since_ms), now


def test_who_was_called_is_public_enough() -> None:
    """A name may lead elsewhere from here than for Livepeer: what has called us hides no other cause."""
    for called, triggered in ((80.0, at(80)), (None, at(80)), (80.0, None)):
        state = webhook(90, called=called, triggered_ms=triggered, url_public=False, secret="other")
        assert "SignatureMismatch" == judge_webhook(state, at(100), ALWAYS).reason
    assert "UrlNotPublic" == judge_webhook(webhook(90, triggered_ms=None, url_public=False), at(100), ALWAYS).reason
