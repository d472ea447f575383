"""Looking through the quarantine, and taking in what can be verified now: the right secret was configured meanwhile."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Connection

from receiver.ids import Ids
from receiver.livepeer.verification import Refused
from receiver.reception import Delivery, Reception
from receiver.storage.arrival import RELEASED, Arrival
from receiver.storage.arrivals import append
from receiver.storage.engine import Database
from receiver.storage.quarantine import Held, Kept, held, kept, remove

_AT_ONCE: Final = 100
"""Tried in one transaction: a serving process waits for the other meanwhile."""


@dataclass(frozen=True, slots=True)
class Released:
    """What a release came to: how many were taken in as new, were known already, and are still refused, by code."""

    accepted: int
    duplicate: int
    refused: Mapping[str, int]


def listing(database: Database) -> Iterator[Held]:
    """All that is held, oldest first. Blocks. Raises StoreUnavailable."""
    after = 0
    while page := database.read_now(partial(held, after=after, limit=_AT_ONCE)):
        yield from page
        after = page[-1].seq


def release(database: Database, ids: Ids, reception: Reception) -> Released:
    """Verify what is held against the secrets known now, its age judged at the time of its receipt, and take in what
    passes, in the order of receipt. A `reception` without tolerance ignores the age.

    Safe beside a serving process, whose diagnoser finds the new signals in `pending`. `ids` must have a node of its
    own. Blocks. Raises StoreUnavailable, with what went before already taken in.
    """
    counts: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    after = 0
    while page := database.read_now(partial(kept, after=after, limit=_AT_ONCE)):
        passed, codes = _try(page, ids, reception)
        counts += database.write_now(partial(_take_in, passed=passed))
        refused += codes
        after = page[-1].seq
    return Released(counts["accepted"], counts["duplicate"], dict(refused))


def _try(page: list[Kept], ids: Ids, reception: Reception) -> tuple[dict[int, Arrival], Counter[str]]:
    """What passes, by its `seq` in the quarantine, and the codes of what does not."""
    passed: dict[int, Arrival] = {}
    refused: Counter[str] = Counter()
    for row in page:
        delivery = Delivery(row.body, row.signature, row.remote, row.received_ms)
        try:
            passed[row.seq] = reception.receive(delivery, ids.next(), RELEASED)
        except Refused as error:
            refused[error.code.value] += 1
    return passed, refused


def _take_in(connection: Connection, passed: dict[int, Arrival]) -> Counter[str]:
    """Those that another process has released in between are left out."""
    mine = remove(connection, list(passed))
    outcomes = append(connection, [passed[seq] for seq in mine])
    return Counter(outcome.verdict for outcome in outcomes)
