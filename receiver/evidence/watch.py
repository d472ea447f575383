"""The watch: goes and looks at what the state machines want looked at, and tells them what it saw.

It holds no conclusions. What is wanted, and when, is written with the conclusions (`receiver.diagnosis.inquiries`); a
look that fails is tried again a minute later. Of several processes one is on watch at a time, so that all together
stay within the API's patience.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec.json import Decoder
from sqlalchemy import Connection

from receiver.background import Background
from receiver.clock import Clock
from receiver.diagnosis.inquiries import Inquiry
from receiver.diagnosis.looks import Look
from receiver.diagnosis.state import StreamState
from receiver.errors import InvalidRequest, StoreUnavailable
from receiver.evidence.prober import Prober, finding_of
from receiver.evidence.probing.values import ProbeRequest, is_origin
from receiver.evidence.snapshots import look_at_session, look_at_stream
from receiver.ids import Ids
from receiver.livepeer.studio import StudioClient
from receiver.livepeer.studio.failures import StudioError
from receiver.logs import get_logger
from receiver.seeing import Seen, note
from receiver.storage import inquiries, leases
from receiver.storage.engine import Database

NAME: Final = "evidence"
LOOK_S: Final = 1.0
"""The longest pause: others may have concluded what wants a look."""
TURN_MS: Final = 60_000
"""For so long one process is on watch, unless it goes on."""
AGAIN_MS: Final = 60_000
"""What failed is tried again after that."""
AT_ONCE: Final = 64
"""Streams that are looked at at the same time."""
PROBES_AT_ONCE: Final = 16
"""Of those, by probes, which may hang: what the Studio API is asked is not to wait for them."""
_WANTED: Final = Decoder(tuple[Inquiry, ...])
_STATE: Final = Decoder(StreamState)
_log: Final = get_logger("receiver")


class Watch:
    """Takes turns in the background: some streams at a time, each as it is wanted. Without a client it asks the Studio
    API nothing, without a prober it probes nothing; `tell` is called when something was seen."""

    def __init__(
        self,
        database: Database,
        ids: Ids,
        clock: Clock,
        studio: StudioClient | None,
        prober: Prober | None,
        tell: Callable[[], None],
    ) -> None:
        self._database, self._ids, self._clock = database, ids, clock
        self._studio, self._prober, self._tell = studio, prober, tell
        self._background = Background(NAME, self._turn)
        self._probes = asyncio.Semaphore(PROBES_AT_ONCE)
        self._at_hand: dict[str, asyncio.Task[None]] = {}
        """The streams (by id) that are being looked at: a look may take a minute, and others are not to wait for it."""

    @property
    def store_fault(self) -> StoreUnavailable | None:
        """Why the last turn failed, if it did for the store."""
        return self._background.store_fault

    async def start(self) -> None:
        """Begin to look."""
        await self._background.start()

    async def stop(self) -> None:
        """Look no more; what is being looked at is looked at again after the next start."""
        await self._background.stop()
        for task in self._at_hand.values():
            task.cancel()
        await asyncio.gather(*self._at_hand.values(), return_exceptions=True)

    async def look(self) -> int:
        """Look at what is due now, to the end. Returns at how many streams; 0 also while another process is on watch.
        Raises StoreUnavailable."""
        begun = await self._begin()
        await asyncio.gather(*begun, return_exceptions=True)
        self._ended()
        return len(begun)

    async def _turn(self) -> float:
        self._ended()
        await self._begin()
        return LOOK_S

    async def _begin(self) -> Sequence["asyncio.Task[None]"]:
        """Begin to look at the first that are due, as many as are not being looked at already."""
        now_ms, most = self._clock.now_ms(), AT_ONCE - len(self._at_hand)
        due_ms = await self._database.read(inquiries.next_due_ms)
        if most <= 0 or due_ms is None or due_ms > now_ms:
            return ()
        rows = await self._database.write(lambda connection: self._take(connection, now_ms, most), bears=False)
        new = {row.stream_id: row for row in rows if row.stream_id not in self._at_hand}
        begun = {stream_id: asyncio.create_task(self._look_at(row, now_ms)) for stream_id, row in new.items()}
        self._at_hand |= begun
        return tuple(begun.values())

    def _ended(self) -> None:
        """Forget the looks that are over. Raises StoreUnavailable where one of them met it; a defect in one look is
        logged, and ends none of the others."""
        over = {stream_id: task for stream_id, task in self._at_hand.items() if task.done()}
        for stream_id in over:
            del self._at_hand[stream_id]
        faults = [fault for task in over.values() if (fault := task.exception()) is not None]
        for fault in faults:
            if not isinstance(fault, StoreUnavailable):
                _log.error("service.fault", part=NAME, failures=1, exc_info=fault)
        lost = next((fault for fault in faults if isinstance(fault, StoreUnavailable)), None)
        if lost is not None:
            raise lost

    def _take(self, connection: Connection, now_ms: int, most: int) -> Sequence[Any]:
        if not leases.take(connection, NAME, self._ids.node, now_ms, TURN_MS):
            return ()
        return inquiries.take(connection, now_ms, most, now_ms + AGAIN_MS)

    async def _look_at(self, row: Any, now_ms: int) -> None:  # noqa: ANN401 -- of `inquiries.take`
        """Each look is told of by itself: what one of them finds does not wait for the others. It stands where it was
        begun: whatever happened since, it may not have seen."""
        state = StreamState(row.stream_id) if row.folded is None else _STATE.decode(row.folded)
        for inquiry in _WANTED.decode(row.wanted):
            if inquiry.due_ms <= now_ms:
                at_ms = self._clock.now_ms()
                look = await self._seen(inquiry, state)
                if look is not None:
                    await note(self._database, self._ids, at_ms, [Seen(look, stream_id=row.stream_id)])
                    self._tell()

    async def _seen(self, inquiry: Inquiry, state: StreamState) -> Look | None:
        """What is there to be seen; None where it cannot be, for now."""
        try:
            if inquiry.what in {"probe", "recording"}:
                return await self._probed(inquiry, state)
            return await self._asked(inquiry, state)
        except (StudioError, InvalidRequest):
            return None

    async def _asked(self, inquiry: Inquiry, state: StreamState) -> Look | None:
        if self._studio is None or state.stream_id is None:
            return None
        if inquiry.what == "session" and inquiry.id is not None:
            return await look_at_session(self._studio, inquiry.id)
        with_sessions = inquiry.what == "sessions"
        return await look_at_stream(self._studio, state.stream_id, state.playback_id, with_sessions=with_sessions)

    async def _probed(self, inquiry: Inquiry, state: StreamState) -> Look | None:
        if self._prober is None or state.playback_id is None:
            return None
        url = None
        if inquiry.what == "recording":
            url = next((one.recording_url for one in state.sessions if one.session_id == inquiry.id), None)
        studio = None if state.studio is None else state.studio.look
        request = ProbeRequest(
            state.playback_id,
            self._clock.now_ms(),
            hls_url=url,
            expected_renditions=None if studio is None or url is not None else studio.renditions,
            origin=_listed_origin(state),
        )
        async with self._probes:
            return finding_of(await self._prober(request), request, inquiry.id)


def _listed_origin(state: StreamState) -> str | None:
    """An origin that the policy lists: without one, a probe is refused although browsers play (FACTS 7.5). What is no
    origin is listed as well, and never matches (FACTS 7.2)."""
    origins = () if state.studio is None else state.studio.look.origins
    https = (origin for origin in origins if origin.startswith("https://") and "*" not in origin)
    return next((origin for origin in https if is_origin(origin)), None)
