"""What Livepeer says: the envelope of a webhook's body (FACTS 1.1, 3), read from raw bytes.

Pure, and wary: a body may be anything. Whatever it is, reading it gives an `Envelope`, or raises `NotUnderstood`.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import TypeGuard

from msgspec import Struct
from pydantic import JsonValue
from pydantic_core import from_json

from receiver.livepeer.body import LATEST_MS, MAX_ID_CHARS, Payload, Stream, fitted, members

JsonObject = Mapping[str, JsonValue]


class NotUnderstood(ValueError):
    """The body is no envelope. The message says why, naming keys only, never values."""


class Envelope(Struct, frozen=True, gc=False):
    """One attempt at one event.

    `created_ms` is when the event was emitted (often misleading, FACTS 12), `timestamp_ms` when this attempt was made.
    `stream` and `payload` are None where the body has none; of both there is what `receiver.livepeer.body` looks at.
    Neither is shown by `repr`: they hold what must not be logged.
    """

    id: str
    webhook_id: str
    event: str
    created_ms: int
    timestamp_ms: int
    stream: Stream | None
    payload: Payload | None
    documented_form: bool
    """No `id`, perhaps an `event_object`: as the public documentation describes the body, and nobody sends it."""

    def __repr__(self) -> str:
        return f"Envelope({self.claim()}, documented_form={self.documented_form})"

    def claim(self) -> "Claim":
        """What the envelope says of itself."""
        return Claim(self.id, self.webhook_id, self.event, self.created_ms, self.timestamp_ms)


class Claim(Struct, frozen=True, gc=False):
    """What a body of Livepeer's shape says of itself, true or not."""

    id: str
    webhook_id: str
    event: str
    created_ms: int
    timestamp_ms: int


def read_envelope(body: bytes) -> Envelope:
    """Decode and read a body, raising `NotUnderstood`."""
    return envelope_of(looked_at(body))


def looked_at(body: bytes) -> Envelope | JsonValue:
    """The envelope of a body as Livepeer sends it; of any other, its JSON value. Raises `NotUnderstood` as `decode`
    does."""
    found = members(body)
    if found is None or not (found.id + found.webhook_id + found.event).isprintable():
        return decode(body)
    return Envelope(
        found.id,
        found.webhook_id,
        found.event,
        found.created_at,
        found.timestamp,
        found.stream,
        found.payload,
        documented_form=False,
    )


def decode(body: bytes) -> JsonValue:
    """The JSON value of a body, raising `NotUnderstood`.

    Not taken: what is no UTF-8 (a byte order mark included) or no JSON, lone surrogates, NaN, nesting beyond about 200,
    integers beyond 4300 digits. Of a duplicated key the last one counts, as for the sender itself. A number too large
    for a float (`1e999`) becomes infinite.
    """
    try:
        value: JsonValue = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise NotUnderstood(f"the body is not JSON: {error}") from None
    return value


def envelope_of(value: Envelope | JsonValue) -> Envelope:
    """Read the envelope of what was looked at, raising `NotUnderstood`.

    `webhookId`, `event` and both times are required; an `id` too long, empty or with control characters is not taken,
    none at all means the documented form. `stream` and `payload` may be null, which counts as absent. Unknown keys and
    unknown events are fine.
    """
    if isinstance(value, Envelope):
        return value
    if not isinstance(value, dict):
        raise NotUnderstood("the body is not an object")
    documented_form = "id" not in value
    event = _text(value, "event")
    stream, payload = _parts(value, event)
    return Envelope(
        _made_id(value) if documented_form else _text(value, "id"),
        _text(value, "webhookId"),
        event,
        _time(value, "createdAt"),
        _time(value, "timestamp"),
        None if stream is None else fitted(Stream, stream),
        None if payload is None else fitted(Payload, payload),
        documented_form,
    )


def claimed_ms(value: Envelope | JsonValue) -> int | None:
    """When this attempt was made, as what was looked at says, whatever else it is."""
    if isinstance(value, Envelope):
        return value.timestamp_ms
    timestamp = value.get("timestamp") if isinstance(value, dict) else None
    return timestamp if is_time(timestamp) else None


def is_identifier(value: object) -> TypeGuard[str]:
    """Whether a value can name something: 1 to 200 characters, none of them a control character."""
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARS and value.isprintable()


def is_time(value: object) -> TypeGuard[int]:
    """Whether a value is a time in integer milliseconds between 1970 and 9999."""
    return type(value) is int and 0 <= value <= LATEST_MS


def _text(value: JsonObject, key: str) -> str:
    text = value.get(key)
    if is_identifier(text):
        return text
    raise NotUnderstood(f"`{key}` is not a printable text of 1 to {MAX_ID_CHARS} characters")


def _time(value: JsonObject, key: str) -> int:
    time_ms = value.get(key)
    if is_time(time_ms):
        return time_ms
    raise NotUnderstood(f"`{key}` is not a time in whole milliseconds")


def _object(value: JsonObject, key: str) -> JsonObject | None:
    part = value.get(key)
    if part is None or isinstance(part, dict):
        return part
    raise NotUnderstood(f"`{key}` is not an object")


def _parts(value: JsonObject, event: str) -> tuple[JsonObject | None, JsonObject | None]:
    """The `stream` and the `payload`, whatever form they came in."""
    stream, payload = _object(value, "stream"), _object(value, "payload")
    documented = _object(value, "event_object")
    if documented is not None and stream is None and payload is None:
        if event.startswith("stream."):
            return documented, None
        payload = documented
    return stream, None if payload is None else _in_sent_form(payload, event)


def _in_sent_form(payload: JsonObject, event: str) -> JsonObject:
    """A bare session, as the documented form may hold, is put where the sender puts it."""
    if "parentId" in payload and "session" not in payload and event.partition(".")[0] == "recording":
        return {"session": dict(payload)}
    return payload


def _made_id(value: JsonObject) -> str:
    """The same for every attempt at one event: all but `timestamp` is frozen between attempts (FACTS 1.3)."""
    frozen = {key: part for key, part in value.items() if key != "timestamp"}
    text = json.dumps(frozen, sort_keys=True, separators=(",", ":"))
    return f"doc_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def unreadable_id(body: bytes) -> str:
    """The id under which a signed body is kept that cannot be understood."""
    return f"raw_{hashlib.sha256(body).hexdigest()[:32]}"


def is_gate_request(value: Envelope | JsonValue) -> bool:
    """Whether a body is a gate's, or may have been forged through one: a genuine event never has these keys at its
    top, a body that the sender was made to sign always has one (FACTS 12)."""
    return isinstance(value, dict) and ("context" in value or "accessKey" in value)


def looks_like_livepeer(body: bytes) -> Claim | None:
    """What a body claims to be, if it has the shape of an event as Livepeer really sends it."""
    try:
        value = looked_at(body)
        envelope = None if is_gate_request(value) else envelope_of(value)
    except NotUnderstood:
        return None
    return None if envelope is None or envelope.documented_form else envelope.claim()
