"""What a look into the sender's own log gives: which events had not reached us, and what became of them there."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

Fate: TypeAlias = Literal["answered", "unanswered", "not_stored"]
"""What the sender says of an event that is not here: it was fired, and `answered` with a status that is no success, or
not at all, or with a success though it was not stored here: a redirect swallowed the body, or another server answered
(FACTS 1.3, 10.5)."""
RefusedAs: TypeAlias = Literal["no_body", "too_large", "not_an_event", "gate_request", "foreign_webhook"]
"""Why a logged body is not taken in; `gate_request` has a key that no event has (FACTS 12)."""


class Missed(Struct, frozen=True, gc=False):
    """An event that had not reached us. `first_ms` is when the first attempt at it was made that was read of,
    `attempts` how many were; `status` is that of the last answer, None where there was none."""

    event_id: str
    event: str
    webhook_id: str
    stream_id: str | None
    created_ms: int
    first_ms: int
    attempts: int
    fate: Fate
    status: int | None = None


class NeverFired(Struct, frozen=True, gc=False):
    """An event that a stream's sequence lacks, and that the sender's log does not have either: it was never fired."""

    webhook_id: str
    stream_id: str
    session_id: str
    event: str


class Report(Struct, frozen=True, gc=False):
    """What came of reading the logs of `webhooks` webhooks, of the attempts made from `from_ms` to `until_ms`.

    Of `attempts`, those were `known` whose event was here; `refused` counts those whose body could not be used, by
    `RefusedAs`. Of the events, `missing` had not reached us, of which `taken_in` are here now; of `earlier` that were
    here, an attempt was read that was made before all that we knew of. `answered` counts missing events by the status
    of their last answer. `resent` is how often the sender was asked to send again, and did, `not_resent` in vain.
    `unread` are webhooks that have called us and whose log the key does not find. `whole` says that all was read to its
    end: that time is now known as if we had been there. `failure` is the code of what ended it early, and `detail` says
    it.
    """

    from_ms: int
    until_ms: int
    webhooks: int = 0
    attempts: int = 0
    known: int = 0
    missing: int = 0
    taken_in: int = 0
    earlier: int = 0
    answered: Mapping[str, int] = {}
    unanswered: int = 0
    not_stored: int = 0
    never_fired: tuple[NeverFired, ...] = ()
    refused: Mapping[str, int] = {}
    resent: int = 0
    not_resent: int = 0
    unread: tuple[str, ...] = ()
    examples: tuple[Missed, ...] = ()
    whole: bool = False
    failure: str | None = None
    detail: str | None = None
