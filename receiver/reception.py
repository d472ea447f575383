"""From a raw delivery to an arrival that can be stored: verified, and routed to where it belongs."""

from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from receiver.livepeer.signature import Keyring
from receiver.livepeer.verification import verify
from receiver.storage.arrival import STORED, Arrival, understood, unreadable

PATH: Final = "/webhooks/livepeer"
"""Where deliveries are taken in, below the address of the service."""


class Delivery(Struct, frozen=True, gc=False):
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
        came = seq, delivery.received_ms, delivery.remote, verified.secret_id, delivery.body
        if verified.envelope is None:
            return unreadable(*came, verified.problem)
        return understood(*came, verified.envelope, code)
