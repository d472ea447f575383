"""P6, P7: the machine's clock is an hour wrong for a while, ahead or behind, under a service that runs; the sender
signs by the true time, and comes again after what is answered with 503 (FACTS 1.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from receiver.clock import ManualClock
from receiver.simulation.scenes import MINUTE, SECOND, finish_recording, go_live, queue_recording
from receiver.simulation.sender import Event, Studio, attempt
from tests.engines import sqlite_only
from tests.running import SECRET, Log, Running, configured, logged, running
from tests.sender import T0_MS

HOUR = 60 * MINUTE
STEP, SELDOM = 30 * SECOND, 10 * MINUTE
FIRST_RETRY = 5 * SECOND
WRONG_FROM, WRONG_UNTIL = 6 * MINUTE, 11 * MINUTE
ENDS = 3 * HOUR


@dataclass
class Sender:
    """Delivers each event when it is due, and again later where the answer is 503."""

    due: list[tuple[int, int, Event]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def send(self, *events: Event) -> None:
        """From when they were emitted on."""
        self.due += [(event.emitted_ms, FIRST_RETRY, event) for event in events]

    async def deliver_due(self, service: Running, at_ms: int) -> None:
        """What is due at this moment after T0, signed by the true time."""
        now, self.due = [one for one in self.due if one[0] <= at_ms], [one for one in self.due if one[0] > at_ms]
        for _, wait_ms, event in now:
            status, _ = await service.post(attempt(event, "wh-1", SECRET, T0_MS + at_ms))
            self.answers.append(status)
            if status == 503:
                self.due.append((at_ms + wait_ms, 2 * wait_ms, event))


def studio(name: str) -> Studio:
    """A stream of its own."""
    return Studio(T0_MS, Random(name))  # noqa: S311 -- ids of a fiction


def well(of: Studio) -> Sequence[Event]:
    """Recorded; it ends while the clock is right or wrong, and the recording is ready minutes later."""
    live = [*go_live(of), of.idle(8 * MINUTE)]
    return [*live, *queue_recording(of, 9 * MINUTE + 10 * SECOND, 8 * MINUTE), *finish_recording(of, 13 * MINUTE)]


def never_queued(of: Studio) -> Sequence[Event]:
    """Nothing of its recording ever comes."""
    return [*go_live(of), of.idle(4 * MINUTE)]


async def live_through(service: Running, sender: Sender, error_ms: int) -> None:
    """Three hours, a heartbeat every few seconds; the clock is wrong by so much for five minutes. What is due is looked
    at before the heartbeat tells of the new time, as may be."""
    clock = service.service.clock
    assert isinstance(clock, ManualClock)
    for at_ms in range(0, ENDS, STEP):
        wrong = WRONG_FROM <= at_ms < WRONG_UNTIL
        clock.set(T0_MS + at_ms + (error_ms if wrong else 0))
        if at_ms < 20 * MINUTE or at_ms % SELDOM == 0:
            await service.service.diagnoser.settle()
            await sender.deliver_due(service, at_ms)
            await service.service.settle()
        else:
            await service.service.beat()


def told(log: Log, stream_id: str) -> list[tuple[str, str]]:
    """What was told of the diagnoses of a stream."""
    return [
        (line["event"].removeprefix("diagnosis."), line["reason"])
        for line in log.lines
        if line["event"].startswith("diagnosis.") and line.get("stream_id") == stream_id
    ]


@sqlite_only
@pytest.mark.parametrize("error_ms", [HOUR, -HOUR], ids=["ahead", "behind"])
async def test_a_clock_that_steps_makes_no_false_diagnosis_and_loses_none(
    error_ms: int, database_url: str, tmp_path: Path
) -> None:
    """P6, P7: what went well is not diagnosed; what failed is, once, though its deadline passed while the clock was
    wrong; deliveries that were refused meanwhile are told of, and that they are taken again. In the end all is as if
    the clock had been right."""
    good, bad, announced = studio("well"), studio("never queued"), studio("announced")
    sender, clock = Sender(), ManualClock(T0_MS)
    sender.send(*well(good), *never_queued(bad))
    with logged(clock) as log:
        async with running(configured(database_url, tmp_path), clock, attended=True) as service:
            await service.report(kind="publish_intent", stream_id=announced.stream.id)
            await live_through(service, sender, error_ms)
            assert [("recording_not_available", "RecordingNotQueued")] == await service.diagnosed()
            endpoint = [
                (one["reason"], one["status"], one["resolution"])
                for one in (await service.get("/v1/diagnoses?condition=webhook_not_firing"))["items"]
            ]
            shown = await service.get(f"/v1/streams/{good.stream.id}")
    assert [] == sender.due
    assert ("idle", ["ready"]) == (shown["state"], [session["state"] for session in shown["sessions"]])
    assert [] == told(log, good.stream.id)
    assert [("opened", "RecordingNotQueued")] == told(log, bad.stream.id)
    assert [("opened", "PublishNotStarted"), ("resolved", "PublishNotStarted")] == told(log, announced.stream.id)
    assert [("TimestampOutOfTolerance", "resolved", "recovered")] == endpoint
    ids = [line["notice_id"] for line in log.lines if "notice_id" in line]
    assert len({*ids}) == len(ids)
