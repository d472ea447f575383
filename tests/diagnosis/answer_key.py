"""The answer key: each cause of FACTS 10, the signals that support it, and what is to be said of exactly those.

`docs/answer-key.md` is made of it: `python -m tests.diagnosis.answer_key` prints the table with what passes, and
`--write` writes the document.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from receiver.diagnosis.catalogue import reason_entry
from receiver.diagnosis.senders import (
    EndpointState,
    Receipt,
    WebhookState,
    fold_endpoint,
    judge_endpoint,
    judge_webhook,
)
from receiver.diagnosis.senders.webhook import Late
from receiver.diagnosis.values import Certainty, Condition, ConditionType, Report, Signal, Status
from tests.diagnosis.seen import (
    decided,
    finding,
    of_recording,
    refused,
    snapshot,
    webhook,
)
from tests.diagnosis.story import (
    ALWAYS,
    DAY,
    DELIVERIES,
    FORBIDDEN,
    HOUR,
    MANIFEST,
    PLAYBACK,
    PUSH,
    RECORDING,
    SESSION,
    WEBHOOK,
    at,
    condition,
    event,
    idle,
    intent,
    observation,
    of_session,
    player_error,
    recording_ready,
    recording_started,
    recording_waiting,
    rejected,
    started,
    work,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "answer-key.md"
GROUPS = {
    1: "RTMP push rejected",
    2: "HLS manifest empty",
    3: "Playback fails with 403",
    4: "Recording not available",
    5: "Webhook not firing",
}
OWN_KEY, OTHER_KEY = "d1", "d2"


@dataclass(frozen=True)
class Row:
    """One cause. `given` is what is said of exactly the signals that support it, `otherwise` of those that refute
    it."""

    group: int
    cause: str
    supports: str
    refutes: str
    condition: ConditionType
    status: Status
    reason: str
    certainty: Certainty | None
    given: Callable[[], Condition]
    otherwise: Callable[[], Condition]

    @property
    def passes(self) -> bool:
        """Whether the right signals bring this answer, and the wrong ones do not."""
        found, other = self.given(), self.otherwise()
        answered = (found.type, found.status, found.reason, found.certainty)
        right = answered == (self.condition, self.status, self.reason, self.certainty)
        return right and (other.status, other.reason) != (self.status, self.reason)


def push(now: float, *signals: Signal) -> Callable[[], Condition]:
    """What is said of the push."""
    return lambda: condition(PUSH, now, *signals)


def manifest(now: float, *signals: Signal) -> Callable[[], Condition]:
    """What is said of the manifest."""
    return lambda: condition(MANIFEST, now, *signals)


def forbidden(now: float, *signals: Signal) -> Callable[[], Condition]:
    """What is said of who may play."""
    return lambda: condition(FORBIDDEN, now, *signals)


def recording(now: float, *signals: Signal) -> Callable[[], Condition]:
    """What is said of the stream's recordings."""
    return lambda: condition(RECORDING, now, *signals)


def session(now: float, *signals: Signal) -> Callable[[], Condition]:
    """What is said of the session's recording."""
    return lambda: of_session(now, *signals)


def deliveries(now: float, *signals: Signal) -> Callable[[], Condition]:
    """What is said of the deliveries about the stream."""
    return lambda: condition(DELIVERIES, now, *signals)


def sender(now: float, state: WebhookState) -> Callable[[], Condition]:
    """What is said of the webhook."""
    return lambda: judge_webhook(state, at(now), ALWAYS)


def endpoint(now: float, *receipts: Receipt) -> Callable[[], Condition]:
    """What is said of our endpoint."""
    return lambda: judge_endpoint(fold_endpoint(EndpointState(), receipts), at(now))


def mismatch(seconds: float) -> Receipt:
    """A delivery in Livepeer's shape whose signature fits no secret."""
    return Receipt(f"dl@{seconds:g}", at(seconds), "quarantined", "signature_mismatch", shaped=True, seq=round(seconds))


def accepted(seconds: float) -> Receipt:
    """A delivery that was taken in."""
    return Receipt("", at(seconds), "accepted", "stored", shaped=True, webhook_id=WEBHOOK, seq=round(seconds))


WRONG_KEY = rejected(0, Report(key_prefix_matches=True, key_is_playback_id=False, key_digest=OTHER_KEY))
RIGHT_KEY = rejected(0, Report(key_prefix_matches=True, key_is_playback_id=False, key_digest=OWN_KEY))
QUIET: dict[str, Any] = {"is_active": False, "last_seen": -DAY, "key_digest": OWN_KEY}
LIVE = (started(0), recording_started(1))
ENDED = (*LIVE, idle(600))
GATED: dict[str, Any] = {"policy": "webhook", "gate_exists": True}
HEALTHY: dict[str, Any] = {"is_active": True, "is_healthy": True, "source_segments": 20, "transcoded_segments": 40}

ROWS: Sequence[Row] = (
    # 10.1
    Row(1, "wrong or unknown key or URL", "A: inactive, not seen since, another key's digest; W: no `stream.started`",
        "`stream.started`", PUSH, "true", "StreamKeyMismatch", "confirmed",
        push(10, WRONG_KEY, snapshot(5, **QUIET)),
        push(10, WRONG_KEY, started(3), snapshot(5, **QUIET))),
    Row(1, "the stream is suspended", "A: `suspended`; P: playback info 404", "A: not suspended",
        PUSH, "true", "StreamSuspended", "confirmed",
        push(10, intent(0), snapshot(5, suspended=True, playback_status=404)),
        push(100, intent(0), snapshot(95, **QUIET))),
    Row(1, "the stream is deleted", "A: 404; P: playback info 404", "A: 200",
        PUSH, "true", "StreamDeleted", "confirmed",
        push(20, intent(0), *(snapshot(second, standing="missing", playback_status=404) for second in (5, 18))),
        push(100, intent(0), snapshot(95, **QUIET))),
    Row(1, "the account is suspended", "A: every call 403 `user is suspended`", "A: answers",
        PUSH, "true", "UserSuspended", "confirmed",
        push(10, intent(0), snapshot(5, standing="user_suspended")),
        push(100, intent(0), snapshot(95, **QUIET))),
    Row(1, "the account is disabled", "A: 200, active, no segments; P: public content refused", "A: segments grow",
        PUSH, "true", "UserDisabled", "suspected",
        push(70, started(0), refused(65), snapshot(68, is_active=True, source_segments=0)),
        push(70, started(0), refused(65), snapshot(68, is_active=True, source_segments=12))),
    Row(1, "connected, but never active", "P: it plays; A: inactive; W: no `stream.started`", "A: active",
        PUSH, "true", "ConnectedNotActive", "confirmed",
        push(30, intent(0), snapshot(20, **QUIET), finding(25, "plays")),
        push(30, intent(0), snapshot(20, is_active=True), finding(25, "plays"))),
    Row(1, "looked at with another project's key", "A: 404; P: playback info 200", "A: 200",
        PUSH, "true", "WrongProject", "confirmed",
        push(20, intent(0), *(snapshot(second, standing="missing", playback_status=200) for second in (5, 18))),
        push(100, intent(0), snapshot(95, **QUIET))),
    Row(1, "network or encoder", "A: all in order, the key is right; W: no `stream.started`", "`stream.started`",
        PUSH, "true", "EncoderOrNetwork", "suspected",
        push(100, RIGHT_KEY, snapshot(95, **QUIET)),
        push(100, RIGHT_KEY, started(5), snapshot(95, **QUIET))),
    Row(1, "terminated a moment ago", "A: `lastTerminatedAt` near; W: idle, then a start", "A: `lastTerminatedAt` null",
        PUSH, "true", "JustTerminated", "confirmed",
        push(20, started(0), idle(6), snapshot(15, is_active=False, last_terminated_ms=at(5))),
        push(20, started(0), idle(6), snapshot(15, is_active=False))),
    Row(1, "the push drops after its start", "W: idle within seconds; A: not healthy, issues", "A: stays active",
        PUSH, "true", "PushDropped", "confirmed",
        push(20, started(0), idle(6), snapshot(15, is_active=False, is_healthy=False, issues="no video track")),
        push(20, started(0), snapshot(15, is_active=True, is_healthy=True))),
    # 10.2
    Row(2, "not live", "A: inactive; P: `Stream open failed`; W: the last event is an idle", "A: active",
        MANIFEST, "false", "StreamOffline", None,
        manifest(620, *ENDED, snapshot(610, is_active=False, last_seen=600),
                 finding(615, "offline", "StreamOffline", error_line="Stream open failed")),
        manifest(620, *LIVE, snapshot(610, **HEALTHY, last_seen=609), finding(615, "plays"))),
    Row(2, "starting up", "W: started less than 15 s ago; P: 404 or no `#EXTINF`; A: no segments yet", "an old start",
        MANIFEST, "unknown", "FirstSegmentPending", None,
        manifest(12, started(0), snapshot(8, is_active=True, source_segments=0), finding(11, "empty", "NoSegments")),
        manifest(40, started(0), snapshot(35, is_active=True, source_segments=0), finding(38, "empty", "NoSegments"))),
    Row(2, "lost, and still taken for active", "A: active, last seen over 90 s ago; P: offline; W: no idle",
        "A: seen just now", MANIFEST, "true", "MediaLost", "confirmed",
        manifest(620, *LIVE, snapshot(610, is_active=True, last_seen=500), finding(615, "offline", "StreamOffline")),
        manifest(620, *LIVE, snapshot(610, is_active=True, last_seen=605), finding(615, "offline", "StreamOffline"))),
    Row(2, "access denied", "P: `not allowed to view`; A: a policy", "P: `Stream open failed`",
        MANIFEST, "true", "AccessDenied", "confirmed",
        manifest(120, *LIVE, player_error(100), snapshot(110, **GATED, is_active=True), refused(115)),
        manifest(120, *LIVE, player_error(100), snapshot(110, **GATED, is_active=True),
                 finding(115, "offline", "StreamOffline", error_line="Stream open failed"))),
    Row(2, "long keyframe interval, bad encoder", "P: no segment for long; A: not healthy, issues", "A: healthy",
        MANIFEST, "true", "EncoderUnhealthy", "confirmed",
        manifest(120, *LIVE, snapshot(110, is_active=True, last_seen=109, is_healthy=False, issues="long keyframes"),
                 finding(115, "empty", "NoSegments")),
        manifest(120, *LIVE, snapshot(110, **HEALTHY, last_seen=109), finding(115, "empty", "NoSegments"))),
    Row(2, "transcoding fails", "P: the source alone; A: none is transcoded, the source grows", "A: both grow",
        MANIFEST, "true", "TranscodingStalled", "confirmed",
        manifest(120, *LIVE, snapshot(110, is_active=True, last_seen=109, source_segments=20, transcoded_segments=0),
                 finding(115, "degraded", "TranscodingStalled")),
        manifest(120, *LIVE, snapshot(110, **HEALTHY, last_seen=109), finding(115, "degraded", "TranscodingStalled"))),
    Row(2, "suspended or deleted", "P: playback info 404; A: `suspended`, or 404", "P: playback info 200",
        MANIFEST, "true", "ContentSuspended", "confirmed",
        manifest(120, *LIVE, snapshot(110, suspended=True, playback_status=404),
                 finding(115, "missing", "WrongIdentifier", http_status=404, playback_status=404)),
        manifest(120, *LIVE, snapshot(110, **HEALTHY, last_seen=109, playback_status=200), finding(115, "plays"))),
    Row(2, "the wrong id", "P: 404 for the id that was used; A: another `playbackId`", "the stream's own id",
        MANIFEST, "true", "WrongIdentifier", "suspected",
        manifest(120, *LIVE, player_error(110, "offline", 404, identifier="7c1e-stream")),
        manifest(120, *LIVE, player_error(110, "offline", 404, identifier=PLAYBACK))),
    Row(2, "no playback node", "P: 502, empty", "P: 200 or 404", MANIFEST, "true", "NoPlaybackNode", "confirmed",
        manifest(120, *LIVE, finding(115, "unreachable", "NoPlaybackNode", http_status=502)),
        manifest(120, *LIVE, finding(115, "plays"))),
    Row(2, "VOD that is not ready", "P: 422; A: the asset is at work", "A: the asset is ready",
        MANIFEST, "true", "AssetNotReady", "confirmed",
        manifest(120, *LIVE, finding(115, "not_ready", "AssetNotReady", http_status=422, playback_status=422)),
        manifest(120, *LIVE, finding(115, "plays"))),
    # 10.3
    Row(3, "the gate refused, whyever", "P: 200 with `not allowed to view`; A: a policy", "the same credential plays",
        FORBIDDEN, "true", "Forbidden", "confirmed",
        forbidden(120, *LIVE, player_error(100, "forbidden"), snapshot(110, policy="jwt"), refused(115)),
        forbidden(120, *LIVE, player_error(100, "forbidden"), snapshot(110, policy="jwt"), finding(115, "plays"))),
    Row(3, "no credential was sent", "P: refused without a key, plays with a valid one", "P: refused with it, too",
        FORBIDDEN, "true", "AccessKeyMissing", "confirmed",
        forbidden(120, *LIVE, player_error(100, "forbidden"), snapshot(110, policy="jwt"),
                  refused(115), finding(116, "plays", credential="jwt")),
        forbidden(120, *LIVE, player_error(100, "forbidden"), snapshot(110, policy="jwt"),
                  refused(115), refused(116, credential="jwt"))),
    Row(3, "a bad JWT", "its claims: `sub`, `exp`, `pub`, the algorithm, the key", "a fresh one is refused, too",
        FORBIDDEN, "true", "JwtExpired", "confirmed",
        forbidden(120, *LIVE, snapshot(110, policy="jwt"), refused(115, credential="jwt", reason="JwtExpired")),
        forbidden(120, *LIVE, snapshot(110, policy="jwt"), refused(115, credential="jwt"))),
    Row(3, "your gate fails", "A: the webhook's `lastFailure` is recent; our gate's log: failed or too slow",
        "A: called since, without a failure", FORBIDDEN, "true", "GateEndpointFailed", "confirmed",
        forbidden(120, *LIVE, player_error(100, "forbidden"),
                  snapshot(110, **GATED, gate_failed_ms=at(99), gate_triggered_ms=at(99))),
        forbidden(120, *LIVE, player_error(100, "forbidden"),
                  snapshot(110, **GATED, gate_failed_ms=at(-DAY), gate_triggered_ms=at(105)))),
    Row(3, "the gate was never asked", "no request at the gate; A: not called since", "a request at the gate",
        FORBIDDEN, "true", "GateNotCalled", "suspected",
        forbidden(170, *LIVE, player_error(100, "forbidden"), snapshot(165, **GATED, gate_triggered_ms=at(-HOUR))),
        forbidden(170, *LIVE, player_error(100, "forbidden"), decided(105, denied=1),
                  snapshot(165, **GATED, gate_triggered_ms=at(-HOUR)))),
    Row(3, "your gate refuses Livepeer's signature", "our gate's log: signatures that do not fit", "they fit",
        FORBIDDEN, "true", "GateSignatureRejected", "suspected",
        forbidden(120, *LIVE, player_error(100, "forbidden"), decided(105, refused=3)),
        forbidden(120, *LIVE, player_error(100, "forbidden"), decided(105, denied=3))),
    Row(3, "the origin is refused", "P: plays with a listed origin, refused without; A: `allowedOrigins`",
        "A: `*`, or none", FORBIDDEN, "true", "OriginNotAllowed", "confirmed",
        forbidden(120, *LIVE, player_error(100, "forbidden"), snapshot(110, origins=("https://a.example",)),
                  refused(115), finding(116, "plays", credential="jwt", origin=True)),
        forbidden(120, *LIVE, player_error(100, "forbidden"), snapshot(110, origins=("*",)), refused(115))),
    Row(3, "the policy names a wrong webhook", "A: its `webhookId` is in no list", "it is there",
        FORBIDDEN, "true", "GateWebhookMissing", "confirmed",
        forbidden(120, *LIVE, player_error(100, "forbidden"), snapshot(110, policy="webhook", gate_exists=False)),
        forbidden(120, *LIVE, player_error(100, "forbidden"),
                  snapshot(110, **GATED, gate_triggered_ms=at(105)))),
    Row(3, "stream or account suspended or disabled", "P: public content refused; A: `suspended`, or 403", "-",
        FORBIDDEN, "true", "ContentSuspended", "confirmed",
        forbidden(120, *LIVE, snapshot(110, suspended=True), refused(115)),
        forbidden(120, *LIVE, snapshot(110, policy="jwt"), refused(115, credential="jwt"))),
    Row(3, "the viewer limit", "some play, some are refused; the gate allowed all", "few viewers: the gate denied",
        FORBIDDEN, "true", "ViewerLimit", "suspected",
        forbidden(120, *LIVE, observation("playback_ok", 90), player_error(100, "forbidden"), decided(105, allowed=40)),
        forbidden(120, *LIVE, observation("playback_ok", 90), player_error(100, "forbidden"),
                  decided(105, allowed=40, denied=2))),
    Row(3, "a real 403", "P: 403 with a storage's or proxy's body", "P: an `#EXT-X-ERROR` line",
        FORBIDDEN, "true", "ForbiddenElsewhere", "confirmed",
        forbidden(120, *LIVE, player_error(100, "forbidden"),
                  finding(115, "denied", "ForbiddenElsewhere", http_status=403)),
        forbidden(120, *LIVE, player_error(100, "forbidden"), refused(115))),
    # 10.4
    Row(4, "recording is off", "A: `record` false, no `recordingStatus`; W: no recording.*", "`recording.started`",
        RECORDING, "false", "RecordingDisabled", None,
        recording(700, event("stream.started", 0, stream=None), event("stream.idle", 600, stream=None),
                  snapshot(650, record=False, is_active=False)),
        recording(700, *ENDED)),
    Row(4, "still live", "A: active, waiting; W: `recording.started`, no idle", "an idle",
        RECORDING, "unknown", "StreamStillLive", None,
        session(300, *LIVE, of_recording(290, recording_status="waiting", last_seen=289, source_segments=9),
                snapshot(290, **HEALTHY, last_seen=289)),
        session(700, *ENDED)),
    Row(4, "on its way", "W: idle, `recording.waiting`; A: waiting, the asset is at work", "nothing for over an hour",
        RECORDING, "unknown", "AwaitingRecording", None,
        session(900, *ENDED, recording_waiting(600, 670),
                of_recording(890, recording_status="waiting", asset=True, asset_phase="processing", progress=0.4)),
        session(2 * HOUR, *ENDED, recording_waiting(600, 670))),
    Row(4, "processing failed", "W: `asset.failed`, `task.failed`; A: failed, with its message", "A: ready",
        RECORDING, "true", "ProcessingFailed", "confirmed",
        session(900, *ENDED, of_recording(890, recording_status="failed", asset=True, asset_phase="failed",
                                          error_message="no video track")),
        session(900, *ENDED, work("asset.failed", 800, "failed", error="no video track"),
                of_recording(890, recording_status="ready", asset=True, asset_phase="ready"))),
    Row(4, "stale: the idle was lost", "A: `none`, last seen over 3 h ago; W: a start, no idle, no waiting",
        "`recording.waiting`", RECORDING, "true", "StreamNotIdle", "confirmed",
        session(5 * HOUR, *LIVE, of_recording(4 * HOUR, recording_status="none", last_seen=600, source_segments=99)),
        session(5 * HOUR, *LIVE, recording_waiting(600, 670))),
    Row(4, "stuck before it waits", "W: idle, no `recording.waiting` for long; A: no asset, waiting",
        "`recording.waiting`", RECORDING, "true", "RecordingNotQueued", "confirmed",
        session(1200, *ENDED, of_recording(1190, recording_status="waiting", asset=False, source_segments=99)),
        session(1200, *ENDED, recording_waiting(600, 670),
                of_recording(1190, recording_status="waiting", asset=True))),
    Row(4, "no session", "A: no session of the push; W: `stream.started`, no `recording.started`", "a session",
        RECORDING, "true", "NoSession", "confirmed",
        recording(1200, started(0), idle(600), snapshot(1150, is_active=False, sessions=0)),
        recording(1200, started(0), idle(600), snapshot(1150, is_active=False, sessions=1, newest_session=1))),
    Row(4, "resumed into a finished session", "A: seen after the asset was made; the asset is shorter",
        "they are as long", RECORDING, "true", "SessionResumed", "confirmed",
        session(2000, *ENDED, recording_ready(900),
                of_recording(1990, recording_status="ready", asset=True, asset_phase="ready", last_seen=1800,
                             asset_created_ms=at(700), media_ms=1_500_000, asset_media_ms=590_000)),
        session(2000, *ENDED, recording_ready(900),
                of_recording(1990, recording_status="ready", asset=True, asset_phase="ready", last_seen=600,
                             asset_created_ms=at(700), media_ms=595_000, asset_media_ms=590_000))),
    Row(4, "nothing ingested", "A: no source segments, and hidden from the stream's sessions", "media",
        RECORDING, "true", "NothingIngested", "confirmed",
        session(900, *ENDED, of_recording(890, recording_status="waiting", source_segments=0, last_seen=600)),
        session(900, *ENDED, of_recording(890, recording_status="waiting", source_segments=99, last_seen=600))),
    Row(4, "deleted", "W: `asset.deleted`; A: deleted", "A: ready", RECORDING, "true", "RecordingDeleted", "confirmed",
        session(2000, *ENDED, recording_ready(900), of_recording(1990, recording_status="deleted", asset=True)),
        session(2000, *ENDED, recording_ready(900), of_recording(1990, recording_status="ready", asset=True))),
    Row(4, "ready, and looked for in the wrong place", "A: ready; asked for by the stream's playback id",
        "asked for by its own", RECORDING, "true", "WrongIdentifier", "confirmed",
        session(2000, *ENDED, recording_ready(900),
                observation("recording_requested", 1000, Report(identifier=PLAYBACK))),
        session(2000, *ENDED, recording_ready(900),
                observation("recording_requested", 1000, Report(identifier="its-own")))),
    Row(4, "ready, and refused or unreachable", "A: ready; P: its manifest is refused or 404", "P: it plays",
        RECORDING, "true", "RecordingUnreachable", "confirmed",
        session(1000, *ENDED, recording_ready(900), finding(990, "offline", http_status=404, session=SESSION)),
        session(1000, *ENDED, recording_ready(900), finding(990, "plays", session=SESSION))),
    # 10.5
    Row(5, "not subscribed", "A: `events` lacks it", "listed", DELIVERIES, "true", "NotSubscribed", "confirmed",
        sender(100, webhook(90, called=80, events=("stream.started", "stream.idle"))),
        sender(100, webhook(90, called=80))),
    Row(5, "an event that is never sent", "its name", "other names", DELIVERIES, "true", "EventNeverSent", "confirmed",
        sender(100, webhook(90, called=80, events=(
            "stream.started", "stream.idle", "recording.started", "recording.waiting", "recording.ready",
            "playback.user.new"))),
        sender(100, webhook(90, called=80))),
    Row(5, "the wrong project", "A: another `projectId` than the streams'", "the same",
        DELIVERIES, "true", "WrongProject", "confirmed",
        sender(100, webhook(90, project="p1", object_project="p2")),
        sender(100, webhook(90, called=80, project="p1", object_project="p1"))),
    Row(5, "deleted or replaced", "A: 404", "A: 200", DELIVERIES, "true", "WebhookDeleted", "confirmed",
        sender(100, webhook(90, called=-HOUR, standing="missing")), sender(100, webhook(90, called=80))),
    Row(5, "the URL is private", "A: nothing in the log, never called; its host is private", "log entries",
        DELIVERIES, "true", "UrlNotPublic", "confirmed",
        sender(100, webhook(90, url_public=False, triggered_ms=None)), sender(100, webhook(90, called=80))),
    Row(5, "we answer 4xx", "A: `success` false, a 4xx, one attempt", "2xx",
        DELIVERIES, "true", "EndpointFailing", "confirmed",
        sender(100, webhook(90, failed_ms=at(80), triggered_ms=at(80), failed_status=401)),
        sender(100, webhook(90, called=85, failed_ms=at(70), triggered_ms=at(85), failed_status=401))),
    Row(5, "we answer 5xx", "A: attempts at growing gaps", "one attempt",
        DELIVERIES, "true", "EndpointFailing", "confirmed",
        sender(100, webhook(90, failed_ms=at(80), triggered_ms=at(80), failed_status=503)),
        sender(100, webhook(90, called=80))),
    Row(5, "a redirect swallows the body", "A: `success` true; the URL answers 301 or 302", "a direct 2xx",
        DELIVERIES, "true", "RedirectSwallowed", "confirmed",
        sender(100, webhook(90, redirects=301)), sender(100, webhook(90, called=80, redirects=308))),
    Row(5, "TLS or DNS fails", "A: `lastFailure` without a status, with an error", "a status",
        DELIVERIES, "true", "EndpointUnreachable", "confirmed",
        sender(100, webhook(90, failed_ms=at(80), triggered_ms=at(80), failed_error="certificate has expired")),
        sender(100, webhook(90, failed_ms=at(80), triggered_ms=at(80), failed_status=500))),
    Row(5, "it arrives and we refuse it", "our own log: the signature fits no secret", "stored",
        DELIVERIES, "true", "SignatureMismatch", "suspected",
        endpoint(100, mismatch(10), mismatch(20), mismatch(30)),
        endpoint(100, mismatch(10), mismatch(20), mismatch(30), accepted(40))),
    Row(5, "it came out of order, or twice", "its id is stored already", "a new id",
        DELIVERIES, "false", "DeliveriesArriving", None,
        deliveries(100, *LIVE, *LIVE), deliveries(100)),
    Row(5, "nothing happened", "A: no stream was active; nothing in any log", "a log entry",
        DELIVERIES, "unknown", "NothingHappened", None,
        sender(100, webhook(90, triggered_ms=None, active_ms=None)), sender(100, webhook(90, called=80))),
    Row(5, "a lost idle, ended in silence", "A: inactive, last seen over 3 h before; W: no idle", "an idle",
        DELIVERIES, "true", "IdleNeverSent", "confirmed",
        deliveries(5 * HOUR, *LIVE, *(snapshot(5 * HOUR - ago, is_active=False, last_seen=600) for ago in (100, 40))),
        deliveries(5 * HOUR, *ENDED, *(snapshot(5 * HOUR - ago, is_active=False, last_seen=600) for ago in (100, 40)))),
    Row(5, "the account is suspended", "A: 403 `user is suspended`", "A: 200",
        DELIVERIES, "true", "UserSuspended", "confirmed",
        sender(100, webhook(90, called=-HOUR, standing="user_suspended")), sender(100, webhook(90, called=80))),
    Row(5, "delayed, not missing", "`timestamp` long after `createdAt`; retries in the log", "quick",
        DELIVERIES, "true", "DeliveriesDelayed", "confirmed",
        sender(400, WebhookState(WEBHOOK, first_ms=at(0), last_ms=at(300), late=(
            Late("e", "stream.started", at(0), at(300)),))),
        sender(400, WebhookState(WEBHOOK, first_ms=at(0), last_ms=at(300)))),
)  # fmt: skip


_HEAD = """# The answer key

Each cause of the five symptoms, the signals that support and refute it, and what is said where exactly those are
known. W: webhooks, seen or absent; A: the Studio API (`RECEIVER_STUDIO_API_KEY`); P: a probe, or playback info. A
test holds every row: with the supporting signals this is the answer, with the refuting ones it is not. Made by
`python -m tests.diagnosis.answer_key --write`.
"""


def document() -> str:
    """The answer key as it stands in the documentation."""
    parts = [_HEAD]
    for group, rows in groupby(ROWS, key=lambda row: row.group):
        parts.append(
            f"\n## {GROUPS[group]}\n\n| Cause | Supports | Refutes | Answer | Next step |\n|---|---|---|---|---|\n"
        )
        parts += [_line(row) for row in rows]
    return "".join(parts)


def _line(row: Row) -> str:
    sure = f", {row.certainty}" if row.certainty else ""
    step = reason_entry(row.condition, row.reason).next_step or "-"
    said = f"`{row.condition}` {row.status}: `{row.reason}`{sure}"
    return f"| {row.cause} | {row.supports} | {row.refutes} | {said} | {step} |\n"


def table() -> str:
    """Every row with whether it passes."""
    lines = [
        f"{GROUPS[row.group]:26} {row.cause:42} {row.reason:24} {'pass' if row.passes else 'FAIL'}" for row in ROWS
    ]
    return "\n".join([*lines, f"{sum(row.passes for row in ROWS)} of {len(ROWS)} pass."])


if __name__ == "__main__":
    if "--write" in sys.argv:
        DOCUMENT.write_text(document(), "utf-8")
    sys.stdout.write(f"{table()}\n")
