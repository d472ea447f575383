from collections.abc import Callable, Mapping

import pytest

from receiver.diagnosis.folding import MOST_CALLERS, MOST_DROPS, fold
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.state import Caller, Drop, Mark, Reports, StreamState
from receiver.diagnosis.values import Report, Signal, StreamFacts
from tests.diagnosis.story import (
    HOUR,
    LATER_SESSION,
    LIMITS,
    PLAYBACK,
    RECORDS,
    SESSION,
    STREAM,
    at,
    connected,
    event,
    folded,
    idle,
    intent,
    player_error,
    plays,
    recording_ready,
    recording_started,
    recording_waiting,
    rejected,
    started,
    wanted,
    work,
)

NOTHING_SEEN = StreamState(STREAM)

# How each state of the broadcast is reached, within the first minute.
BEFORE: Mapping[str, tuple[Signal, ...]] = {
    "idle": (started(0), idle(50)),
    "announced": (intent(0),),
    "live": (started(0), recording_started(1)),
    "lost": (started(0), recording_started(1), recording_waiting(50, 120)),
    "deleted": (started(0), idle(50, deleted=True)),
}
# What each signal, two minutes later, makes of it; "." where nothing changes.
SIGNALS: Mapping[str, Signal] = {
    "publish_intent": intent(180),
    "publish_rejected": rejected(180),
    "stream.started": started(180),
    "recording.started": recording_started(180, LATER_SESSION),
    "stream.idle": idle(180),
    "recording.waiting": recording_waiting(180, 250),
    "stream.idle(deleted)": idle(180, deleted=True),
    "stream.idle(child)": event("stream.idle", 180, stream=None, of_child=True),
    "stream.started(child)": event("stream.started", 180, stream=None, of_child=True),
    "recording.ready": recording_ready(180),
    "multistream.connected": connected(180),
    "multistream.error": event("multistream.error", 180),
    "stream.detection": event("stream.detection", 180),
    "some.new.event": event("some.new.event", 180),
    "asset.created": work("asset.created", 180, "working", created=1),
    "asset.failed": work("asset.failed", 180, "failed"),
    "asset.deleted": work("asset.deleted", 180, "deleted"),
    "task.completed": work("task.completed", 180, "ready"),
    "playback_error": player_error(180),
    "playback_ok": plays(180),
    "recording_requested": wanted(180),
}
MOVES: Mapping[tuple[str, str], str] = {
    ("idle", "publish_intent"): "announced",
    ("idle", "publish_rejected"): "announced",
    ("idle", "stream.started"): "live",
    ("idle", "recording.started"): "live",
    ("idle", "stream.idle(deleted)"): "deleted",
    ("announced", "stream.started"): "live",
    ("announced", "recording.started"): "live",
    ("announced", "stream.idle(deleted)"): "deleted",
    ("live", "stream.idle"): "idle",
    ("live", "recording.waiting"): "lost",
    ("live", "stream.idle(deleted)"): "deleted",
    ("lost", "stream.started"): "live",
    ("lost", "recording.started"): "live",
    ("lost", "stream.idle"): "idle",
    ("lost", "stream.idle(deleted)"): "deleted",
}


def test_each_signal_moves_the_broadcast_as_told_and_no_other_does() -> None:
    """Every state of the broadcast, met by every kind of signal: the moves above, and not one more."""
    found = {
        (before, name): after
        for before, story in BEFORE.items()
        for name, signal in SIGNALS.items()
        if (after := folded(*story, signal).broadcast) != before
    }
    assert MOVES == found


@pytest.mark.parametrize("before", BEFORE)
def test_the_ways_to_each_state_lead_there(before: str) -> None:
    """The stories that the table starts from."""
    assert before == folded(*BEFORE[before]).broadcast


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ((started(10),), ("live", at(10))),
        ((recording_started(9), started(10)), ("live", at(9))),
        ((started(10), started(60)), ("live", at(10))),
        ((started(10), idle(60)), ("idle", at(60))),
        ((started(10), idle(60), idle(90)), ("idle", at(60))),
        ((idle(60),), ("idle", at(60))),
        ((idle(60), idle(90)), ("idle", at(60))),
        ((intent(5), intent(20)), ("announced", at(5))),
        ((intent(5), started(20)), ("live", at(20))),
        ((connected(5),), ("idle", None)),
    ],
)
def test_since_when_moves_only_with_the_state(signals: tuple[Signal, ...], expected: tuple[str, int | None]) -> None:
    """A takeover is no new broadcast and a second idle no new end; the first idle is the end although no start was
    seen."""
    state = folded(*signals)
    assert expected == (state.broadcast, state.since_ms)


def test_an_attempt_that_faded_is_over_before_the_next() -> None:
    """An hour after an attempt the stream is idle again; another attempt announces it anew, since then."""
    state = folded(intent(0), intent(2 * HOUR))
    assert ("announced", at(2 * HOUR)) == (state.broadcast, state.since_ms)


def test_the_snapshot_is_not_believed_over_the_event() -> None:
    """A `stream.started` makes the stream live, whatever the stream object read later said of it (F12)."""
    facts = StreamFacts(name="x", playback_id=PLAYBACK, record=True, suspended=True)
    assert "live" == folded(event("stream.started", 0, stream=facts)).broadcast


def test_the_stream_is_described_as_it_was_last() -> None:
    """Name, playback id, record and suspended are those of the newest event that tells them; what it leaves out
    stays."""
    state = folded(
        started(0, name="a", suspended=True),
        event("stream.idle", 60, stream=StreamFacts(name="b", record=False)),
        work("asset.created", 130, "working"),
    )
    assert ("b", PLAYBACK, False, True) == (state.name, state.playback_id, state.record, state.suspended)


def test_deletion_is_kept_with_the_event_that_showed_it() -> None:
    """The first event that shows the stream deleted is the evidence; what follows changes nothing."""
    state = folded(started(0), idle(60, deleted=True), recording_ready(400))
    assert ("deleted", at(60), Mark("stream.idle@60", "stream.idle", at(60))) == (
        state.broadcast, state.since_ms, state.deleted,
    )  # fmt: skip


def test_one_event_brought_by_two_webhooks_counts_once() -> None:
    """The copies fold to the same stream; only that both webhooks told of it is added."""
    copies = [replace(started(0), webhook_id=webhook) for webhook in ("wh-1", "wh-2")]
    once, twice = folded(copies[0]), folded(*copies)
    callers = tuple(Caller(webhook, at(0), ("stream.started",)) for webhook in ("wh-1", "wh-2"))
    assert replace(once, callers=callers) == twice


def test_a_repeated_signal_changes_nothing() -> None:
    """Folding every event twice ends in the same as folding it once (P4)."""
    signals = (started(0), recording_started(1), connected(15), idle(60), recording_waiting(60, 130))
    assert folded(*signals) == folded(*signals, *signals)


def test_a_webhook_is_remembered_with_what_it_told() -> None:
    """Since when, by the source's time, and which kinds of events; an observation comes by no webhook."""
    state = folded(started(0), idle(60), idle(90), plays(100))
    expected = (Caller("wh-1", at(0), ("stream.idle", "stream.started")),)
    assert (expected, Mark("stream.idle@90", "stream.idle", at(90))) == (state.callers, state.last_event)


def test_what_is_remembered_is_bounded() -> None:
    """However many webhooks, drops and reports there are, a state stays small."""
    many = [event("stream.started", n * 20, webhook=f"wh-{n:03}") for n in range(40)]
    many += [idle(n * 20 + 5) for n in range(40)]
    state = folded(*many)
    assert (MOST_CALLERS, MOST_DROPS) == (len(state.callers), len(state.drops))


def test_signals_may_be_folded_in_any_pieces() -> None:
    """A pass folds what has come so far, a rebuild all of it: one by one or together gives the same."""
    signals = sorted(
        (
            replace(signal, webhook_id="" if signal.report else f"wh-{n % (MOST_CALLERS + 3):03}")
            for n, signal in enumerate([*SIGNALS.values()] * 5)
        ),
        key=lambda signal: (signal.position, signal.webhook_id),
    )
    one_by_one = StreamState(STREAM)
    for signal in signals:
        one_by_one = fold(one_by_one, [signal], LIMITS)
    assert one_by_one == fold(StreamState(STREAM), signals, LIMITS)


# Attempts to publish


def test_attempts_within_each_others_time_are_one_run() -> None:
    """An encoder that tries every minute makes one run of attempts, judged by its first."""
    attempt = folded(intent(0), rejected(60, Report(message="closed")), rejected(150)).attempt
    assert attempt is not None
    assert (at(0), at(150), 3) == (attempt.first.at_ms, attempt.last.at_ms, attempt.count)


def test_an_attempt_after_the_others_time_is_a_new_one() -> None:
    """Half a minute and the grace after the last, the next attempt stands alone."""
    attempt = folded(intent(0), intent(90.001)).attempt
    assert attempt is not None
    assert (at(90.001), 1) == (attempt.first.at_ms, attempt.count)


def test_an_attempt_after_an_answered_one_is_a_new_one() -> None:
    """The stream started, so what is tried then has nothing to do with what was tried before."""
    attempt = folded(intent(0), started(5), idle(8), intent(60)).attempt
    assert attempt is not None
    assert (at(60), 1, False) == (attempt.first.at_ms, attempt.count, attempt.while_live)


def test_what_was_known_of_the_key_stays_known() -> None:
    """A later report of the same run that names no key leaves standing what an earlier one said of it."""
    wrong = Report(key_prefix_matches=False, key_is_playback_id=False)
    attempt = folded(rejected(0, wrong), rejected(20, Report(message="closed"))).attempt
    assert attempt is not None
    assert Report(message="closed", key_prefix_matches=False, key_is_playback_id=False) == attempt.report


def test_a_later_key_counts_before_an_earlier_one() -> None:
    """Who corrects the key is believed."""
    wrong, right = (
        Report(key_prefix_matches=False, key_is_playback_id=False),
        Report(key_prefix_matches=True, key_is_playback_id=False),
    )
    attempt = folded(rejected(0, wrong), rejected(20, right)).attempt
    assert attempt is not None
    assert right == attempt.report


# Pushes that drop


def test_a_push_that_is_gone_within_ten_seconds_without_media_dropped() -> None:
    """Ten seconds are a drop, a millisecond more is not (DESIGN 5)."""
    drop = Drop(Mark("stream.started@0", "stream.started", at(0)), Mark("stream.idle@10", "stream.idle", at(10)))
    assert (drop,) == folded(started(0), idle(10)).drops
    assert () == folded(started(0), idle(10.001)).drops


@pytest.mark.parametrize(
    "media",
    [
        recording_started(1),
        connected(4),
        event("multistream.error", 4, stream=replace(RECORDS, source_segments=3)),
        idle(5, source_segments=3),
        work("asset.created", 80, "working", created=2),
        recording_waiting(5, 80, began=2),
        recording_ready(300, began=2),
    ],
)
def test_any_sign_of_media_makes_it_no_drop(media: Signal) -> None:
    """A session, a connected target, segments that grew, a recording: whenever it is told of, media came."""
    assert () == folded(started(0, source_segments=0), idle(5, source_segments=0), media).drops


def test_segments_that_a_start_shows_came_with_the_push_before() -> None:
    """Segments are counted late: those of a broadcast that ended half an hour ago are no media of this push."""
    state = folded(
        started(0, source_segments=0), idle(1800, source_segments=880), started(1900, source_segments=900), idle(1905)
    )
    assert ["stream.started@1900"] == [drop.started.id for drop in state.drops]


def test_an_end_soon_after_a_takeover_is_no_drop() -> None:
    """The push has been live for an hour; that another node took it over five seconds before its end means nothing."""
    assert () == folded(started(0), started(HOUR), idle(HOUR + 5)).drops


def test_media_of_an_hour_ago_does_not_excuse_a_drop() -> None:
    """Each push is looked at by itself."""
    assert 1 == len(folded(started(0), recording_started(1), idle(HOUR), started(HOUR + 60), idle(HOUR + 65)).drops)


def test_drops_with_less_than_ten_minutes_between_them_are_one_run() -> None:
    """The first of the run is kept however many follow, so that it stays known since when pushes drop."""
    pairs = [s for n in range(0, 5900, 590) for s in (started(n), idle(n + 5))]
    drops = folded(*pairs).drops
    assert [at(5), at(5315)] == [drops[0].idled.at_ms, drops[-1].idled.at_ms]
    assert [at(605)] == [drop.idled.at_ms for drop in folded(started(0), idle(5), started(600), idle(605)).drops]


def test_a_push_that_lasts_ends_the_count() -> None:
    """What dropped before a good broadcast is past."""
    assert () == folded(started(0), idle(5), started(60), idle(120)).drops


# Reports by players


def test_reports_of_a_kind_make_a_run() -> None:
    """As long as no pause is as long as a report counts, reports are one run; the last one's words stand."""
    state = folded(started(0), player_error(60), player_error(400, message="b"), player_error(900, http_status=502))
    expected = Reports(
        Mark("playback_error@60", "observation.playback_error", at(60)),
        Mark("playback_error@900", "observation.playback_error", at(900)),
        3,
        Report("empty_manifest", 502),
    )
    assert expected == state.manifest


def test_a_pause_as_long_as_a_report_counts_begins_a_new_run() -> None:
    """After ten minutes the last report had faded, so the next is the first of its own."""
    run = folded(started(0), player_error(60), player_error(660)).manifest
    assert run is not None
    assert (at(660), 1) == (run.first.at_ms, run.count)


@pytest.mark.parametrize(
    ("error", "which"),
    [("forbidden", ["forbidden"]), ("empty_manifest", ["manifest"]), ("offline", ["manifest"]), ("other", [])],
)
def test_a_report_goes_where_it_belongs(error: str, which: list[str]) -> None:
    """Refusals and missing manifests are told apart; other errors say nothing of Livepeer."""
    state = folded(started(0), player_error(60, error))  # type: ignore[arg-type]
    assert which == [name for name in ("forbidden", "manifest") if getattr(state, name) is not None]


def test_a_player_that_plays_refutes_all_reports_before_it() -> None:
    """What failed plays now."""
    state = folded(started(0), player_error(60), player_error(61, "forbidden"), plays(90))
    assert (None, None) == (state.forbidden, state.manifest)


def test_since_when_it_plays_stays_known() -> None:
    """Reports that it plays are one run until one comes too late, or a failure of that kind comes between."""
    state = folded(started(0), plays(60), player_error(90, "forbidden"), plays(120), plays(600))
    assert (at(600), at(60), at(120)) == (
        state.played and state.played.at_ms, state.playable_since_ms, state.allowed_since_ms,
    )  # fmt: skip
    assert at(660) == folded(plays(60), plays(660)).playable_since_ms


@pytest.mark.parametrize("ends", [idle, started])
def test_an_end_or_a_start_explains_the_missing_manifests_before_it(ends: Callable[[float], Signal]) -> None:
    """An offline stream has no manifest; and before it was live there was none to be had."""
    before = (started(0), idle(30)) if ends is started else (started(0),)
    state = folded(*before, player_error(40), player_error(41, "forbidden"), ends(60))
    assert (None, True) == (state.manifest, state.forbidden is not None)


def test_a_takeover_explains_no_missing_manifest() -> None:
    """The stream was live all along."""
    assert folded(started(0), player_error(40), started(60)).manifest is not None


def test_a_childs_idle_explains_nothing() -> None:
    """A transcoding run that was deactivated is not the stream."""
    child = event("stream.idle", 60, stream=None, of_child=True)
    assert folded(started(0), player_error(40), child).manifest is not None


def test_folding_in_two_steps_is_folding_at_once() -> None:
    """A state is all that need be kept of the signals before it (P5)."""
    signals = (started(0), recording_started(1), player_error(30), idle(60), recording_waiting(60, 130))
    for cut in range(len(signals)):
        assert fold(NOTHING_SEEN, signals, LIMITS) == fold(
            fold(NOTHING_SEEN, signals[:cut], LIMITS), signals[cut:], LIMITS
        )


def test_a_session_whose_start_stands_after_its_end_brings_no_stream_back() -> None:
    """The encoder was gone before `recording.started` was emitted: the stream stays idle, the session has ended."""
    state = folded(started(0), idle(4), recording_started(4.5, began=3))
    session = state.sessions[0]
    assert ("idle", "ending", at(4), None) == (state.broadcast, session.state, session.since_ms, session.unannounced)
    assert SESSION == session.session_id
