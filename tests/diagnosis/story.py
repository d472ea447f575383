"""How the tests of the diagnosis tell what happened: signals at seconds after a start, folded in their order.

`at(90)` is a minute and a half after the start, in milliseconds, as the values hold it.
"""

from receiver.diagnosis.coverage import OPEN_END_MS, Coverage, coverage
from receiver.diagnosis.folding import fold
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.judging import Judgement, judge
from receiver.diagnosis.ordering import position
from receiver.diagnosis.state import StreamState
from receiver.diagnosis.values import (
    Condition,
    ConditionType,
    Limits,
    Phase,
    PlaybackError,
    Report,
    SessionFacts,
    Signal,
    StreamFacts,
    Subject,
    WorkFacts,
)
from receiver.diagnosis.verdicts import Surroundings

T0_MS = 1_726_153_200_000
"""2024-09-12 15:00:00 UTC."""
STREAM, PLAYBACK, SESSION, LATER_SESSION, WEBHOOK = "7c1e-stream", "7c1eplayback0001", "se-1", "se-2", "wh-1"
MINUTE, HOUR, DAY = 60, 3600, 86_400

PUSH: ConditionType = "rtmp_push_rejected"
MANIFEST: ConditionType = "hls_manifest_empty"
FORBIDDEN: ConditionType = "playback_forbidden"
RECORDING: ConditionType = "recording_not_available"
DELIVERIES: ConditionType = "webhook_not_firing"

RECORDS = StreamFacts(name="town-hall", playback_id=PLAYBACK, record=True, suspended=False)
ALWAYS = Coverage(((T0_MS - 30 * DAY * 1000, OPEN_END_MS),))
LIMITS = Limits()


def at(seconds: float) -> int:
    """The moment so many seconds after the start, in milliseconds."""
    return T0_MS + round(seconds * 1000)


def event(  # noqa: PLR0913 -- what an event may tell, each named
    kind: str,
    seconds: float,
    *,
    id: str | None = None,  # noqa: A002 -- as the signal calls it
    attempted: float | None = None,
    webhook: str = WEBHOOK,
    stream: StreamFacts | None = RECORDS,
    session_id: str | None = None,
    session: SessionFacts | None = None,
    work: WorkFacts | None = None,
    created: float | None = None,
    of_child: bool = False,
) -> Signal:
    """An event that stands at `seconds` and was first delivered at `attempted`, by default then."""
    signal_id = id or f"{kind}@{seconds:g}"
    return Signal(
        id=signal_id,
        kind=kind,
        at_ms=at(seconds),
        attempted_ms=at(seconds if attempted is None else attempted),
        position=position(at(seconds), kind, signal_id),
        webhook_id=webhook,
        stream_id=STREAM,
        session_id=session_id,
        created_ms=at(seconds if created is None else created),
        stream=stream,
        session=session,
        work=work,
        of_child=of_child,
    )


def started(seconds: float, **facts: object) -> Signal:
    """The media arrived."""
    return event("stream.started", seconds, stream=replace(RECORDS, **facts))  # type: ignore[arg-type]


def idle(seconds: float, **facts: object) -> Signal:
    """The media ended."""
    return event("stream.idle", seconds, stream=replace(RECORDS, **facts))  # type: ignore[arg-type]


def connected(seconds: float, **facts: object) -> Signal:
    """An outgoing push to a target works."""
    return event("multistream.connected", seconds, stream=replace(RECORDS, **facts))  # type: ignore[arg-type]


def recording_started(
    seconds: float, session: str = SESSION, *, record: bool | None = True, began: float | None = None
) -> Signal:
    """A new session records; it began when the event was made, unless `began` says otherwise."""
    facts = SessionFacts(session, at(seconds if began is None else began), record)
    return event("recording.started", seconds, id=f"started:{session}", session_id=session, session=facts)


def recording_waiting(
    first_idle: float, attempted: float, session: str = SESSION, *, began: float = 1, webhook: str = WEBHOOK
) -> Signal:
    """The processing of a recording begins; the event carries the session's first idle as its time (FACTS 12)."""
    facts = SessionFacts(session, at(began), record=True)
    return event(
        "recording.waiting", first_idle, id=f"waiting:{session}", attempted=attempted,
        session_id=session, session=facts, webhook=webhook,
    )  # fmt: skip


def recording_ready(
    seconds: float, session: str = SESSION, *, began: float = 1, url: str | None = None, webhook: str = WEBHOOK
) -> Signal:
    """The recording is there."""
    facts = SessionFacts(session, at(began), record=True, recording_url=url)
    return event("recording.ready", seconds, id=f"ready:{session}", session_id=session, session=facts, webhook=webhook)


def work(  # noqa: PLR0913 -- what an asset or a task may tell, each named
    kind: str,
    seconds: float,
    phase: Phase,
    session: str = SESSION,
    *,
    error: str | None = None,
    progress: float | None = None,
    url: str | None = None,
    created: float | None = None,
) -> Signal:
    """The session's asset or task, as it was at `seconds`."""
    facts = WorkFacts(phase, error, progress, url)
    return event(kind, seconds, stream=None, session_id=session, work=facts, created=created)


def observation(kind: str, seconds: float, report: Report | None = None) -> Signal:
    """What the operator's own systems report."""
    name = f"observation.{kind}"
    signal_id = f"{kind}@{seconds:g}"
    return Signal(
        id=signal_id,
        kind=name,
        at_ms=at(seconds),
        attempted_ms=at(seconds),
        position=position(at(seconds), name, signal_id),
        stream_id=STREAM,
        created_ms=at(seconds),
        report=report or Report(),
    )


def intent(seconds: float, report: Report | None = None) -> Signal:
    """The operator is about to publish."""
    return observation("publish_intent", seconds, report)


def rejected(seconds: float, report: Report | None = None) -> Signal:
    """The operator's encoder was refused."""
    return observation("publish_rejected", seconds, report)


def player_error(
    seconds: float,
    error: PlaybackError = "empty_manifest",
    http_status: int | None = None,
    message: str | None = None,
    identifier: str | None = None,
) -> Signal:
    """A player failed."""
    return observation("playback_error", seconds, Report(error, http_status, message, identifier=identifier))


def plays(seconds: float) -> Signal:
    """A player plays."""
    return observation("playback_ok", seconds)


def wanted(seconds: float) -> Signal:
    """Somebody asked for the recording."""
    return observation("recording_requested", seconds)


def folded(*signals: Signal, limits: Limits = LIMITS, stream_id: str | None = STREAM) -> StreamState:
    """The stream after these signals, which may be told in any order."""
    return fold(StreamState(stream_id), sorted(signals, key=lambda s: (s.position, s.webhook_id)), limits)


def surroundings(
    limits: Limits = LIMITS,
    *,
    up: Coverage = ALWAYS,
    endpoint_failing: bool = False,
    failing: frozenset[str] = frozenset(),
) -> Surroundings:
    """What a stream is judged in: by default everything is well and always was."""
    return Surroundings(limits, up, endpoint_failing=endpoint_failing, webhooks_failing=failing)


def up_but(*gaps: tuple[float, float], since: float = -30 * DAY) -> Coverage:
    """Coverage since long ago, but for these times, in seconds."""
    return coverage([(at(since), OPEN_END_MS)], [(at(a), at(b)) for a, b in gaps])


def up_until(end: float) -> Coverage:
    """Coverage that ended, and nobody knows yet when we will hear again: a gap that lasts."""
    return Coverage(((at(-30 * DAY), at(end)),))


def judged(
    now: float, *signals: Signal, around: Surroundings | None = None, stream_id: str | None = STREAM
) -> Judgement:
    """What is said of the stream `now` seconds after the start."""
    around = around or surroundings()
    return judge(folded(*signals, limits=around.limits, stream_id=stream_id), at(now), around)


def condition(kind: ConditionType, now: float, *signals: Signal, around: Surroundings | None = None) -> Condition:
    """One of the five conditions that the stream shows."""
    return next(c for c in judged(now, *signals, around=around).conditions if c.type == kind)


def of_session(now: float, *signals: Signal, session: str = SESSION, around: Surroundings | None = None) -> Condition:
    """What is said of one session's recording."""
    found = judged(now, *signals, around=around).diagnosable
    return next(c for subject, c in found if subject == Subject("session", session))


Gist = tuple[str, str, str | None, str, int | None]


def gist(found: Condition) -> Gist:
    """Status, reason, certainty, severity and since when: what a condition says, but for words and evidence."""
    return found.status, found.reason, found.certainty, found.severity, found.since_ms


def true(reason: str, certainty: str, severity: str, since: float) -> Gist:
    """The gist of a condition that fails since so many seconds after the start."""
    return "true", reason, certainty, severity, at(since)


def unknown(reason: str, since: float | None = None) -> Gist:
    """The gist of a condition of which nothing is known."""
    return "unknown", reason, None, "info", None if since is None else at(since)


def false(reason: str, since: float | None = None) -> Gist:
    """The gist of a condition that does not fail."""
    return "false", reason, None, "info", None if since is None else at(since)


def rests_on(found: Condition) -> list[str]:
    """The ids of the evidence."""
    return [item.id for item in found.evidence]
