"""A verified delivery on its way into the log, and what became of it there."""

from typing import Final

from msgspec import Struct

from receiver.diagnosis.ordering import position
from receiver.diagnosis.values import Signal
from receiver.intake import Route, read_event, route
from receiver.livepeer.envelope import Envelope, NotUnderstood, read_envelope, unreadable_id
from receiver.storage.deliveries import Verdict

STORED: Final = "stored"
RELEASED: Final = "released"
RECONCILED: Final = "reconciled"
"""Taken from the sender's own log: it never reached us, or a first attempt at it did not."""
NOT_UNDERSTOOD: Final = "not_understood"
REPEATED: Final = "repeated"
CONTRADICTING: Final = "contradicting"

UNREADABLE: Final = "unreadable"
"""The kind of what was signed and is not understood."""


class Arrival(Struct, frozen=True, gc=False):
    """A verified delivery. `seq` is its own id, and the signal's if the event is new; `id` is the event's. `code`
    stands on the delivery if the event is new; `NOT_UNDERSTOOD` also flags the event, whose `route` is made up but for
    `attempted_ms`."""

    seq: int
    received_ms: int
    remote: str
    secret_id: str | None
    id: str
    webhook_id: str
    route: Route
    body: bytes
    code: str = STORED
    signal: Signal | None = None
    """What the body says, without what only other deliveries tell."""
    problem: str | None = None
    """Why it could not be read: names keys, never values."""

    @property
    def understood(self) -> bool:
        """Whether the body could be read."""
        return self.code != NOT_UNDERSTOOD


class Outcome(Struct, frozen=True, gc=False):
    """What became of a delivery. `changed` says whether there is something new to fold: a new event, or an earlier
    attempt at a known one."""

    verdict: Verdict
    code: str
    changed: bool = False


def understood(
    seq: int,
    received_ms: int,
    remote: str,
    secret_id: str | None,
    body: bytes,
    envelope: Envelope,
    code: str = STORED,
) -> Arrival:
    """The arrival of a body that is an envelope. One that no rule of ours can read is stored all the same (P3)."""
    try:
        where = route(envelope)
        signal = read_event(envelope, where.attempted_ms, None, where.position)
    except Exception as error:  # noqa: BLE001 -- a defect of ours, of whatever kind, must not cost an event
        return unreadable(seq, received_ms, remote, secret_id, body, f"{type(error).__name__} while it was read")
    return Arrival(seq, received_ms, remote, secret_id, envelope.id, envelope.webhook_id, where, body, code, signal)


def unreadable(
    seq: int, received_ms: int, remote: str, secret_id: str | None, body: bytes, problem: str | None
) -> Arrival:
    """The arrival of any other body: it belongs nowhere, and stands where it was received."""
    made_id = unreadable_id(body)
    where = Route(
        kind=UNREADABLE,
        stream_id=None,
        session_id=None,
        playback_id=None,
        position=position(received_ms, UNREADABLE, made_id),
        at_ms=received_ms,
        created_ms=received_ms,
        attempted_ms=received_ms,
    )
    return Arrival(seq, received_ms, remote, secret_id, made_id, "", where, body, NOT_UNDERSTOOD, problem=problem)


def read_again(seq: int, received_ms: int, remote: str, secret_id: str | None, body: bytes) -> Arrival:
    """The arrival of a body that was verified before."""
    try:
        envelope = read_envelope(body)
    except NotUnderstood as error:
        return unreadable(seq, received_ms, remote, secret_id, body, str(error))
    return understood(seq, received_ms, remote, secret_id, body, envelope)
