"""What our gates decided, told to the streams it was decided about.

What a gate's call says of its stream is not to be trusted (FACTS 12): it makes no stream known, and only tells of one
that is known already.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from receiver.clock import Clock
from receiver.diagnosis.looks import GateTally
from receiver.gates.tally import WINDOW_MS, Tally
from receiver.ids import Ids
from receiver.seeing import Seen, note
from receiver.storage.engine import Database
from receiver.storage.queries.streams import refused_streams, streams_of_playbacks

MOST_STREAMS = 100
"""To so many streams whose viewers are refused it is told that calls came which could not be believed."""


@dataclass(frozen=True, slots=True)
class Gatekeeping:
    """Takes what was counted. `tell` is called when something of it was noted."""

    database: Database
    ids: Ids
    clock: Clock
    tell: Callable[[], None]

    async def __call__(self, tallies: Sequence[Tally]) -> None:
        """See `receiver.gates.gates.OnTally`. Raises StoreUnavailable."""
        owners = await self.database.read(lambda connection: _owners(connection, tallies))
        seen = [
            Seen(_look(tally), stream_id=stream_id)
            for tally in tallies
            for stream_id in owners.get(tally.playback_id, ())
        ]
        if seen:
            await note(self.database, self.ids, self.clock.now_ms(), seen)
            self.tell()


def _owners(connection: Connection, tallies: Sequence[Tally]) -> Mapping[str | None, Sequence[str]]:
    """The streams of the playback ids. Of calls that could not be believed nobody knows whose they were: they may
    explain why viewers of any are refused."""
    playback_ids = sorted({tally.playback_id for tally in tallies if tally.playback_id is not None})
    owners: dict[str | None, Sequence[str]] = {
        playback_id: [stream_id] for playback_id, stream_id in streams_of_playbacks(connection, playback_ids).items()
    }
    if any(tally.playback_id is None and tally.refused for tally in tallies):
        owners[None] = refused_streams(connection, MOST_STREAMS)
    return owners


def _look(tally: Tally) -> GateTally:
    return GateTally(
        gate=tally.gate,
        from_ms=tally.from_ms,
        until_ms=tally.from_ms + WINDOW_MS,
        allowed=tally.allowed,
        denied=tally.denied,
        failed=tally.failed,
        slow=tally.slow,
        refused=tally.refused,
        no_key=tally.no_key,
        status=tally.last_status,
        ret=tally.last_ret,
    )
