import pytest

from receiver.diagnosis.rules.deliveries import GAP_FADES_MS, Missing
from receiver.diagnosis.state import Mark
from receiver.diagnosis.values import Condition, Evidence, Signal
from tests.diagnosis.story import (
    DAY,
    DELIVERIES,
    HOUR,
    SESSION,
    STREAM,
    WEBHOOK,
    Gist,
    at,
    condition,
    event,
    false,
    gist,
    idle,
    intent,
    judged,
    plays,
    recording_ready,
    recording_started,
    recording_waiting,
    started,
    surroundings,
    true,
    unknown,
    up_but,
    up_until,
)

LIVE = (started(0), recording_started(1))
ENDED = (*LIVE, idle(600))
WAITED_BEFORE = event("recording.waiting", -DAY, session_id="older")
UNQUEUED = (*ENDED, recording_ready(900))
"""`recording.ready` came without `recording.waiting`: missing from 960 on."""


def shown(now: float, *signals: Signal) -> Condition:
    """What the stream shows of its webhooks."""
    return condition(DELIVERIES, now, *signals)


def said(now: float, *signals: Signal) -> Gist:
    """The gist of it."""
    return gist(shown(now, *signals))


def test_before_any_delivery_nothing_is_known() -> None:
    """An observation is no delivery."""
    assert unknown("NothingReceived") == said(10, plays(0))


def test_as_long_as_nothing_is_missing_deliveries_arrive() -> None:
    """Since the first event of the stream, at its source; the last one is the evidence."""
    found = shown(700, *ENDED)
    assert false("DeliveriesArriving", 0) == gist(found)
    assert found.message == "Deliveries about this stream are accepted, the last of an event of 15:10:00Z."
    assert ("stream.idle@600",) == tuple(item.id for item in found.evidence)


# EventsMissing


def test_ready_without_waiting_cannot_be_complete() -> None:
    """The webhook told of the stream before, so it should have told of this: suspected, after the grace."""
    assert false("DeliveriesArriving", 0) == said(959.999, *UNQUEUED)
    assert at(960) == shown(959.999, *UNQUEUED).next_check_ms
    found = shown(960, WAITED_BEFORE, *UNQUEUED)
    assert true("EventsMissing", "suspected", "warning", 960) == gist(found)
    assert found.evidence == (
        Evidence("recording.ready", "ready:se-1", at(900), "`recording.ready` at 15:15:00Z."),
        Evidence("deadline", "recording.waiting", at(960), "Nothing of `recording.waiting` by 15:16:00Z."),
    )
    assert found.message == (
        "Webhook wh-1 delivered `recording.ready` of session se-1 at 15:15:00Z, but never the `recording.waiting` "
        "that comes before it. What is concluded from silence is not reliable until this is mended. Check in "
        "Livepeer Studio that the webhook is subscribed to the missing event, and look for failed calls in its log."
    )


def test_an_event_that_a_webhook_never_delivered_may_not_be_subscribed_to() -> None:
    """Then it is a note, not a warning, and says so."""
    found = shown(960, *UNQUEUED)
    assert true("EventsMissing", "suspected", "info", 960) == gist(found)
    assert (
        "That webhook has never delivered `recording.waiting` for this stream; it may not be subscribed to it."
        in found.message
    )


def test_a_webhook_that_told_nothing_earlier_of_the_stream_misses_nothing() -> None:
    """It may be new; what came before it cannot be its."""
    assert "EventsMissing" != said(960, recording_ready(900))[1]


def test_each_webhook_misses_its_own() -> None:
    """The second webhook delivered `recording.waiting`, but that is an event and not a delivery: nothing is missing."""
    told = recording_waiting(600, 670, webhook="wh-2")
    assert "EventsMissing" != said(960, *UNQUEUED, told)[1]


def test_a_session_that_began_without_a_start_cannot_be_complete() -> None:
    """`recording.started` while idle, and no `stream.started` within a minute."""
    story = (started(-DAY), idle(-HOUR), recording_started(1))
    assert false("DeliveriesArriving", -DAY) == said(60.999, *story)
    found = shown(61, *story)
    assert true("EventsMissing", "suspected", "warning", 61) == gist(found)
    assert "delivered `recording.started` of session se-1 at 15:00:01Z, but never the `stream.started`" in found.message


@pytest.mark.parametrize(
    ("story", "late"),
    [
        ((WAITED_BEFORE, *UNQUEUED), recording_waiting(600, 5000)),
        ((started(-DAY), idle(-HOUR), recording_started(1)), started(0.5)),
    ],
)
def test_the_missing_event_takes_it_back_however_late(story: tuple[Signal, ...], late: Signal) -> None:
    """The sequence is whole now."""
    assert "EventsMissing" == said(2 * HOUR, *story)[1]
    assert "DeliveriesArriving" == said(2 * HOUR, *story, late)[1]


def test_several_missing_events_are_counted() -> None:
    """The latest is told, since when is the first."""
    older = (
        started(-5000),
        recording_started(-4999, "older"),
        idle(-4000),
        recording_ready(-3000, "older", began=-4999),
    )
    found = shown(1000, *older, *UNQUEUED)
    assert true("EventsMissing", "suspected", "info", -2940) == gist(found)
    assert "of session se-1" in found.message
    assert "One more event is missing." in found.message


def test_a_gap_fades_after_a_day() -> None:
    """Without a delivery since, nothing is known of now; with one, deliveries arrive, since then."""
    assert GAP_FADES_MS == DAY * 1000
    story = (WAITED_BEFORE, *UNQUEUED)
    assert "EventsMissing" == said(960 + DAY - 0.001, *story)[1]
    assert unknown("GapExpired", 960 + DAY) == said(960 + DAY, *story)
    assert false("DeliveriesArriving", 960 + DAY) == said(3 * DAY, *story, event("multistream.error", 2 * DAY))


def test_what_is_missing_is_told_to_the_webhook() -> None:
    """Each gap with all that the webhook's own judgement needs."""
    expected = Missing(
        WEBHOOK, STREAM, SESSION, "recording.waiting", Mark("ready:se-1", "recording.ready", at(900)), at(960),
        subscribed=False,
    )  # fmt: skip
    assert (expected,) == judged(910, *UNQUEUED).missing


def test_a_gap_is_no_diagnosis_of_the_stream() -> None:
    """It is the webhook's (DESIGN 5): the stream only shows it."""
    assert DELIVERIES not in {found.type for _, found in judged(960, *UNQUEUED).diagnosable}


# RetriesPending


def test_after_a_gap_it_says_why_the_wait_is_longer() -> None:
    """What waits for a delivery waits for the sender's retries first (DESIGN 5, Absence)."""
    around = surroundings(up=up_but((700, 1300)))
    found = condition(DELIVERIES, 1400, *ENDED, around=around)
    assert unknown("RetriesPending", 1300) == gist(found)
    assert at(1900) == found.next_check_ms
    assert found.message == (
        "Nothing could be taken in from 15:11:40Z to 15:21:40Z. Livepeer tries again what it could not deliver; until "
        "15:31:40Z silence means nothing."
    )
    assert at(1900) == judged(1400, *ENDED, around=around).deadline_ms
    assert "DeliveriesArriving" == condition(DELIVERIES, 1900, *ENDED, around=around).reason


def test_of_several_gaps_the_one_with_the_longest_patience_counts() -> None:
    """A short gap after a long one does not end the wait for the long one's retries."""
    around = surroundings(up=up_but((700, 1300), (1350, 1360)))
    assert at(1900) == condition(DELIVERIES, 1400, *ENDED, around=around).next_check_ms


@pytest.mark.parametrize("story", [(*LIVE, idle(1200)), (intent(1250),), (*ENDED, recording_ready(1350))])
def test_it_says_so_wherever_something_is_awaited(story: tuple[Signal, ...]) -> None:
    """A recording, a start, or an event that should have come."""
    around = surroundings(up=up_but((1270, 1330)))
    assert "RetriesPending" == condition(DELIVERIES, 1360, *story, around=around).reason


def test_where_nothing_is_awaited_a_gap_is_nobodys_business() -> None:
    """A live stream without a deadline shows that deliveries arrive."""
    around = surroundings(up=up_but((700, 1300)))
    assert "DeliveriesArriving" == condition(DELIVERIES, 1400, *LIVE, around=around).reason


def test_a_missing_event_shows_before_the_retries() -> None:
    """What fails is told first."""
    around = surroundings(up=up_but((5000, 5100)))
    assert "EventsMissing" == condition(DELIVERIES, 5110, *UNQUEUED, idle(5105), around=around).reason


def test_while_a_gap_lasts_the_endpoint_says_why() -> None:
    """Its own condition is shown on the stream; here nothing more is known."""
    around = surroundings(up=up_until(700))
    assert "DeliveriesArriving" == condition(DELIVERIES, 800, *ENDED, around=around).reason
