from collections.abc import Sequence

from receiver.simulation.answers import Answer, SeenDiagnosis, SeenSubject
from receiver.simulation.happenings import (
    Delivered,
    Diagnosed,
    Happening,
    Lost,
    Reported,
    Serving,
    StateChanged,
    Waiting,
)
from receiver.simulation.telling import Teller, at

TAKEN = Answer(204)
STREAM = "7c1ea8c3-7aeb-4789-9460-a106bfc33508"


def told(*happenings: Happening, live: bool = False) -> list[str]:
    """What is written of them, in order."""
    written: list[str] = []

    def write(lines: Sequence[str]) -> None:
        written.extend(lines)

    teller = Teller(write, live=live)
    for one in happenings:
        teller(one)
    return [" ".join(line.split()) if line[0] != " " else line for line in written]


def seen(message: str, **changes: str) -> SeenDiagnosis:
    """A diagnosis whose fix ends with advice."""
    values = {
        "id": "dg_1", "condition": "recording_not_available", "reason": "ProcessingFailed", "status": "open",
        "certainty": "confirmed", "severity": "critical", "stream_id": STREAM, "playback_id": None, "title": "T",
        "fix": "Check it. Retry it.", "resolution": None, "muted_by": None, "regressions": 0,
    }  # fmt: skip
    subject = SeenSubject(kind="stream", id=STREAM)
    return SeenDiagnosis.model_validate({**values, "message": message, "subject": subject, **changes})


def test_a_delivery_says_what_was_sent_and_answered() -> None:
    """Which attempt it was, to which webhook, and what was wrong with it, where something was."""
    assert [
        "0:00:00 stream.started 204",
        "0:00:05 stream.started (attempt 2), webhook 2 204",
        "0:00:10 stream.idle, signed with another secret 401 signature_mismatch",
    ] == told(
        Delivered(0, "stream.started", 1, 1, None, TAKEN),
        Delivered(5_000, "stream.started", 2, 2, None, TAKEN),
        Delivered(10_000, "stream.idle", 1, 1, "other_secret", Answer(401, "signature_mismatch", "No secret fits.")),
    )


def test_a_genuine_delivery_that_was_not_taken_says_why() -> None:
    """In the words of the answer; the same for a report."""
    assert [
        "0:00:00 stream.idle 503 overloaded",
        "           Too much waits.",
        "0:01:00 report: publish_intent no_answer",
        "           Connection refused",
    ] == told(
        Delivered(0, "stream.idle", 1, 1, None, Answer(503, "overloaded", "Too much waits.")),
        Reported(60_000, "publish_intent", Answer(None, "no_answer", "Connection refused")),
    )


def test_what_follows_at_once_stands_below_without_a_time() -> None:
    """What comes later has its own."""
    assert [
        "0:00:00 stream.started 204",
        "           stream: idle -> live",
        "0:09:00 stream: live -> idle",
        "           session 7c1ea8c3: recording",
    ] == told(
        Delivered(300, "stream.started", 1, 1, None, TAKEN),
        StateChanged(300, "stream", STREAM, "idle", "live"),
        StateChanged(540_000, "stream", STREAM, "live", "idle"),
        StateChanged(540_000, "session", STREAM, None, "recording"),
    )


def test_attempts_lost_in_a_row_are_told_together() -> None:
    """A single one by itself."""
    assert [
        "0:00:01 attempt 3 at stream.idle does not reach us",
        "0:00:02 our service stops",
        "0:01:00 3 attempts until 1:00:00 do not reach us, at:",
        "           stream.idle, asset.created.",
        "1:00:05 our service is up again",
    ] == told(
        Lost(1_000, "stream.idle", 3),
        Serving(2_000, "stopped"),
        Lost(60_000, "stream.idle", 1),
        Lost(65_000, "stream.idle", 2),
        Lost(3_600_000, "asset.created", 1),
        Serving(3_605_000, "started"),
    )


def test_a_diagnosis_is_told_with_its_fix_and_the_same_advice_once() -> None:
    """A resolved one says how, and needs no fix any more."""
    assert [
        "0:00:00 OPENED recording_not_available / ProcessingFailed (critical, confirmed, muted by webhook_not_firing)",
        "           It failed.",
        "           Fix: Check it. Retry it.",
        "0:00:01 RESOLVED recording_not_available / ProcessingFailed (recovered)",
        "           It is ready.",
    ] == told(
        Diagnosed(0, "opened", seen("It failed. Retry it.", muted_by="webhook_not_firing")),
        Diagnosed(1_000, "resolved", seen("It is ready.", status="resolved", resolution="recovered")),
    )


def test_pauses_are_announced_to_who_must_wait() -> None:
    """And to nobody else."""
    pause = Waiting(0, 60_000, "stream.idle")
    assert [] == told(pause)
    assert ["0:00:00 ... stream.idle at 0:01:00"] == told(pause, live=True)


def test_a_storys_time_may_have_more_than_a_day() -> None:
    """Hours go on counting."""
    assert ["0:00:00", "0:01:01", "25:00:00"] == [at(ms) for ms in (999, 61_000, 90_000_000)]
