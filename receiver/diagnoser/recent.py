"""What this process has just taken in: it was read already, and need not be read again from the store.

Only the store says what is in the inbox; this only saves reading it. What is not here (after a restart, beyond the
bound, or because another process stored it) is read.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from receiver.storage import inbox
from receiver.storage.arrival import Arrival

MOST = 20_000
"""Some 4 KB each."""


class Recent:
    """Filled by the thread that answers deliveries, emptied by the one that writes."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._arrivals: dict[int, Arrival] = {}

    def __len__(self) -> int:
        """How many wait."""
        return len(self._arrivals)

    def add(self, arrivals: Iterable[Arrival]) -> None:
        """These deliveries were committed."""
        for arrival in arrivals:
            if len(self._arrivals) < self._most:
                self._arrivals[arrival.seq] = arrival

    def take(self, connection: Connection, most: int, most_bytes: int) -> Sequence[Arrival]:
        """The oldest in the inbox that nobody else is filing, so many, or as many as hold about so many bytes that must
        be read."""
        known = list(self._arrivals)
        seqs = inbox.claim_oldest(connection, most)
        found = {seq: self._arrivals[seq] for seq in seqs if seq in self._arrivals}
        missing = [seq for seq in seqs if seq not in found]
        read = inbox.read(connection, missing, most_bytes)
        found.update((arrival.seq, arrival) for arrival in read)
        all_found = len(seqs) < most
        if len(read) < len(missing):
            all_found, seqs = False, [seq for seq in seqs if seq < missing[len(read)]]
        if all_found and known:
            self._forget(known[-1])
        elif seqs:
            self._forget(seqs[-1])
        return [found[seq] for seq in seqs]

    def _forget(self, until_seq: int) -> None:
        """What is no longer in the inbox, whoever has filed it."""
        for seq in list(self._arrivals):
            if seq > until_seq:
                break
            del self._arrivals[seq]
