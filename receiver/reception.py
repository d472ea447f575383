"""From a raw delivery to an arrival that can be stored: verified, and routed to where it belongs."""

from dataclasses import dataclass

from receiver.diagnosis.ordering import position
from receiver.intake import Route, route
from receiver.livepeer.envelope import unreadable_id
from receiver.livepeer.signature import Keyring
from receiver.livepeer.verification import Verified, verify
from receiver.storage.arrivals import NOT_UNDERSTOOD, STORED, Arrival

UNREADABLE = "unreadable"
"""The kind of what was signed and is not understood."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST as it came. `signature` is the value of its `Livepeer-Signature`."""

    body: bytes
    signature: str | None
    remote: str
    received_ms: int


@dataclass(frozen=True, slots=True)
class Reception:
    """Whom we believe: the secrets, how old a signed body may be (None: as old as it likes), and whether unsigned ones
    are taken (P9)."""

    keyring: Keyring
    tolerance_ms: int | None
    allow_unsigned: bool = False

    def receive(self, delivery: Delivery, seq: int, code: str = STORED) -> Arrival:
        """The arrival that a delivery is, its age judged at the time of its receipt. `seq` and `code` are the
        arrival's. Raises `Refused`."""
        verified = verify(
            delivery.body,
            delivery.signature,
            keyring=self.keyring,
            now_ms=delivery.received_ms,
            tolerance_ms=self.tolerance_ms,
            allow_unsigned=self.allow_unsigned,
        )
        return _understood(delivery, verified, seq, code)


def _understood(delivery: Delivery, verified: Verified, seq: int, code: str) -> Arrival:
    envelope = verified.envelope
    if envelope is None:
        return _unreadable(delivery, verified, seq)
    return Arrival(
        seq,
        delivery.received_ms,
        delivery.remote,
        verified.secret_id,
        envelope.id,
        envelope.webhook_id,
        route(envelope),
        delivery.body,
        code,
        envelope,
    )


def _unreadable(delivery: Delivery, verified: Verified, seq: int) -> Arrival:
    """It belongs nowhere, and stands where it was received."""
    made_id, at_ms = unreadable_id(delivery.body), delivery.received_ms
    where = Route(
        kind=UNREADABLE,
        stream_id=None,
        session_id=None,
        playback_id=None,
        position=position(at_ms, UNREADABLE, made_id),
        at_ms=at_ms,
        created_ms=at_ms,
        attempted_ms=at_ms,
    )
    return Arrival(
        seq,
        at_ms,
        delivery.remote,
        verified.secret_id,
        made_id,
        "",
        where,
        delivery.body,
        NOT_UNDERSTOOD,
        problem=verified.problem,
    )
