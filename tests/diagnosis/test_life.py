from collections.abc import Sequence

import pytest

from receiver.diagnosis.frozen import replace
from receiver.diagnosis.life import (
    REGRESSION_WITHIN_MS,
    Change,
    Diagnosis,
    Resolution,
    acknowledge,
    advance,
    resolve,
)
from receiver.diagnosis.values import Condition, ConditionType, Evidence, Signal, Subject
from tests.diagnosis.story import (
    DAY,
    HOUR,
    LATER_SESSION,
    MANIFEST,
    PUSH,
    RECORDING,
    SESSION,
    STREAM,
    at,
    idle,
    intent,
    judged,
    player_error,
    plays,
    recording_ready,
    recording_started,
    recording_waiting,
    started,
    work,
)

ON_STREAM, ON_SESSION = Subject("stream", STREAM), Subject("session", SESSION)
FAILING = Condition(
    type=PUSH,
    status="true",
    reason="PublishNotStarted",
    message="It did not start.",
    certainty="suspected",
    severity="critical",
    since_ms=at(90),
    observed_at_ms=at(90),
    evidence=(Evidence("deadline", "stream.started", at(90), "Nothing."),),
)
FINE = Condition(PUSH, "false", "PushAccepted", "It started.", since_ms=at(200))
OPEN = Diagnosis(
    id="dg_1",
    subject=ON_STREAM,
    condition=PUSH,
    reason="PublishNotStarted",
    status="open",
    certainty="suspected",
    severity="critical",
    message="It did not start.",
    evidence=FAILING.evidence,
    since_ms=at(90),
    opened_ms=at(91),
    updated_ms=at(91),
)


def step(current: Diagnosis | None, found: Condition, now: float, new_id: str = "dg_2") -> Change | None:
    """What the condition makes of the diagnosis."""
    return advance(current, ON_STREAM, found, at(now), new_id)


def over(current: Diagnosis, now: float, resolution: Resolution) -> Diagnosis:
    """The diagnosis, resolved."""
    return replace(current, status="resolved", resolution=resolution, resolved_ms=at(now), updated_ms=at(now))


# Opened


def test_a_condition_that_turns_true_opens_a_diagnosis() -> None:
    """With all that the condition says; whoever listens is told its message."""
    assert Change(replace(OPEN, id="dg_2"), "diagnosis.opened", "It did not start.") == step(None, FAILING, 91)


@pytest.mark.parametrize("status", ["false", "unknown"])
def test_a_condition_that_is_not_true_opens_none(status: str) -> None:
    """Neither health nor ignorance is a diagnosis."""
    assert step(None, replace(FINE, status=status), 91) is None  # type: ignore[arg-type]


def test_a_muted_condition_opens_a_diagnosis_that_says_what_mutes_it() -> None:
    """It is open, but does not alert (DESIGN 5)."""
    change = step(None, replace(FAILING, muted_by="webhook_not_firing"), 91)
    assert change is not None
    assert ("open", "webhook_not_firing") == (change.diagnosis.status, change.diagnosis.muted_by)


# Changed


def test_the_same_again_changes_nothing() -> None:
    """Judged every minute, told once (P7)."""
    assert step(OPEN, FAILING, 150) is None


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "StreamSuspended"},
        {"certainty": "confirmed"},
        {"severity": "warning"},
        {"muted_by": "webhook_not_firing"},
    ],
)
def test_what_matters_is_told(change: dict[str, str]) -> None:
    """Another reason, certainty, severity or muting is a change to tell of; it stays the same diagnosis."""
    found = step(OPEN, replace(FAILING, **change), 150)  # type: ignore[arg-type]
    expected = replace(OPEN, updated_ms=at(150), **change)  # type: ignore[arg-type]
    assert Change(expected, "diagnosis.changed", "It did not start.") == found


@pytest.mark.parametrize("change", [{"message": "Again, it did not start."}, {"evidence": ()}, {"since_ms": at(80)}])
def test_what_only_grows_is_kept_and_not_told(change: dict[str, object]) -> None:
    """More reports of the same failure are no news."""
    found = step(OPEN, replace(FAILING, **change), 150)  # type: ignore[arg-type]
    assert Change(replace(OPEN, updated_ms=at(150), **change), None, None) == found  # type: ignore[arg-type]


def test_what_was_acknowledged_stays_so() -> None:
    """Somebody looks after it, whatever it turns into."""
    change = step(replace(OPEN, status="acknowledged"), replace(FAILING, certainty="confirmed"), 150)
    assert change is not None
    assert "acknowledged" == change.diagnosis.status


# Resolved


def test_a_condition_that_is_no_longer_true_resolves_it() -> None:
    """With the words that say why; nothing mutes it any more."""
    muted = replace(OPEN, muted_by="webhook_not_firing")
    assert Change(over(OPEN, 210, "recovered"), "diagnosis.resolved", "It started.") == step(muted, FINE, 210)


def test_an_acknowledged_diagnosis_is_resolved_alike() -> None:
    """It is over for those too who look after it."""
    change = step(replace(OPEN, status="acknowledged"), FINE, 210)
    assert change is not None
    assert "resolved" == change.diagnosis.status


def test_what_is_resolved_is_not_resolved_again() -> None:
    """There is nothing to tell."""
    assert step(over(OPEN, 210, "recovered"), FINE, 300) is None


Moment = tuple[float, Sequence[Signal]]
"""When it is looked, and what has come by then."""


def life_of(kind: ConditionType, subject: Subject, *moments: Moment) -> Diagnosis:
    """What becomes of the diagnosis when the stream is looked at at these moments."""
    diagnosis: Diagnosis | None = None
    for now, signals in moments:
        found = next(c for s, c in judged(now, *signals).diagnosable if (s, c.type) == (subject, kind))
        change = advance(diagnosis, subject, found, at(now), "dg_1")
        diagnosis = diagnosis if change is None else change.diagnosis
    assert diagnosis is not None
    return diagnosis


LIVE = (started(0), recording_started(1))
ENDED = (*LIVE, idle(600))
QUEUED = (*ENDED, recording_waiting(600, 670))
LATE: Resolution = "late_delivery"
UNSEEN = (started(0), player_error(30))
NEWER = (started(900), recording_started(901, LATER_SESSION))


@pytest.mark.parametrize(
    ("kind", "subject", "failing", "resolved", "expected"),
    [
        (PUSH, ON_STREAM, (90, [intent(0)]), (200, [intent(0), started(20)]), LATE),
        (PUSH, ON_STREAM, (90, [intent(0)]), (200, [intent(0), started(90)]), LATE),
        (PUSH, ON_STREAM, (90, [intent(0)]), (200, [intent(0), started(91)]), "recovered"),
        (PUSH, ON_STREAM, (90, [intent(0)]), (HOUR, [intent(0)]), "expired"),
        (PUSH, ON_STREAM, (5, [started(0), idle(5)]), (70, [started(0), idle(5), started(60)]), "recovered"),
        (PUSH, ON_STREAM, (5, [started(0), idle(5)]), (605, [started(0), idle(5)]), "expired"),
        (MANIFEST, ON_STREAM, (30, UNSEEN), (90, [*UNSEEN, plays(80)]), "recovered"),
        (MANIFEST, ON_STREAM, (30, UNSEEN), (90, [*UNSEEN, idle(80)]), "recovered"),
        (MANIFEST, ON_STREAM, (30, UNSEEN), (630, UNSEEN), "expired"),
        (RECORDING, ON_SESSION, (1080, ENDED), (1100, [*ENDED, recording_waiting(600, 670)]), LATE),
        (RECORDING, ON_SESSION, (1080, ENDED), (1100, [*ENDED, recording_waiting(600, 1090)]), LATE),
        (RECORDING, ON_SESSION, (1080, ENDED), (2000, [*ENDED, recording_ready(900)]), LATE),
        (RECORDING, ON_SESSION, (1080, ENDED), (2000, [*ENDED, recording_ready(1500)]), "recovered"),
        (RECORDING, ON_SESSION, (1080, ENDED), (2000, [*ENDED, work("asset.created", 1500, "working")]), "recovered"),
        (RECORDING, ON_SESSION, (1080, ENDED), (1080 + 7 * DAY, ENDED), "expired"),
        (RECORDING, ON_SESSION, (961, [*LIVE, *NEWER]), (1000, [*LIVE, *NEWER, idle(800)]), LATE),
        (RECORDING, ON_SESSION, (1630, QUEUED), (1700, [*QUEUED, work("task.updated", 1500, "working")]), LATE),
        (RECORDING, ON_SESSION, (1630, QUEUED), (1700, [*QUEUED, work("task.updated", 1690, "working")]), "recovered"),
        (RECORDING, ON_SESSION, (1630, QUEUED), (1700, [*QUEUED, recording_ready(900)]), LATE),
        (RECORDING, ON_SESSION, (1630, QUEUED), (4000, [*QUEUED, recording_ready(3000)]), "recovered"),
        (
            RECORDING, ON_SESSION, (900, [*QUEUED, work("asset.failed", 900, "failed")]),
            (1700, [*QUEUED, work("asset.failed", 900, "failed"), recording_ready(1500)]), "recovered",
        ),
        (
            RECORDING, ON_SESSION, (900, [*QUEUED, work("asset.failed", 900, "failed")]),
            (1700, [*QUEUED, work("asset.failed", 900, "failed"), work("asset.deleted", 1600, "deleted")]), "expired",
        ),
    ],
)  # fmt: skip
def test_it_says_how_it_ended(
    kind: ConditionType, subject: Subject, failing: Moment, resolved: Moment, expected: Resolution
) -> None:
    """It recovered; or what we missed had only come late; or it is too long ago to say."""
    assert ("open", None) == (life_of(kind, subject, failing).status, life_of(kind, subject, failing).resolution)
    ended = life_of(kind, subject, failing, resolved)
    assert ("resolved", expected, at(resolved[0])) == (ended.status, ended.resolution, ended.resolved_ms)


# Again


def test_the_same_failure_within_a_day_is_a_regression() -> None:
    """The same diagnosis, opened again, its first opening kept; somebody is told once more."""
    assert REGRESSION_WITHIN_MS == DAY * 1000
    again = replace(FAILING, since_ms=at(210 + DAY))
    expected = replace(OPEN, since_ms=at(210 + DAY), updated_ms=at(210 + DAY), regressions=1)
    change = step(over(OPEN, 210, "recovered"), again, 210 + DAY)
    assert Change(expected, "diagnosis.opened", "Again: It did not start.") == change


def test_the_count_of_regressions_grows() -> None:
    """Three times in a day is three times."""
    change = step(over(replace(OPEN, regressions=2), 210, "expired"), FAILING, 300)
    assert change is not None
    assert 3 == change.diagnosis.regressions


def test_a_regression_must_be_acknowledged_anew() -> None:
    """Who looked after the first may not look after the second."""
    change = step(over(replace(OPEN, status="acknowledged"), 210, "recovered"), FAILING, 300)
    assert change is not None
    assert "open" == change.diagnosis.status


def test_the_same_failure_after_a_day_is_another() -> None:
    """A new diagnosis, with an id of its own."""
    change = step(over(OPEN, 210, "recovered"), FAILING, 210 + DAY + 0.001)
    assert change is not None
    assert ("dg_2", 0, at(210 + DAY + 0.001)) == (
        change.diagnosis.id, change.diagnosis.regressions, change.diagnosis.opened_ms,
    )  # fmt: skip


def test_a_reason_of_a_former_version_is_resolved_all_the_same() -> None:
    """An update must not leave diagnoses open that nobody can close."""
    change = step(replace(OPEN, reason="SomeFormerReason"), FINE, 210)
    assert change is not None
    assert "recovered" == change.diagnosis.resolution


# By hand


def test_somebody_acknowledges_it() -> None:
    """Once; what is resolved needs nobody."""
    expected = replace(OPEN, status="acknowledged", updated_ms=at(120))
    assert Change(expected, "diagnosis.changed", "Acknowledged by ops.") == acknowledge(OPEN, at(120), "ops")
    assert acknowledge(expected, at(121), "ops") is None
    assert acknowledge(over(OPEN, 100, "recovered"), at(121), "ops") is None


@pytest.mark.parametrize("status", ["open", "acknowledged"])
def test_somebody_resolves_it(status: str) -> None:
    """Open or acknowledged, once."""
    current = replace(OPEN, status=status)  # type: ignore[arg-type]
    expected = over(OPEN, 120, "manual")
    assert Change(expected, "diagnosis.resolved", "Resolved by ops.") == resolve(current, at(120), "ops")
    assert resolve(expected, at(121), "ops") is None


def test_what_somebody_resolved_stays_resolved_while_nothing_new_is_heard() -> None:
    """The condition is still true, and somebody knows better; growing certainty alone is nothing new."""
    resolved = over(OPEN, 120, "manual")
    assert step(resolved, FAILING, 150) is None
    assert step(resolved, replace(FAILING, certainty="confirmed"), 150) is None


def test_what_fails_anew_after_it_was_resolved_by_hand_is_a_regression() -> None:
    """A report made after somebody said that it is over says that it is not."""
    resolved = over(OPEN, 120, "manual")
    heard = replace(FAILING, observed_at_ms=at(130))
    assert 1 == (change.diagnosis.regressions if (change := step(resolved, heard, 150)) else 0)
    begun = replace(FAILING, since_ms=at(110), observed_at_ms=at(110))
    assert 1 == (change.diagnosis.regressions if (change := step(resolved, begun, 150)) else 0)


def test_where_it_belongs_is_told_by_who_follows_it() -> None:
    """A diagnosis knows its subject; the stream of a session is added outside."""
    change = step(None, FAILING, 91)
    assert change is not None
    assert (ON_STREAM, None, None) == (
        change.diagnosis.subject,
        change.diagnosis.stream_id,
        change.diagnosis.session_id,
    )
