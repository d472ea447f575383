"""A delivery as those judge it who look at the way in, not at what came in."""

from msgspec import Struct

_VERIFIED = frozenset({"accepted", "duplicate"})
_AFTERWARDS = frozenset({"released", "reconciled"})


class Receipt(Struct, frozen=True, gc=False):
    """One delivery and its verdict, as `receiver.storage` keeps it. `id` is the delivery's own, which only a refused
    one need have; `seq`, where it is known, grows from each to the next though the clock may step back; `shaped` says
    whether it looks like Livepeer's; the times and the ids are what its body claims."""

    id: str
    received_ms: int
    verdict: str
    code: str
    shaped: bool
    webhook_id: str | None = None
    event_id: str | None = None
    event: str | None = None
    created_ms: int | None = None
    timestamp_ms: int | None = None
    seq: int = 0


def is_verified(receipt: Receipt) -> bool:
    """Whether it came from Livepeer."""
    return receipt.verdict in _VERIFIED


def is_accepted(receipt: Receipt) -> bool:
    """Whether our endpoint took it in when it came: what was released from quarantine, or read in the sender's own log,
    was not."""
    return is_verified(receipt) and receipt.code not in _AFTERWARDS


def is_read(receipt: Receipt) -> bool:
    """Whether it was read in the sender's own log: the webhook did not call us with it."""
    return receipt.code == "reconciled"
