"""The entrance: every connection begins here, and stays as long as nothing but whole deliveries comes over it.

They are taken in and answered without aiohttp's request and its tasks, which cost a delivery more than all that is done
with it. Whatever else comes, and what cannot be taken in, is aiohttp's from its first byte on, and so is the connection
then: its protocol answers, with our handlers.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

from aiohttp import hdrs

from receiver.clock import Clock
from receiver.errors import ReceiverError
from receiver.routes.no_content import NoContent, head_of
from receiver.routes.problems import problem
from receiver.routes.whole import read_whole

TakeIn: TypeAlias = Callable[[bytes, str | None, str], asyncio.Future[Any]]
"""Takes a body, its signature and where it came from. Done once that is on disk, or with StoreUnavailable; what is
raised at once is left to a handler to say."""
_MOST_BEHIND: Final = 64 * 1024
"""Bytes that may come behind a delivery that is being stored; more are left to the system."""


@dataclass(slots=True)
class Entrances:
    """Those that are open. `ordinary` makes the protocol of connections that go on as any other, `silent_s` is how long
    one may say nothing."""

    take_in: TakeIn
    taken_in: NoContent
    ordinary: Callable[[], asyncio.Protocol]
    silent_s: float
    clock: Clock
    open: "set[Entrance]" = field(default_factory=set)
    shutting: bool = False

    def __call__(self) -> "Entrance":
        """What a socket that was accepted is handed to."""
        return Entrance(self)

    def refusal(self, error: BaseException) -> bytes:
        """The whole answer to what could not be stored, behind which the connection ends."""
        answer = problem(
            error if isinstance(error, ReceiverError) else ReceiverError("The delivery could not be stored.")
        )
        body = answer.body if isinstance(answer.body, bytes) else b""
        more: Mapping[str, str] = {hdrs.CONTENT_LENGTH: str(len(body)), hdrs.CONNECTION: "close"}
        return head_of(answer, self.clock.now_ms() // 1000, more) + body

    def shut(self) -> None:
        """Close each at once, or when what it brought is stored and answered."""
        self.shutting = True
        for entrance in [*self.open]:
            entrance.leave_off()


class Entrance(asyncio.Protocol):
    """One connection."""

    def __init__(self, entrances: Entrances) -> None:
        self._all = entrances
        self._transport: asyncio.Transport | None = None
        self._remote = ""
        self._stored: asyncio.Future[Any] | None = None
        """Of the delivery at hand."""
        self._behind = b""
        """What came since."""
        self._stays_open = True
        self._reads, self._is_full = True, False
        """Whether more is read, and whether what was written has yet to be taken."""
        self._heard_s = 0.0
        self._silence: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._remote = str(peer[0]) if isinstance(peer, tuple) else ""
        self._all.open.add(self)
        self._hear()
        self._watch(self._all.silent_s)
        if self._all.shutting:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's
        """Who is gone is not answered; what it delivered is stored all the same."""
        self._leave()

    def data_received(self, data: bytes) -> None:
        """Take a delivery in; hand over whatever it is if that cannot be."""
        if self._stored is None:
            if not self._take_in(data):
                self._hand_over(data)
            return
        self._behind += data
        if len(self._behind) > _MOST_BEHIND and self._transport is not None and self._reads:
            self._reads = False
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """More was written than is taken at the other end. An answer is short: who comes after us is told."""
        self._is_full = True

    def resume_writing(self) -> None:
        """It was taken."""
        self._is_full = False

    def leave_off(self) -> None:
        """Close it, or let it end behind the next answer."""
        if self._stored is None and self._transport is not None:
            self._transport.close()

    def _take_in(self, data: bytes) -> bool:
        whole = read_whole(data)
        if whole is None:
            return False
        try:
            stored = self._all.take_in(whole.body, whole.signature, self._remote)
        except Exception:  # noqa: BLE001 -- whatever it is: it is met again where it is answered
            return False
        self._stays_open, self._stored = whole.stays_open, stored
        stored.add_done_callback(self._answer)
        return True

    def _answer(self, stored: asyncio.Future[Any]) -> None:
        error, self._stored = stored.exception(), None
        if self._transport is None or self._transport.is_closing():
            return
        stays_open = error is None and self._stays_open and not self._all.shutting
        head = self._all.taken_in.head(stays_open=stays_open)
        self._transport.write(head if error is None else self._all.refusal(error))
        if not stays_open:
            self._transport.close()
            return
        self._hear()
        if self._behind:
            behind, self._behind = self._behind, b""
            self._go_on(self._transport)
            self.data_received(behind)

    def _hand_over(self, data: bytes) -> None:
        transport = self._transport
        self._leave()
        if transport is not None:
            protocol = self._all.ordinary()
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
            if self._is_full:
                protocol.pause_writing()
            protocol.data_received(data)

    def _go_on(self, transport: asyncio.Transport) -> None:
        if not self._reads:
            self._reads = True
            transport.resume_reading()

    def _leave(self) -> None:
        self._all.open.discard(self)
        self._transport = None
        if self._silence is not None:
            self._silence.cancel()

    def _hear(self) -> None:
        self._heard_s = asyncio.get_running_loop().time()

    def _watch(self, after_s: float) -> None:
        self._silence = asyncio.get_running_loop().call_later(after_s, self._look)

    def _look(self) -> None:
        """Whether it was silent for too long. One timer for all that comes over it: most never see it run."""
        left_s = self._heard_s + self._all.silent_s - asyncio.get_running_loop().time()
        if left_s > 0 or self._stored is not None:
            self._watch(left_s if left_s > 0 else self._all.silent_s)
        elif self._transport is not None:
            self._transport.close()
