"""Deliveries that were refused: their verdicts, and the bodies of those that may yet turn out to be ours."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from sqlalchemy import Connection, Table, bindparam, delete, false, func, insert, select

from receiver.livepeer.envelope import Claim
from receiver.storage.arrival import Outcome
from receiver.storage.bulk import Row, Values
from receiver.storage.deliveries import await_look, record
from receiver.storage.tables import QuarantineRow

LONGEST_SIGNATURE: Final = 4096
"""No longer header can be read, so no more of it is kept."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A delivery that could not be taken in. `keep` says whether its body is worth keeping; `claim` is what the body
    says of itself, to be trusted only where `secret_id` names the secret that signed it. The rest is
    for the log: what is wrong, how far the body's time is ahead of ours, and how many refused deliveries before this
    one were only counted."""

    seq: int
    received_ms: int
    remote: str
    signature: str | None
    body: bytes
    code: str
    claim: Claim | None
    secret_id: str | None
    keep: bool
    detail: str = ""
    offset_ms: int | None = None
    unrecorded: int = 0

    @property
    def shaped(self) -> bool:
        """Whether the body has the shape of Livepeer's."""
        return self.claim is not None


class Held(NamedTuple):
    """What is told of a kept delivery."""

    seq: int
    received_ms: int
    code: str
    remote: str
    event_id: str | None
    webhook_id: str | None
    event: str | None
    shaped: bool
    bytes: int


class Kept(NamedTuple):
    """What is needed to try a kept delivery again."""

    seq: int
    received_ms: int
    remote: str
    signature: str | None
    body: bytes


class Tally(NamedTuple):
    """How much is held from one source."""

    shaped: bool
    remote: str
    rows: int
    bytes: int


_TABLE: Final = cast("Table", QuarantineRow.__table__)
_HELD: Final = [_TABLE.c[name] for name in Held._fields]
_KEPT: Final = [_TABLE.c[name] for name in Kept._fields]
_PAGE: Final = _TABLE.c.seq > bindparam("after")


def note(connection: Connection, outcomes: Iterable[tuple[Rejection, Outcome]]) -> None:
    """Record the deliveries. The diagnoser is told of those of Livepeer's shape: our endpoint refuses what may be
    genuine. Of the subjects that they name it is told nothing (P14)."""
    told = list(outcomes)
    record(connection, [_delivery(*pair) for pair in told])
    await_look(connection, [(rejection.seq, None, False) for rejection, _ in told if rejection.shaped])


def _delivery(rejection: Rejection, outcome: Outcome) -> Values:
    claim = rejection.claim
    signed = claim if rejection.secret_id is not None else None
    return (
        rejection.seq,
        rejection.received_ms,
        outcome.verdict,
        outcome.code,
        rejection.remote,
        len(rejection.body),
        claim and claim.id,
        claim and claim.webhook_id,
        claim and claim.event,
        signed and signed.created_ms,
        signed and signed.timestamp_ms,
        rejection.secret_id,
        rejection.shaped,
    )


def _claimed(claim: Claim | None) -> Row:
    if claim is None:
        return {"event_id": None, "webhook_id": None, "event": None}
    return {"event_id": claim.id, "webhook_id": claim.webhook_id, "event": claim.event}


def hold(connection: Connection, rejection: Rejection) -> None:
    """Keep a delivery's body. Of a claimed event only one may be held: see `holds`."""
    row = {
        "seq": rejection.seq,
        "received_ms": rejection.received_ms,
        "code": rejection.code,
        "remote": rejection.remote,
        "signature": _storable(rejection.signature),
        **_claimed(rejection.claim),
        "shaped": rejection.shaped,
        "bytes": len(rejection.body),
        "body": rejection.body,
    }
    connection.execute(insert(_TABLE), row)


def _storable(signature: str | None) -> str | None:
    """A header may hold any byte; what is not ASCII cannot be a signature."""
    return signature and signature[:LONGEST_SIGNATURE].encode("ascii", "replace").decode()


def holds(connection: Connection, event_id: str) -> bool:
    """Whether a copy of the event is held."""
    found = connection.execute(select(_TABLE.c.seq).where(_TABLE.c.event_id == event_id))
    return found.first() is not None


def tallies(connection: Connection) -> list[Tally]:
    """How much is held, by shape and source."""
    sums = select(_TABLE.c.shaped, _TABLE.c.remote, func.count(), func.sum(_TABLE.c.bytes))
    return [Tally(*row) for row in connection.execute(sums.group_by(_TABLE.c.shaped, _TABLE.c.remote))]


def evict_oldest(connection: Connection, remote: str | None) -> Tally | None:
    """Remove the oldest delivery that does not have Livepeer's shape, of one source or of all. Returns what there is
    less now, None where there is nothing to remove."""
    oldest = select(_TABLE.c.seq, _TABLE.c.remote, _TABLE.c.bytes).where(_TABLE.c.shaped == false())
    if remote is not None:
        oldest = oldest.where(_TABLE.c.remote == remote)
    row = connection.execute(oldest.order_by(_TABLE.c.seq).limit(1)).one_or_none()
    if row is None:
        return None
    remove(connection, [row.seq])
    return Tally(shaped=False, remote=row.remote, rows=1, bytes=row.bytes)


def held(connection: Connection, after: int, limit: int) -> list[Held]:
    """What is held, oldest first, from behind a `seq`."""
    query = select(*_HELD).where(_PAGE).order_by(_TABLE.c.seq).limit(limit)
    return [Held(*row) for row in connection.execute(query, {"after": after})]


def kept(connection: Connection, after: int, limit: int) -> list[Kept]:
    """The bodies of what is held, oldest first, from behind a `seq`."""
    query = select(*_KEPT).where(_PAGE).order_by(_TABLE.c.seq).limit(limit)
    return [Kept(*row) for row in connection.execute(query, {"after": after})]


def remove(connection: Connection, seqs: Sequence[int]) -> list[int]:
    """Keep these no longer. Returns those that were still there, oldest first."""
    these = _TABLE.c.seq.in_(bindparam("seqs", expanding=True))
    found = connection.execute(select(_TABLE.c.seq).where(these).order_by(_TABLE.c.seq), {"seqs": seqs}).scalars().all()
    connection.execute(delete(_TABLE).where(these), {"seqs": found})
    return list(found)
