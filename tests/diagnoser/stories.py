"""Stories that hypothesis makes up: several streams, several sessions each, with all that can happen to them.

Every body is one that the model of the sender makes. What is told here is what happened at the source; in which order
it arrives, how often, and when anybody looks at it, is for the tests to choose.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st

from receiver import observations
from receiver.diagnosis.looks import GateTally, Look, PlaybackFinding, PlaybackVerdict, SessionLook, StreamLook
from receiver.simulation.objects import JsonObject, Session
from receiver.simulation.scenes import MINUTE, SECOND, WAITING_AFTER_MS
from receiver.simulation.sender import Event, Studio
from tests.diagnoser.tales import HOUR, START_MS, Post, Report, Sight, Tale

T = TypeVar("T")
DIGEST_KEY = b"k" * 32
UNKNOWN_KINDS = ("playback.user.new", "stream.exploded")
TARGET_KINDS = ("multistream.connected", "multistream.error", "multistream.disconnected")
SAID: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("playback_error", {"error": "empty_manifest"}),
    ("playback_error", {"http_status": 403}),
    ("playback_error", {"message": "stream is offline"}),
    ("playback_error", {}),
    ("playback_ok", {}),
    ("recording_requested", {}),
)
MAYBE = (None, True, False)
VERDICTS: Sequence[PlaybackVerdict] = (
    "plays", "empty", "denied", "offline", "not_ready", "degraded", "unreachable", "missing",
)  # fmt: skip
FAILED = "error processing file: no video track found in source"


@dataclass
class Teller:
    """Makes one stream's part of a tale. `draw` is hypothesis's."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    studio: Studio
    webhooks: Sequence[Sequence[str]]
    """Which webhooks may get one event, to be drawn from."""
    losses: Sequence[bool]
    """Whether an event is lost, to be drawn from."""
    posts: list[Post] = field(default_factory=list)
    reports: list[Report | Sight] = field(default_factory=list)
    deleted_from_ms: int | None = None

    def one(self, *choices: T) -> T:
        """One of these; simple ones first."""
        chosen: T = self.draw(st.sampled_from(choices))
        return chosen

    def rarely(self) -> bool:
        """One time in three, and not in the simplest stories."""
        return self.one(0, 0, 1) == 1

    def mostly(self) -> bool:
        """Two times in three."""
        return self.one(1, 1, 0) == 1

    def tell(self, *events: Event, sure: bool = False) -> None:
        """These happened; each may be lost on its way, or come several times."""
        for event in events:
            if sure or not self.draw(st.sampled_from(self.losses)):
                shown = self._shown(event)
                self.posts += [
                    Post(shown, webhook_id, self._attempts(event))
                    for webhook_id in self.draw(st.sampled_from(self.webhooks))
                ]

    def _attempts(self, event: Event) -> tuple[int, ...]:
        first_ms = self.studio.start_ms + event.emitted_ms + 300
        waits_ms = self.one((0,), (0,), (0, 5_000), (75_000,), (0, 5_000, 15_000), (HOUR,))
        return tuple(first_ms + wait_ms for wait_ms in waits_ms)

    def _shown(self, event: Event) -> Event:
        """The snapshot may contradict its event (FACTS 12), and tells of a deletion."""
        if event.stream is None:
            return event
        stream: JsonObject = dict(event.stream)
        if self.rarely():
            stream["isActive"] = not stream["isActive"]
        if self.deleted_from_ms is not None and event.emitted_ms >= self.deleted_from_ms:
            stream["deleted"] = True
        return replace(event, stream=stream)

    def observe(self, at_ms: int, kind: str, **named: Any) -> None:  # noqa: ANN401 -- as in a request
        """The operator's systems report something of this stream."""
        now_ms = self.studio.start_ms + at_ms
        observed = observations.NewObservation(kind=kind, **(named or {"stream_id": self.studio.stream.id}))  # type: ignore[arg-type]
        stored = observations._stored_form(observed, now_ms, DIGEST_KEY)
        self.reports.append(Report(f"obs_{self.studio.stream.id[:4]}{len(self.reports):04d}", now_ms, stored))

    def see(self, at_ms: int, look: Look) -> None:
        """We looked, and saw this."""
        stream_id = self.studio.stream.id
        seen = Sight(f"seen_{stream_id[:4]}{len(self.reports):04d}", self.studio.start_ms + at_ms, stream_id, look)
        self.reports.append(seen)


def told(teller: Teller) -> None:
    """Everything that happens to one stream."""
    at_ms = teller.one(0, 20 * SECOND, 2 * HOUR)
    if teller.rarely():
        teller.deleted_from_ms = teller.one(5 * MINUTE, 3 * HOUR)
    for _ in range(teller.one(1, 2, 3, 0)):
        at_ms = _broadcast(teller, at_ms) + teller.one(40 * SECOND, 4 * SECOND, 20 * MINUTE, 5 * HOUR)
    for _ in range(teller.one(0, 0, 1, 3)):
        _noise(teller, teller.one(1, 90 * SECOND, HOUR) + teller.draw(st.integers(0, 999)))
    for _ in range(teller.one(0, 0, 1, 2, 4)):
        _looked(teller, teller.one(1, 20 * SECOND, 3 * MINUTE, 11 * MINUTE, HOUR, 4 * HOUR))


def _looked(teller: Teller, at_ms: int) -> None:
    """We look at the stream, its newest session, or what viewers get, and see anything, whatever is true."""
    now_ms, session = teller.studio.start_ms + at_ms, teller.studio.session
    what = teller.one("stream", "probe", "gate", "gone", "session", "recording")
    if what in {"stream", "gone"}:
        teller.see(at_ms, _of_stream(teller, now_ms, gone=what == "gone"))
    elif what == "gate":
        counts = {name: teller.one(0, 0, 12) for name in ("allowed", "denied", "failed", "slow", "refused", "no_key")}
        teller.see(at_ms, GateTally("shop", now_ms - 10_000, now_ms, **counts))
    elif what == "session" and session is not None:
        teller.see(at_ms, _of_session(teller, session, now_ms))
    else:
        of_recording = None if session is None or what != "recording" else session.id
        teller.see(at_ms, _of_playback(teller, of_recording))


def _of_stream(teller: Teller, now_ms: int, *, gone: bool) -> StreamLook:
    if gone:
        return StreamLook(teller.one("missing", "user_suspended"), playback_status=teller.one(None, 200, 404))
    return StreamLook(
        "found",
        playback_id=teller.studio.stream.playback_id,
        is_active=teller.one(*MAYBE[1:]),
        last_seen_ms=now_ms - teller.one(SECOND, 2 * MINUTE, 4 * HOUR),
        last_terminated_ms=teller.one(None, now_ms - 20 * SECOND),
        is_healthy=teller.one(*MAYBE),
        issues=teller.one(None, "no keyframes"),
        suspended=teller.rarely(),
        source_segments=teller.one(None, 0, 40),
        newest_session_ms=teller.one(None, now_ms - HOUR),
        sessions=teller.one(None, 0, 1),
        policy=teller.one("public", "jwt", "webhook"),
        gate_exists=teller.one(*MAYBE),
        gate_failed_ms=teller.one(None, now_ms - MINUTE),
    )


def _of_session(teller: Teller, session: Session, now_ms: int) -> SessionLook:
    return SessionLook(
        "found",
        session.id,
        recording_status=teller.one("waiting", None, "none", "ready", "failed", "deleted"),
        record=True,
        created_ms=session.created_ms,
        last_seen_ms=now_ms - teller.one(MINUTE, 4 * HOUR),
        source_segments=teller.one(40, 0),
        media_ms=teller.one(None, 600_000),
        asset=teller.one(*MAYBE),
        asset_phase=teller.one(None, "processing", "failed"),
        asset_created_ms=teller.one(None, now_ms - HOUR),
        asset_media_ms=teller.one(None, 100_000),
        progress=teller.one(None, 0.2, 0.8),
    )


def _of_playback(teller: Teller, session_id: str | None) -> PlaybackFinding:
    verdict = teller.one(*VERDICTS)
    return PlaybackFinding(
        verdict,
        {"empty": "NoSegments", "degraded": "TranscodingStalled", "missing": "WrongIdentifier"}.get(verdict),
        http_status=teller.one(200, 404, None),
        credential=teller.one("none", "jwt"),
        origin=teller.rarely(),
        session_id=session_id,
    )


def _broadcast(teller: Teller, at_ms: int) -> int:
    """From the first attempt to publish to the recordings of all sessions; returns when the stream went away."""
    studio = teller.studio
    for _ in range(teller.one(0, 0, 1, 2)):
        _attempt(teller, at_ms - teller.one(2 * SECOND, 40 * SECOND, 10 * MINUTE))
    teller.tell(studio.started(at_ms))
    sessions = _begun(teller, at_ms)
    if teller.rarely():
        teller.tell(studio.multistream_connected(at_ms + 15_348))
    idles = []
    for _ in range(teller.one(0, 0, 1, 2)):
        at_ms += teller.one(5 * MINUTE, 3 * SECOND, 50 * MINUTE)
        at_ms, dropped = _disturbed(teller, at_ms, sessions)
        idles += dropped
    at_ms += teller.one(5 * MINUTE, 2 * SECOND, 8 * SECOND, 40 * SECOND, 3 * HOUR)
    _players(teller, at_ms - SECOND)
    if teller.mostly():
        teller.tell(studio.idle(at_ms))
        idles.append(at_ms)
    else:
        studio.vanished(at_ms)
    for session in sessions:
        _recorded(teller, session, at_ms, (idles or [at_ms])[0])
    return at_ms


def _begun(teller: Teller, at_ms: int) -> list[Session]:
    if not teller.studio.stream.record:
        return []
    teller.tell(teller.studio.recording_started(at_ms + teller.one(1_059, -5, 70 * SECOND)))
    return [] if teller.studio.session is None else [teller.studio.session]


def _disturbed(teller: Teller, at_ms: int, sessions: list[Session]) -> tuple[int, list[int]]:
    """The stream moves to another node, or is away for a moment; returns when all is well again, and the idle."""
    studio = teller.studio
    way = teller.one("takeover", "takeover in a new session", "reconnect")
    if way != "reconnect":
        teller.tell(studio.started(at_ms, region="lon"))
        if way == "takeover in a new session":
            sessions += _begun(teller, at_ms)
        return at_ms, []
    teller.tell(studio.idle(at_ms))
    back_ms = at_ms + teller.one(5 * SECOND, 61 * SECOND, 216 * SECOND)
    teller.tell(studio.started(back_ms))
    return back_ms, [at_ms]


def _recorded(teller: Teller, session: Session, ended_ms: int, first_idle_ms: int) -> None:
    """What becomes of a session's recording, or how far it gets."""
    studio = teller.studio
    newest, studio.session = studio.session, session
    at_ms = ended_ms + WAITING_AFTER_MS
    if teller.mostly():
        _queued(teller, at_ms, first_idle_ms)
        for _ in range(teller.one(1, 0, 2)):
            at_ms = _worked(teller, at_ms + teller.one(MINUTE, 14 * MINUTE, 70 * MINUTE))
        if teller.rarely():
            teller.tell(studio.asset_changed("asset.deleted", at_ms + HOUR, "ready"))
    studio.session = newest


def _queued(teller: Teller, at_ms: int, first_idle_ms: int) -> None:
    studio = teller.studio
    teller.tell(studio.asset_created(at_ms), studio.task_spawned(at_ms + 155), studio.task_queued(at_ms + 181))
    teller.tell(studio.recording_waiting(at_ms + 200, first_idle_ms))


def _worked(teller: Teller, at_ms: int) -> int:
    """One try at the recording: progress, then a retry, a failure or success. The events' own times may mislead; their
    `status.updatedAt` does not (DESIGN 4)."""
    studio = teller.studio
    events = [studio.task_changed("task.updated", at_ms, "running", retries=0, progress=0.5)]
    events.append(studio.asset_changed("asset.updated", at_ms + 27, "processing", progress=0.5))
    at_ms += 3 * MINUTE
    outcome = teller.one("ready", "failed", "retried", "cancelled")
    if outcome == "ready":
        events.append(studio.asset_changed("asset.ready", at_ms, "ready"))
        events.append(studio.recording_ready(at_ms + 19))
        events.append(studio.task_changed("task.completed", at_ms + 40, "completed"))
    elif outcome == "failed":
        events.append(studio.task_changed("task.failed", at_ms, "failed", errorMessage=FAILED, retries=2))
        events.append(studio.asset_changed("asset.failed", at_ms + 44, "failed", errorMessage=FAILED))
    else:
        phase = "waiting" if outcome == "retried" else "cancelled"
        events.append(studio.task_changed("task.updated", at_ms, phase, retries=1, errorMessage="503"))
    teller.tell(*(_misdated(teller, event) for event in events))
    return at_ms


def _misdated(teller: Teller, event: Event) -> Event:
    if event.name.partition(".")[0] not in {"asset", "task"}:
        return event
    return replace(event, created_ms=event.created_ms + teller.one(0, 0, -90 * SECOND, 30 * SECOND))


def _attempt(teller: Teller, at_ms: int) -> None:
    stream = teller.studio.stream
    key = teller.one(None, f"{stream.id[:4]}-aaaa-bbbb-cccc", "zzzz-aaaa-bbbb-cccc", stream.playback_id)
    named = {"stream_id": stream.id} if key is None else {"stream_id": stream.id, "stream_key": key}
    teller.observe(at_ms, teller.one("publish_intent", "publish_rejected"), **named)


def _players(teller: Teller, at_ms: int) -> None:
    """What players report of the stream, by one of its names."""
    stream, session = teller.studio.stream, teller.studio.session
    names: list[dict[str, str]] = [
        {"playback_id": stream.playback_id},
        {"stream_id": stream.id},
        {"stream_id": stream.id, "playback_id": "another0playback"},
    ]
    if session is not None:
        names += [{"session_id": session.id}, {"session_id": session.id, "playback_id": stream.playback_id}]
        names += [{"session_id": session.id, "stream_id": stream.id}]
    for _ in range(teller.one(0, 0, 1, 2)):
        at_ms += teller.one(5 * SECOND, 11 * MINUTE)
        kind, said = teller.one(*SAID)
        teller.observe(at_ms, kind, **teller.one(*names), **said)


def _noise(teller: Teller, at_ms: int) -> None:
    """Events that say nothing of a recording, and some that only look as if they did."""
    studio = teller.studio
    kind = teller.one("target", "unknown", "detection", "upload", "clip", "report")
    if kind == "report":
        teller.observe(at_ms, "playback_error", playback_id="nobodys0playback", http_status=404)
    elif kind == "target":
        event = studio.multistream_connected(at_ms)
        teller.tell(replace(event, name=teller.one(*TARGET_KINDS)))
    elif kind == "unknown":
        teller.tell(replace(studio._of_stream("", at_ms, {"what": [1, None]}), name=teller.one(*UNKNOWN_KINDS)))
    elif kind == "detection":
        teller.tell(studio._of_stream("stream.detection", at_ms, {"seqNo": 4, "sceneClassification": []}))
    elif kind == "upload":
        teller.tell(*_upload(studio, at_ms))
    elif studio.session is not None:
        teller.tell(*_clip(studio, studio.session, at_ms))


def _upload(studio: Studio, at_ms: int) -> list[Event]:
    """A video that somebody uploaded: an asset and a task that belong to no session."""
    asset_id, now_ms = studio._ids.uuid(), studio.start_ms + at_ms
    status: JsonObject = {"phase": "failed", "updatedAt": now_ms, "errorMessage": FAILED}
    asset: JsonObject = {"id": asset_id, "source": {"type": "directUpload"}, "status": status, "createdAt": now_ms}
    task: JsonObject = {"id": "t", "type": "upload", "outputAssetId": asset_id, "status": {**status}}
    return [
        studio._of_asset("asset.created", at_ms, asset),
        studio._of_task("task.failed", at_ms + 20, task),
        studio._of_asset("asset.failed", at_ms + 40, asset),
    ]


def _clip(studio: Studio, session: Session, at_ms: int) -> list[Event]:
    """A clip of a session: an asset with an id of its own, and a `recording.ready` that is not the recording's."""
    asset_id, now_ms = studio._ids.uuid(), studio.start_ms + at_ms
    status: JsonObject = {"phase": "ready", "updatedAt": now_ms}
    source: JsonObject = {"type": "clip", "sessionId": session.id, "playbackId": session.stream_playback_id}
    asset: JsonObject = {"id": asset_id, "source": source, "status": status, "createdAt": now_ms}
    shown: JsonObject = {"id": session.id, "parentId": session.stream_id, "record": True, "assetId": asset_id}
    return [
        studio._of_asset("asset.ready", at_ms, asset),
        studio._of_stream("recording.ready", at_ms + 20, {"session": shown}),
    ]


@st.composite
def tales(draw: st.DrawFn, most_streams: int = 3) -> Tale:
    """What happened at the source in an hour, or in a day."""
    posts: list[Post] = []
    reports: list[Report | Sight] = []
    seed = draw(st.integers(0, 999))
    losses = draw(st.sampled_from([(False,), (False, False, False, True), (False, True)]))
    for index in range(draw(st.integers(1, most_streams))):
        random = Random(seed * 10 + index)  # noqa: S311 -- ids of a story
        studio = Studio(START_MS, random, name=f"stream {index}", record=draw(st.sampled_from([True, True, False])))
        first, second = f"wh-a-{seed}", f"wh-b-{seed}"
        webhooks = draw(st.sampled_from([((first,),), ((first, second),), ((first,), (second,), (first, second))]))
        teller = Teller(draw, studio, webhooks, losses)
        told(teller)
        posts += teller.posts
        reports += teller.reports
    times = [post.event.emitted_ms + START_MS for post in posts] + [report.at_ms for report in reports]
    return Tale(tuple(posts), tuple(reports), max(times, default=START_MS))
