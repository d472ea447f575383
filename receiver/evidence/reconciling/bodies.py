"""The stored body of a logged attempt, read with suspicion: what it says of itself must fit where it stands."""

from msgspec import Struct

from receiver.evidence.reconciling.values import RefusedAs
from receiver.livepeer.envelope import Envelope, NotUnderstood, envelope_of, is_gate_request, looked_at
from receiver.livepeer.studio.webhooks import LogEntry
from receiver.storage.event_keys import event_key


class Logged(Struct, frozen=True, gc=False):
    """An attempt at an event as the sender's log has it. `key` is the event's (`receiver.storage.event_keys`)."""

    key: bytes
    envelope: Envelope
    body: bytes
    logged_ms: int
    success: bool
    status: int | None


def read_logged(entry: LogEntry, webhook_id: str, max_body_bytes: int) -> Logged | RefusedAs:
    """The attempt that an entry of this webhook's log tells of, or why its body is not taken in. It came from the
    Studio API, with our key: neither its signature nor its age is judged, as either is the sender's own."""
    body = entry.body
    if not body or len(body) > max_body_bytes:
        return "too_large" if body else "no_body"
    try:
        value = looked_at(body)
        if is_gate_request(value):
            return "gate_request"
        envelope = envelope_of(value)
    except NotUnderstood:
        return "not_an_event"
    if envelope.documented_form:
        return "not_an_event"
    if envelope.webhook_id != webhook_id or entry.webhook_id not in {None, webhook_id}:
        return "foreign_webhook"
    logged_ms = envelope.timestamp_ms if entry.created_ms is None else entry.created_ms
    key = event_key(envelope.id, envelope.webhook_id)
    return Logged(key, envelope, body, logged_ms, entry.success is True or _is_success(entry.status), entry.status)


def _is_success(status: int | None) -> bool:
    return status is not None and 200 <= status < 300
