"""How long what is stored is kept. Pure."""

from dataclasses import dataclass

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Keeping:
    """Lengths of time in milliseconds: of events (and observations), deliveries, what is in quarantine, notices that
    were told, and resolved diagnoses; and how long the body of an event stays as it came, before it is compressed."""

    events_ms: int = 90 * DAY_MS
    deliveries_ms: int = 30 * DAY_MS
    quarantine_ms: int = 30 * DAY_MS
    notices_ms: int = 7 * DAY_MS
    diagnoses_ms: int = 365 * DAY_MS
    plain_ms: int = 2 * DAY_MS
