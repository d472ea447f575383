"""Stories about how deliveries come, or fail to: order, repetition, outages, signatures."""

from receiver.simulation.scenes import MINUTE, SECOND, WAITING_AFTER_MS, go_live, make_recording, tell
from receiver.simulation.script import Expectation, Flaw, Script
from receiver.simulation.sender import Event, Studio

_IDLE_MS = 5 * MINUTE
_WEBHOOK = "webhook_not_firing"


def takeover(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """Another node takes the stream over while it is live: a second stream.started, the same session, one idle."""
    tell(script, go_live(studio), [studio.started(2 * MINUTE, region="lon")])
    tell(script, [studio.idle(_IDLE_MS)], make_recording(studio, _IDLE_MS))
    script.wait_until(30 * MINUTE)
    return ()


def reconnect(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """The encoder drops and returns twice inside one session: three pairs of started and idle, one recording, whose
    recording.waiting carries the time of the first idle."""
    first_idle_ms, last_idle_ms = 60 * SECOND, 150 * SECOND
    tell(script, go_live(studio), [studio.idle(first_idle_ms)])
    tell(script, [studio.started(75 * SECOND), studio.idle(105 * SECOND)])
    tell(script, [studio.started(115 * SECOND), studio.idle(last_idle_ms)])
    tell(script, make_recording(studio, first_idle_ms, waiting_ms=last_idle_ms + 66 * SECOND))
    script.wait_until(30 * MINUTE)
    return ()


def out_of_order(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """A broadcast of one minute whose events arrive in the wrong order: the start by its fourth retry, after the idle;
    the recording's start before it; tasks, assets and recording.waiting swapped."""
    idle_ms = MINUTE
    started, *others = go_live(studio)
    idle = studio.idle(idle_ms)
    script.deliver_after(idle_ms + 10 * SECOND, started)
    script.deliver(*others, idle)
    _shuffled(script, make_recording(studio, idle_ms))
    script.wait_until(25 * MINUTE)
    return ()


def _shuffled(script: Script, events: list[Event]) -> None:
    """What is queued together and what is finished together arrives backwards; half done is told after three quarters,
    and that the asset was updated long after it was ready."""
    queued, (first, second, half_run, half_done, *reports), (updated, *rest) = events[:4], events[4:10], events[10:]
    for place, event in enumerate(reversed(queued)):
        script.deliver(event, later_ms=place * 500)
    script.deliver(first, second, *reports)
    for event in (half_run, half_done, updated):
        script.deliver_after(event.emitted_ms + MINUTE, event)
    for place, event in enumerate(reversed(rest)):
        script.deliver(event, later_ms=place * 500)


def duplicates(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """A healthy broadcast of which everything arrives two to four times: retries after lost answers, a second webhook,
    a resend half an hour later; and a restart of ours in the middle."""
    events = [*go_live(studio), studio.idle(_IDLE_MS), *make_recording(studio, _IDLE_MS)]
    script.deliver(*events)
    script.deliver(*events, webhook_id=studio.another_webhook(), later_ms=20)
    script.restart(4 * MINUTE)
    for event in events[::2]:
        script.repeat(event)
    script.resend(30 * MINUTE, *events[1::4], *events[2::4])
    script.wait_until(45 * MINUTE)
    return ()


def outage(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """We are down for an hour, during which the broadcast ends and its recording is made; the sender's retries come
    after we are back."""
    down_ms, back_ms, idle_ms = 5 * MINUTE, 65 * MINUTE, 10 * MINUTE
    tell(script, go_live(studio))
    script.down(down_ms, back_ms)
    script.deliver_after(back_ms, studio.idle(idle_ms), *make_recording(studio, idle_ms))
    script.wait_until(140 * MINUTE)
    return ()


def bad_signature(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """A proxy in front of us writes the bodies anew: the signatures no longer match the bytes."""
    return _refused(studio, script, "rewritten", "BodyAltered")


def wrong_secret(studio: Studio, script: Script) -> tuple[Expectation, ...]:
    """The webhook has another secret than we: no signature matches, and the sender does not try again after a 401."""
    return _refused(studio, script, "other_secret", "SignatureMismatch")


def _refused(studio: Studio, script: Script, flaw: Flaw, reason: str) -> tuple[Expectation, ...]:
    idle_ms = 2 * MINUTE
    script.deliver(*go_live(studio), studio.idle(idle_ms), *make_recording(studio, idle_ms)[:4], flaw=flaw)
    script.wait_until(idle_ms + 8 * MINUTE)
    return (Expectation(_WEBHOOK, reason, idle_ms + WAITING_AFTER_MS + MINUTE),)
