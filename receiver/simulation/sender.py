"""A model of Livepeer's sender: what it emits, and how it signs each attempt (FACTS 1 to 5).

No clock and no randomness of its own: times are given, ids are drawn from a seeded generator. Offsets (`at_ms`) count
from the story's start.
"""

import json
import string
from dataclasses import dataclass, replace
from random import Random
from uuid import UUID

from receiver.livepeer.signature import sign
from receiver.simulation import work
from receiver.simulation.objects import (
    JsonObject,
    Owner,
    Session,
    Stream,
    new_session_object,
    recording_urls,
    session_object,
    stream_object,
)

_BASE_36 = string.digits + string.ascii_lowercase


@dataclass(frozen=True, slots=True)
class Event:
    """What is frozen between the attempts at an event. `created_ms` is absolute and often misleading (FACTS 12),
    `emitted_ms` is the offset at which the sender had it ready."""

    id: str
    name: str
    created_ms: int
    emitted_ms: int
    stream: JsonObject | None = None
    payload: JsonObject | None = None

    def body(self, webhook_id: str, timestamp_ms: int) -> bytes:
        """The raw body of one attempt: compact JSON in raw UTF-8, absent keys absent."""
        envelope: JsonObject = {
            "id": self.id,
            "webhookId": webhook_id,
            "createdAt": self.created_ms,
            "timestamp": timestamp_ms,
            "event": self.name,
        }
        if self.stream is not None:
            envelope["stream"] = self.stream
        if self.payload is not None:
            envelope["payload"] = self.payload
        return compact(envelope)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What travels: the body's bytes, and the value of the header `Livepeer-Signature`."""

    body: bytes
    signature: str


def compact(value: JsonObject) -> bytes:
    """JSON as the sender writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Ids:
    """The identifiers of a story, all from one seeded generator."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def uuid(self) -> str:
        """A UUID of version 4."""
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def playback_id(self, of: str) -> str:
        """16 base-36 characters that begin with the first four of the id (FACTS 2.3)."""
        return of[:4] + "".join(self._random.choices(_BASE_36, k=12))


class Studio:
    """The sender with one account and one stream. Its methods make events, in the order of a story."""

    def __init__(self, start_ms: int, random: Random, *, name: str = "town-hall", record: bool = True) -> None:
        self._ids = Ids(random)
        self.start_ms = start_ms
        self.webhook_id = self._ids.uuid()
        self.owner = Owner(self._ids.uuid(), self._ids.uuid(), self._ids.uuid())
        stream_id = self._ids.uuid()
        self.stream = Stream(
            id=stream_id,
            playback_id=self._ids.playback_id(stream_id),
            name=name,
            record=record,
            created_ms=start_ms - 3_558_066,
            targets=((self._ids.uuid(), "Main channel", "source"), (self._ids.uuid(), "live.partner.example", "720p0")),
        )
        self.session: Session | None = None
        self._fed_until_ms = start_ms
        self._spawned_ms = start_ms

    def another_webhook(self) -> str:
        """The id of one more webhook for the same events."""
        return self._ids.uuid()

    def started(self, at_ms: int, region: str = "fra") -> Event:
        """stream.started: the node's buffer is full. While live it is a takeover by another node."""
        now_ms = self.start_ms + at_ms
        self._feed(now_ms)
        self._fed_until_ms = now_ms
        self.stream = replace(self.stream, active=True, healthy=True, region=region, last_seen_ms=now_ms - 23)
        return self._of_stream("stream.started", at_ms)

    def idle(self, at_ms: int) -> Event:
        """stream.idle: the buffer ran empty. The report of an inactive stream sets its health to null."""
        now_ms = self.start_ms + at_ms
        self._feed(now_ms)
        self.stream = replace(self.stream, active=False, healthy=None, reported=True, last_seen_ms=now_ms - 31)
        return self._of_stream("stream.idle", at_ms)

    def vanished(self, at_ms: int) -> None:
        """The media stopped, and the sender does not know: no event."""
        self._feed(self.start_ms + at_ms)
        self._fed_until_ms = self.start_ms + 10**12

    def recording_started(self, at_ms: int) -> Event:
        """recording.started: the first run of a new session of a stream that records."""
        session_id = self._ids.uuid()
        self.session = Session(
            id=session_id,
            stream_id=self.stream.id,
            stream_playback_id=self.stream.playback_id,
            asset_playback_id=self._ids.playback_id(session_id),
            task_id=self._ids.uuid(),
            record=self.stream.record,
            created_ms=self.start_ms + at_ms - 36,
        )
        return self._of_stream("recording.started", at_ms, {"session": new_session_object(self.session, self.owner)})

    def multistream_connected(self, at_ms: int, target: int = 0) -> Event:
        """multistream.connected: 7 s after an outgoing push began."""
        self._feed(self.start_ms + at_ms)
        self.stream = replace(self.stream, reported=True, last_seen_ms=self.start_ms + at_ms - 491)
        target_id, name, profile = self.stream.targets[target]
        shown: JsonObject = {"target": {"id": target_id, "name": name, "profile": profile}}
        return self._of_stream("multistream.connected", at_ms, shown)

    def recording_waiting(self, at_ms: int, first_idle_ms: int) -> Event:
        """recording.waiting: processing begins. Its `createdAt` is that of the session's first idle (FACTS 12)."""
        shown: JsonObject = {"session": session_object(self._known(), self.stream, self.owner, urls=False)}
        event = self._of_stream("recording.waiting", at_ms, shown)
        return replace(event, created_ms=self.start_ms + first_idle_ms + 63)

    def recording_ready(self, at_ms: int) -> Event:
        """recording.ready: the URLs stand on the payload and in the session."""
        session = self._known()
        shown = session_object(session, self.stream, self.owner, urls=True)
        return self._of_stream("recording.ready", at_ms, recording_urls(session) | {"session": shown})

    def asset_created(self, at_ms: int) -> Event:
        """asset.created: its `createdAt` is the session's start."""
        snapshot = work.new_asset(self._known(), self.owner, self.start_ms + at_ms - 87)
        return replace(self._of_asset("asset.created", at_ms, snapshot), created_ms=self._known().created_ms)

    def asset_changed(self, name: str, at_ms: int, phase: str, **status: float | str) -> Event:
        """An asset event; `status` is what follows phase and time: `progress` or `errorMessage`."""
        written: JsonObject = {"phase": phase, "updatedAt": self.start_ms + at_ms - 22, **status}
        return self._of_asset(name, at_ms, work.asset(self._known(), self.owner, written, self.stream.media_ms))

    def task_spawned(self, at_ms: int) -> Event:
        """task.spawned: the row of the upload task was inserted."""
        self._spawned_ms = self.start_ms + at_ms
        written: JsonObject = {"phase": "pending", "updatedAt": self._spawned_ms}
        return self._of_task("task.spawned", at_ms, work.new_task(self._known(), self.owner, written, self._spawned_ms))

    def task_queued(self, at_ms: int) -> Event:
        """task.updated, phase `waiting`: the task was handed to the queue."""
        written: JsonObject = {"phase": "waiting", "updatedAt": work.scheduled_ms(self._spawned_ms), "retries": 0}
        snapshot = work.new_task(self._known(), self.owner, written, self._spawned_ms)
        return self._of_task("task.updated", at_ms, snapshot | {"scheduledAt": work.scheduled_ms(self._spawned_ms)})

    def task_changed(self, name: str, at_ms: int, phase: str, **status: float | str) -> Event:
        """Any later task event; `status` is what follows phase and time, in the sender's order."""
        written: JsonObject = {"phase": phase, "updatedAt": self.start_ms + at_ms, **status}
        media_ms = self.stream.media_ms
        return self._of_task(name, at_ms, work.task(self._known(), self.owner, written, self._spawned_ms, media_ms))

    def _known(self) -> Session:
        if self.session is None:
            raise ValueError("the story has no session yet")
        return self.session

    def _feed(self, now_ms: int) -> None:
        if self.stream.active and now_ms > self._fed_until_ms:
            media_ms = self.stream.media_ms + now_ms - self._fed_until_ms
            self.stream, self._fed_until_ms = replace(self.stream, media_ms=media_ms), now_ms

    def _of_stream(self, name: str, at_ms: int, payload: JsonObject | None = None) -> Event:
        shown = stream_object(self.stream, self.owner)
        return Event(self._ids.uuid(), name, self.start_ms + at_ms, at_ms, shown, payload)

    def _of_asset(self, name: str, at_ms: int, snapshot: JsonObject) -> Event:
        payload: JsonObject = {"asset": {"id": snapshot["id"], "snapshot": snapshot}}
        return Event(self._ids.uuid(), name, self.start_ms + at_ms, at_ms, payload=payload)

    def _of_task(self, name: str, at_ms: int, snapshot: JsonObject) -> Event:
        shown: JsonObject = {"task": {"id": snapshot["id"], "type": snapshot["type"], "snapshot": snapshot}}
        succeeded: JsonObject = (
            {"success": name == "task.completed"} if name in {"task.completed", "task.failed"} else {}
        )
        return Event(self._ids.uuid(), name, self.start_ms + at_ms, at_ms, payload=succeeded | shown)


def attempt(event: Event, webhook_id: str, secret: str, timestamp_ms: int) -> Attempt:
    """One attempt at an event, freshly signed: only `timestamp` and the signature differ from the one before."""
    body = event.body(webhook_id, timestamp_ms)
    return Attempt(body, sign(secret, body, timestamp_ms))
