"""Which time is read of the sender's log, and in what pieces: the oldest first, so that what was read stays read."""

from collections.abc import Iterator
from typing import Final

FIRST_MS: Final = 26 * 3_600_000
"""What is read the first time: the sender tries for 24.4 h (FACTS 1.3)."""
OVERLAP_MS: Final = 600_000
"""What was read before is read once more: the API may lag behind (FACTS 9)."""
SETTLED_MS: Final = 60_000
"""An attempt is logged when it ends, up to half a minute after it began (FACTS 1.3): what is newer is read later."""
PIECE_MS: Final = 6 * 3_600_000
SHORTEST_PIECE_MS: Final = 60_000


def window(
    now_ms: int, read_until_ms: int, keep_ms: int, since_ms: int | None = None, made_ms: int | None = None
) -> tuple[int, int]:
    """From when until when to read: from `since_ms`, else on from `read_until_ms` (0: never read), but nothing older
    than events are kept, or than `made_ms`, when the first webhook was made."""
    until_ms = now_ms - SETTLED_MS
    usual_ms = read_until_ms - OVERLAP_MS if 0 < read_until_ms <= until_ms else until_ms - FIRST_MS
    from_ms = max(usual_ms if since_ms is None else since_ms, now_ms - keep_ms, made_ms or 0)
    return min(from_ms, until_ms), until_ms


def pieces(from_ms: int, until_ms: int, piece_ms: int = PIECE_MS) -> Iterator[tuple[int, int]]:
    """The same time, in order, no piece longer than that."""
    while from_ms < until_ms:
        end_ms = min(from_ms + piece_ms, until_ms)
        yield from_ms, end_ms
        from_ms = end_ms
