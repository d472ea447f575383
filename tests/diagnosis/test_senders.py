from operator import itemgetter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.diagnosis.coverage import OPEN_END_MS
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.rules.deliveries import Missing
from receiver.diagnosis.senders import (
    EndpointState,
    Receipt,
    WebhookState,
    fold_endpoint,
    fold_webhook,
    judge_endpoint,
    judge_webhook,
    refusing_intervals,
    with_missing,
)
from receiver.diagnosis.senders.endpoint import REFUSALS_FADE_MS, SEVERAL
from receiver.diagnosis.senders.webhook import DELAY_FADES_MS, LATE_MS, Late
from receiver.diagnosis.state import Mark
from receiver.diagnosis.values import Evidence
from tests.diagnosis.story import ALWAYS, DAY, HOUR, Gist, at, false, gist, true, unknown, up_but


def refused(
    seconds: float, code: str = "signature_mismatch", *, shaped: bool = True, ahead: float | None = None
) -> Receipt:
    """A delivery that was refused; its time was `ahead` seconds of ours."""
    timestamp_ms = None if ahead is None else at(seconds + ahead)
    verdict = "refused" if code.startswith("timestamp_") else "quarantined"
    return Receipt(f"dl@{seconds:g}", at(seconds), verdict, code, shaped, timestamp_ms=timestamp_ms)


def accepted(
    seconds: float,
    event: str = "stream.started",
    *,
    created: float | None = None,
    verdict: str = "accepted",
    code: str = "verified",
) -> Receipt:
    """A delivery that was accepted; its event was made when it came, or at `created`."""
    return Receipt(
        id=f"dl@{seconds:g}",
        received_ms=at(seconds),
        verdict=verdict,
        code=code,
        shaped=True,
        webhook_id="wh-1",
        event_id=f"{event}@{seconds:g}",
        event=event,
        created_ms=at(seconds if created is None else created),
        timestamp_ms=at(seconds),
    )


def endpoint(*receipts: Receipt) -> EndpointState:
    """The endpoint after these deliveries."""
    return fold_endpoint(EndpointState(), receipts)


def webhook(*receipts: Receipt) -> WebhookState:
    """The webhook after these deliveries."""
    return fold_webhook(WebhookState("wh-1"), receipts)


def of_endpoint(now: float, *receipts: Receipt) -> Gist:
    """The gist of what is said of the endpoint."""
    return gist(judge_endpoint(endpoint(*receipts), at(now)))


def of_webhook(now: float, *receipts: Receipt) -> Gist:
    """The gist of what is said of the webhook."""
    return gist(judge_webhook(webhook(*receipts), at(now), ALWAYS))


FITS_NONE = "their signature fits none of the configured secrets."
THREE = (refused(0), refused(60), refused(120))


SOME = st.lists(
    st.builds(
        Receipt,
        id=st.sampled_from(["dl@1", "dl@2"]),
        received_ms=st.sampled_from([at(n * HOUR) for n in (0, 1, 2, 25, 26, 60)]),
        verdict=st.sampled_from(["accepted", "accepted", "duplicate", "quarantined", "refused"]),
        code=st.sampled_from(
            ["verified", "released", "reconciled", "signature_mismatch", "timestamp_out_of_tolerance"]
        ),
        shaped=st.booleans(),
        webhook_id=st.just("wh-1"),
        event_id=st.sampled_from(["ev-1", "ev-2"]),
        event=st.sampled_from([None, "stream.started", "stream.idle", "recording.waiting"]),
        created_ms=st.sampled_from([None, at(0), at(60)]),
        timestamp_ms=st.sampled_from([None, at(0), at(61), at(LATE_MS / 1000), at(DAY)]),
    ),
    max_size=24,
)


@given(before=SOME, after=SOME)
def test_deliveries_may_be_folded_in_any_pieces(before: list[Receipt], after: list[Receipt]) -> None:
    """A pass folds many at once, a rebuild all that ever came: each is counted by itself."""
    one_by_one = EndpointState()
    for receipt in (*before, *after):
        one_by_one = fold_endpoint(one_by_one, [receipt])
    assert one_by_one == fold_endpoint(endpoint(*before), after) == endpoint(*before, *after)
    known = WebhookState("wh-1")
    for receipt in (*before, *after):
        known = fold_webhook(known, [receipt])
    assert known == fold_webhook(webhook(*before), after) == webhook(*before, *after)


# The endpoint


def test_before_any_delivery_nothing_is_known_of_the_endpoint() -> None:
    """One or two refusals may be anybody's."""
    assert SEVERAL == 3
    assert unknown("NothingReceived") == of_endpoint(0)
    assert unknown("NothingReceived") == of_endpoint(60, *THREE[:2])


def test_an_endpoint_that_accepts_does_not_fail() -> None:
    """Since the first delivery, with the last one told."""
    found = judge_endpoint(endpoint(accepted(0), accepted(90, verdict="duplicate")), at(100))
    assert false("DeliveriesArriving", 0) == gist(found)
    assert found.message == "Deliveries are accepted, the last at 15:01:30Z."


def test_three_refusals_in_livepeers_shape_are_a_diagnosis() -> None:
    """Suspected, since the first of them; anybody could make such bodies."""
    found = judge_endpoint(endpoint(accepted(-60), *THREE), at(120))
    assert true("SignatureMismatch", "suspected", "critical", 0) == gist(found)
    assert found.evidence == (
        Evidence("delivery", "dl@0", at(0), "Refused at 15:00:00Z: SignatureMismatch."),
        Evidence("delivery", "dl@60", at(60), "Refused at 15:01:00Z: SignatureMismatch."),
        Evidence("delivery", "dl@120", at(120), "Refused at 15:02:00Z: SignatureMismatch."),
    )
    assert found.message == (
        "3 deliveries in Livepeer's shape were refused since 15:00:00Z, the last at 15:02:00Z, and none has been "
        "accepted since: their signature fits none of the configured secrets. What happens to the streams meanwhile "
        "goes unseen. Copy the webhook's secret from Livepeer Studio into RECEIVER_WEBHOOK_SECRETS and restart; then "
        "run `receiver quarantine release` to take in what was refused. Livepeer does not retry after a 401."
    )


@pytest.mark.parametrize(
    ("code", "reason", "certainty", "why"),
    [
        ("signature_missing", "SignatureMissing", "suspected", "they carry no signature."),
        ("signature_mismatch", "SignatureMismatch", "suspected", FITS_NONE),
        (
            "signature_malformed", "SignatureMalformed", "suspected",
            "their Livepeer-Signature header cannot be read.",
        ),
        (
            "timestamp_mismatch", "TimestampMismatch", "suspected",
            "their signature fits, but `t` in its header is not the `timestamp` of the body.",
        ),
        ("body_altered", "BodyAltered", "suspected", "their body was rewritten on its way here."),
        (
            "timestamp_out_of_tolerance", "TimestampOutOfTolerance", "confirmed",
            "their time is 10 min ahead of the clock here.",
        ),
        (
            "timestamp_in_seconds", "TimestampInSeconds", "confirmed",
            "their time is given in seconds, where Livepeer gives milliseconds.",
        ),
    ],
)  # fmt: skip
def test_each_refusal_has_its_reason(code: str, reason: str, certainty: str, why: str) -> None:
    """A signature that fits is direct evidence of a wrong clock; all else may be anybody's doing."""
    found = judge_endpoint(endpoint(*(refused(n, code, ahead=600) for n in range(3))), at(3))
    assert true(reason, certainty, "critical", 0) == gist(found)
    assert why in found.message


def test_a_clock_that_is_behind_is_told_so() -> None:
    """The offset says what to set right."""
    state = endpoint(*(refused(n, "timestamp_out_of_tolerance", ahead=-7300) for n in range(3)))
    assert "their time is 2 h behind the clock here." in judge_endpoint(state, at(3)).message


def test_of_several_kinds_of_refusals_the_commonest_is_the_reason() -> None:
    """One without a signature among many with a wrong one is noise; the text claims no more than is so."""
    found = judge_endpoint(endpoint(refused(0, "signature_missing"), *(refused(n) for n in (1, 2))), at(9))
    assert "SignatureMismatch" == found.reason
    assert f"accepted since: of the last 3, 2 because {FITS_NONE}" in found.message


def test_what_was_accepted_before_the_refusals_does_not_end_them() -> None:
    """A delivery from before, told of only now (released from quarantine, say), is no answer to what came since."""
    state = endpoint(accepted(90), *THREE, accepted(30, verdict="duplicate"))
    assert true("SignatureMismatch", "suspected", "critical", 0) == gist(judge_endpoint(state, at(130)))
    assert (at(90), 1) == (state.last_accepted_ms, state.repeated)


@pytest.mark.parametrize(
    "other",
    [
        refused(60, shaped=False),
        refused(60, "gate_request"),
        refused(60, "body_too_large"),
        refused(60, "something_new"),
    ],
)
def test_what_is_not_livepeers_does_not_count(other: Receipt) -> None:
    """Strangers' bodies, gate calls and oversized bodies are counted, but say nothing of the signature."""
    state = endpoint(refused(0), other, refused(120))
    assert ("NothingReceived", 3, 2) == (judge_endpoint(state, at(120)).reason, state.refused, state.run_count)


@pytest.mark.parametrize("verdict", ["accepted", "duplicate"])
def test_the_next_accepted_delivery_refutes_it(verdict: str) -> None:
    """Since it came; refusals before and after it are not one run."""
    assert false("DeliveriesArriving", 150) == of_endpoint(160, accepted(-60), *THREE, accepted(150, verdict=verdict))
    assert false("DeliveriesArriving", -60) == of_endpoint(160, accepted(-60), *THREE[:2], accepted(100), *THREE[2:])


@pytest.mark.parametrize("code", ["released", "reconciled"])
@pytest.mark.parametrize("verdict", ["accepted", "duplicate"])
def test_what_is_taken_in_afterwards_was_not_accepted_when_it_came(code: str, verdict: str) -> None:
    """From quarantine, or out of the sender's own log: it proves nothing of how deliveries are received now."""
    state = endpoint(*THREE, accepted(150, code=code, verdict=verdict))
    assert ("SignatureMismatch", 0, None) == (
        judge_endpoint(state, at(160)).reason,
        state.accepted,
        state.last_accepted_ms,
    )


def test_refusals_fade_after_a_day_without_more() -> None:
    """Then nothing is known of now, until a delivery is accepted; one more refusal begins anew."""
    assert REFUSALS_FADE_MS == DAY * 1000
    last = judge_endpoint(endpoint(accepted(-60), *THREE), at(120 + DAY - 0.001))
    assert ("SignatureMismatch", at(120 + DAY)) == (last.reason, last.next_check_ms)
    assert unknown("RefusalsExpired", 120 + DAY) == of_endpoint(120 + DAY, accepted(-60), *THREE)
    one_more = (accepted(-60), *THREE, refused(3 * DAY))
    assert unknown("RefusalsExpired", 120 + DAY) == of_endpoint(3 * DAY, *one_more)
    again = (*one_more, refused(3 * DAY + 1), refused(3 * DAY + 2))
    assert true("SignatureMismatch", "suspected", "critical", 3 * DAY) == of_endpoint(3 * DAY + 2, *again)
    assert false("DeliveriesArriving", 4 * DAY) == of_endpoint(4 * DAY, *again, accepted(4 * DAY))


def test_two_refusals_a_day_apart_are_not_a_run() -> None:
    """And what was accepted before them stands."""
    assert false("DeliveriesArriving", -60) == of_endpoint(
        5 * DAY, accepted(-60), *(refused(n * DAY) for n in range(5))
    )


def test_deliveries_are_counted() -> None:
    """Accepted, repeated and refused ones, with their last times."""
    state = endpoint(accepted(0), accepted(1, verdict="duplicate"), refused(2), refused(3, shaped=False))
    assert (1, 1, 2, at(1), at(3)) == (
        state.accepted, state.repeated, state.refused, state.last_accepted_ms, state.last_refused_ms,
    )  # fmt: skip


# Times of refusing, which are not covered


def test_a_time_of_refusing_lasts_from_the_first_refusal_until_one_is_accepted() -> None:
    """While it lasts nobody knows its end."""
    assert () == refusing_intervals(endpoint(*THREE[:2]), at(200))
    assert ((at(0), OPEN_END_MS),) == refusing_intervals(endpoint(*THREE), at(200))
    closed = endpoint(*THREE, accepted(150))
    assert ((at(0), at(150)),) == refusing_intervals(closed, at(200))


def test_too_few_refusals_are_no_time_of_refusing() -> None:
    """What is accepted in between shows that the sender got through."""
    assert () == refusing_intervals(endpoint(*THREE[:2], accepted(100), *THREE[2:], accepted(150)), at(200))


def test_a_time_of_refusing_ends_a_day_after_its_last_refusal() -> None:
    """Nobody has knocked since."""
    assert ((at(0), at(120 + DAY)),) == refusing_intervals(endpoint(*THREE), at(120 + DAY))
    assert ((at(0), at(120 + DAY)),) == refusing_intervals(endpoint(*THREE, accepted(3 * DAY)), at(3 * DAY))
    assert ((at(0), at(120 + DAY)),) == refusing_intervals(endpoint(*THREE, refused(3 * DAY)), at(3 * DAY))


def test_what_the_endpoint_remembers_is_bounded() -> None:
    """However long it refuses, and however often."""
    flood = endpoint(*(refused(n) for n in range(500)))
    assert (64, 500, at(0)) == (len(flood.run), flood.run_count, flood.run_first_ms)
    often = [
        r for n in range(100) for r in (refused(n * 10), refused(n * 10 + 1), refused(n * 10 + 2), accepted(n * 10 + 3))
    ]
    assert 64 == len(endpoint(*often).refusing)


# A webhook


def test_an_event_without_its_name_is_only_counted() -> None:
    """A signed body that could not be understood was delivered all the same."""
    state = webhook(replace(accepted(0), event=None, event_id="raw_1"))
    assert (1, (), ()) == (state.accepted, state.events, state.late)


def test_a_webhook_is_known_by_what_it_delivers() -> None:
    """Counts, times, and the kinds of events."""
    found = webhook(accepted(0), accepted(5, verdict="duplicate"), accepted(60, "stream.idle"))
    expected = WebhookState(
        webhook_id="wh-1", accepted=2, repeated=1, first_ms=at(0), last_ms=at(60),
        events=("stream.idle", "stream.started"), prompt_ms=at(60),
    )  # fmt: skip
    assert expected == found
    assert false("DeliveriesArriving", 0) == gist(judge_webhook(found, at(70), ALWAYS))


def test_what_was_read_in_the_senders_log_says_nothing_of_deliveries() -> None:
    """It makes the webhook known, and what it is called for; it is not late, and no call of ours."""
    state = webhook(accepted(5 * HOUR, created=0, code="reconciled"))
    assert (("stream.started",), 0, None, ()) == (state.events, state.accepted, state.last_ms, state.late)
    assert unknown("NothingReceived") == of_webhook(5 * HOUR, accepted(5 * HOUR, created=0, code="reconciled"))


def test_an_event_delivered_two_minutes_after_it_was_made_is_late() -> None:
    """Confirmed by the signed body itself; a single one is a note."""
    assert LATE_MS == 120_000
    assert false("DeliveriesArriving", 119.999) == of_webhook(130, accepted(119.999, created=0))
    found = judge_webhook(webhook(accepted(120, created=0)), at(130), ALWAYS)
    assert true("DeliveriesDelayed", "confirmed", "info", 120) == gist(found)
    assert found.evidence == (Evidence("stream.started", "stream.started@120", at(120), "2 min late."),)
    assert found.message == (
        "`stream.started` of 15:00:00Z was first delivered at 15:02:00Z, 2 min late. What is said here of the "
        "streams lags behind by as much. Look for slow or failing calls in the webhook's log in Livepeer Studio; "
        "other endpoints of the account that hang delay all."
    )


def test_three_late_events_are_a_warning() -> None:
    """Since the first of them."""
    late = [accepted(300 + n, created=n) for n in range(3)]
    assert "info" == of_webhook(310, *late[:2])[3]
    found = judge_webhook(webhook(*late), at(310), ALWAYS)
    assert true("DeliveriesDelayed", "confirmed", "warning", 300) == gist(found)
    assert "5 min late, as were 2 others." in found.message


@pytest.mark.parametrize("event", ["recording.waiting", "asset.created"])
def test_events_that_are_late_by_nature_are_not_late(event: str) -> None:
    """Their `createdAt` is the first idle's, or the session's start (F12)."""
    assert false("DeliveriesArriving", 3000) == of_webhook(3000, accepted(3000, event, created=0))


def test_a_repetition_is_not_late() -> None:
    """Only the first delivery tells how long the event took."""
    assert false("DeliveriesArriving", 0) == of_webhook(
        3000, accepted(0), accepted(3000, created=0, verdict="duplicate")
    )


def test_a_delay_of_our_own_is_nobodys() -> None:
    """We were away, or not there yet, when the event was made."""
    state = webhook(accepted(3600, created=0))
    assert "DeliveriesDelayed" == judge_webhook(state, at(3600), ALWAYS).reason
    assert "DeliveriesArriving" == judge_webhook(state, at(3600), up_but((1000, 1010))).reason
    assert "DeliveriesArriving" == judge_webhook(state, at(3600), up_but(since=10)).reason
    assert "DeliveriesDelayed" == judge_webhook(state, at(3600), up_but((4000, 4010))).reason


def test_a_prompt_delivery_refutes_the_delay() -> None:
    """What came late before it is past; since the last of that, all has been well."""
    story = (accepted(0), accepted(300, created=10), accepted(360))
    assert false("DeliveriesArriving", 300) == of_webhook(370, *story)
    later = (*story, accepted(800, created=500))
    assert true("DeliveriesDelayed", "confirmed", "info", 800) == of_webhook(810, *later)


def test_a_late_event_that_comes_after_a_newer_prompt_one_is_not_held_against_it() -> None:
    """The delay was over by then, at its source."""
    story = (accepted(400), replace(accepted(300, created=10), received_ms=at(401)))
    assert false("DeliveriesArriving", 400) == of_webhook(410, *story)


@given(
    times=st.lists(
        st.tuples(st.integers(0, 50), st.sampled_from([0, 0, 200, 400])),
        min_size=1,
        max_size=6,
        unique_by=itemgetter(0),
    ),
    order=st.randoms(use_true_random=False),
)
def test_who_tells_first_does_not_matter(times: list[tuple[int, int]], order: Random) -> None:
    """Several processes tell of a webhook's deliveries, each in its own time: what is said of it is the same (P4)."""
    receipts = [accepted(20 * sent, created=20 * sent - late) for sent, late in times]
    told = list(receipts)
    order.shuffle(told)
    shuffled = WebhookState("wh-1")
    for receipt in told:
        shuffled = fold_webhook(shuffled, [receipt])
    assert judge_webhook(webhook(*receipts), at(1010), ALWAYS) == judge_webhook(shuffled, at(1010), ALWAYS)
    assert webhook(*receipts) == shuffled


def test_a_delay_fades_after_an_hour() -> None:
    """If nothing more comes, nothing is known of now."""
    assert DELAY_FADES_MS == HOUR * 1000
    last = judge_webhook(webhook(accepted(300, created=0)), at(300 + HOUR - 0.001), ALWAYS)
    assert ("DeliveriesDelayed", at(300 + HOUR)) == (last.reason, last.next_check_ms)
    assert unknown("GapExpired", 300 + HOUR) == of_webhook(300 + HOUR, accepted(300, created=0))


def test_since_when_deliveries_are_late_stays_known() -> None:
    """The first of a long run is remembered, and how many is bounded."""
    state = webhook(*(accepted(300 + n, created=n) for n in range(200)))
    assert (64, Late("stream.started@300", "stream.started", at(0), at(300))) == (len(state.late), state.late[0])


def gap(due: float, stream: str = "st-1", webhook_id: str = "wh-1") -> Missing:
    """An event that this webhook should have delivered."""
    because = Mark("ready", "recording.ready", at(due - 60))
    return Missing(webhook_id, stream, "se-1", "recording.waiting", because, at(due), subscribed=True)


def test_missing_events_of_any_stream_are_the_webhooks() -> None:
    """Those of one stream take the place of what it told before; those of other webhooks are not its."""
    state = with_missing(webhook(accepted(0)), "st-1", [gap(500), gap(600, webhook_id="wh-2")])
    state = with_missing(state, "st-2", [gap(400, "st-2")])
    assert (gap(400, "st-2"), gap(500)) == state.missing
    assert (gap(400, "st-2"),) == with_missing(state, "st-1", []).missing


def test_a_missing_event_is_a_diagnosis_of_the_webhook() -> None:
    """From its deadline on; since the first, for a day."""
    told = webhook(accepted(0), accepted(1, "recording.waiting"))
    state = with_missing(told, "st-1", [gap(500), gap(900, "st-2")])
    waiting = judge_webhook(state, at(499.999), ALWAYS)
    assert (false("DeliveriesArriving", 0), at(500)) == (gist(waiting), waiting.next_check_ms)
    assert true("EventsMissing", "suspected", "warning", 500) == gist(judge_webhook(state, at(900), ALWAYS))
    assert unknown("GapExpired", 900 + DAY) == gist(judge_webhook(state, at(900 + DAY), ALWAYS))
    resumed = fold_webhook(state, [accepted(2 * DAY)])
    assert false("DeliveriesArriving", 900 + DAY) == gist(judge_webhook(resumed, at(2 * DAY), ALWAYS))


def test_a_webhook_is_subscribed_to_what_it_delivered_of_any_stream() -> None:
    """What it has never delivered at all it may not be subscribed to: a note, not a warning."""
    state = with_missing(webhook(accepted(0)), "st-1", [gap(500)])
    found = judge_webhook(state, at(500), ALWAYS)
    assert "info" == found.severity
    assert "That webhook has never delivered `recording.waiting`; it may not be subscribed to it." in found.message
    other = fold_webhook(state, [accepted(1, "recording.waiting")])
    assert "never delivered" not in judge_webhook(other, at(500), ALWAYS).message


def test_a_gap_whose_time_is_not_known_is_not_remembered() -> None:
    """While a gap in coverage lasts, nothing can be missing."""
    assert () == with_missing(webhook(), "st-1", [replace(gap(0), due_ms=OPEN_END_MS)]).missing


def test_what_comes_after_a_refusal_by_a_clock_that_was_ahead_ends_it() -> None:
    """The deliveries' own order counts, not what the clock said of them: refused until it was right again."""
    wrong = [replace(refused(HOUR + n, "timestamp_out_of_tolerance", ahead=-HOUR), seq=n + 1) for n in range(SEVERAL)]
    state = endpoint(*wrong, replace(accepted(60), seq=SEVERAL + 1))
    assert "DeliveriesArriving" == judge_endpoint(state, at(61)).reason
    assert () == refusing_intervals(state, at(61))


@given(order=st.permutations(range(4)))
def test_several_processes_may_tell_in_any_order_of_what_they_accepted(order: list[int]) -> None:
    """Each tells of its own deliveries when it comes to it: since when they are accepted does not depend on that."""
    told = [accepted(seconds) for seconds in range(4)]
    state = EndpointState()
    for index in order:
        state = fold_endpoint(state, [told[index]])
    assert endpoint(*told) == state
    assert false("DeliveriesArriving", 0) == gist(judge_endpoint(state, at(10)))
