"""How much one pass takes, and how far back a late signal is still folded."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Bounds:
    """What keeps one pass, and the reading for one late signal, short, and leaves time between two passes.

    A state of each stream is kept after every `checkpoint_every` events, `checkpoints_kept` of them: what is older than
    the oldest kept is stored and flagged, not folded (P5). By default that is some five thousand events.
    """

    pending: int = 20_000
    """Deliveries and observations in one pass."""
    pending_bytes: int = 32 << 20
    """How much of their bodies."""
    due: int = 256
    """Subjects whose deadline has passed in one pass."""
    gather: float = 4.0
    """For how many times as long as a pass took what comes is gathered for the next."""
    enough: int = 20_000
    """Where so many have come, they are gathered no longer."""
    checkpoint_every: int = 64
    checkpoints_kept: int = 80

    def halved(self, times: int) -> "Bounds":
        """So many times half as much in one pass."""
        return replace(self, pending=max(self.pending >> times, 1), due=max(self.due >> times, 1)) if times else self


USUAL = Bounds()
SHORT = Bounds(pending=64, due=32, gather=2.0, enough=24)
"""While little waits: soon again, for what came is to be readable."""
