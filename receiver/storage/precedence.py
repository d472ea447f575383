"""Deliveries go first: who thinks beside them, in another thread, makes way while any is being taken in.

Threads share one interpreter and often one core. One that computes gives up neither until it is made to, some
milliseconds later, and a delivery passes from thread to thread several times on its way to the disk and back.
"""

from threading import Event
from typing import Final

LONGEST_S: Final = 0.003
"""That anybody makes way at a time: where deliveries never cease, they are to be looked at as well."""


class Precedence:
    """Taken and left by the thread that answers deliveries, respected by others."""

    def __init__(self) -> None:
        self._free = Event()
        self._free.set()

    @property
    def taken(self) -> bool:
        """Whether a delivery is being taken in."""
        return not self._free.is_set()

    def take(self) -> None:
        """A delivery is being taken in. Costs next to nothing while another is."""
        if self._free.is_set():
            self._free.clear()

    def leave(self) -> None:
        """None is any more."""
        self._free.set()

    def give(self) -> None:
        """Wait while one is, for so long at most. Costs nothing while none is."""
        if not self._free.is_set():
            self._free.wait(LONGEST_S)
