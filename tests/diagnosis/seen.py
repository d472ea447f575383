"""How the tests of the diagnosis tell what was seen: snapshots, findings, gates' decisions; as `story` tells events."""

from receiver.diagnosis.looks import (
    Credential,
    GateTally,
    Look,
    PlaybackFinding,
    PlaybackVerdict,
    SessionLook,
    StreamLook,
    WebhookLook,
)
from receiver.diagnosis.senders import Registered, Registration, WebhookState, fold_registrations
from receiver.diagnosis.values import Signal
from receiver.sightings import kind_of, signal_of
from tests.diagnosis.story import PLAYBACK, SESSION, STREAM, WEBHOOK, at

NOT_ALLOWED = "Shutting down since this session is not allowed to view this stream"


def sighting(seconds: float, look: Look) -> Signal:
    """What was seen so many seconds after the start."""
    return signal_of(f"{kind_of(look)}@{seconds:g}", at(seconds), look, STREAM)


def snapshot(
    seconds: float, *, last_seen: float | None = None, newest_session: float | None = None, **facts: object
) -> Signal:
    """The stream as the Studio API shows it: found, public, not suspended, unless said otherwise."""
    look = StreamLook(
        **{
            "standing": "found",
            "playback_id": PLAYBACK,
            "suspended": False,
            "policy": "public",
            "last_seen_ms": None if last_seen is None else at(last_seen),
            "newest_session_ms": None if newest_session is None else at(newest_session),
            **facts,
        }  # type: ignore[arg-type]
    )
    return sighting(seconds, look)


def of_recording(
    seconds: float, *, session: str = SESSION, last_seen: float | None = None, began: float = 1, **facts: object
) -> Signal:
    """A session as the Studio API shows it."""
    look = SessionLook(
        **{
            "standing": "found",
            "session_id": session,
            "record": True,
            "created_ms": at(began),
            "last_seen_ms": None if last_seen is None else at(last_seen),
            **facts,
        }  # type: ignore[arg-type]
    )
    return sighting(seconds, look)


def finding(  # noqa: PLR0913 -- what a probe may find, each named
    seconds: float,
    verdict: PlaybackVerdict,
    reason: str | None = None,
    *,
    http_status: int | None = 200,
    error_line: str | None = None,
    playback_status: int | None = 200,
    credential: Credential = "none",
    origin: bool = False,
    session: str | None = None,
) -> Signal:
    """What a probe of the stream, or of a session's recording, found."""
    look = PlaybackFinding(
        verdict,
        reason,
        http_status=http_status,
        error_line=error_line,
        playback_status=playback_status,
        credential=credential,
        origin=origin,
        session_id=session,
    )
    return signal_of(f"probe@{seconds:g}", at(seconds), look, STREAM)


def refused(
    seconds: float, *, credential: Credential = "none", origin: bool = False, reason: str | None = "AccessDenied"
) -> Signal:
    """A probe that was refused, as HLS does it: 200 with an error line (FACTS 7.5)."""
    return finding(seconds, "denied", reason, error_line=NOT_ALLOWED, credential=credential, origin=origin)


def decided(seconds: float, **counts: int) -> Signal:
    """What a gate decided in the ten seconds before."""
    return sighting(seconds, GateTally("shop", at(seconds - 10), at(seconds), **counts))


def registered(seconds: float, **facts: object) -> Registered:
    """The webhook as the Studio API shows it: in order, unless said otherwise; times (`_ms`) are given as such."""
    look = WebhookLook(
        **{
            "standing": "found",
            "url": "https://hooks.example.com/webhooks/livepeer",
            "url_public": True,
            "redirects": 0,
            "events": (
                "stream.started", "stream.idle", "recording.started", "recording.waiting", "recording.ready",
            ),
            "secret": "ours",
            "created_ms": at(-86_400),
            "triggered_ms": at(seconds - 60),
            "active_ms": at(seconds - 300),
            **facts,
        }  # type: ignore[arg-type]
    )  # fmt: skip
    known = fold_registrations(None, [Registration(WEBHOOK, f"snap@{seconds:g}", at(seconds), look)])
    assert known is not None
    return known


def webhook(seconds: float, *, called: float | None = None, **facts: object) -> WebhookState:
    """A webhook that was seen so, and last called us at `called`."""
    last_ms = None if called is None else at(called)
    return WebhookState(WEBHOOK, first_ms=last_ms, last_ms=last_ms, registered=registered(seconds, **facts))
