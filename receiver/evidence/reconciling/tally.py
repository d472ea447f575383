"""Counts what is read of the sender's log, and remembers of each event that was missing what the sender says of it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from receiver.evidence.reconciling.bodies import Logged
from receiver.evidence.reconciling.values import Fate, Missed, NeverFired, RefusedAs, Report
from receiver.intake import route
from receiver.livepeer.studio.failures import StudioError

MOST_FOLLOWED: Final = 50_000
"""Missing events of which all attempts are told together; of what is beyond, the first that is read of decides."""
MOST_EXAMPLES: Final = 50


@dataclass(slots=True)
class _Followed:
    """A missing event. `last_ms` is when the last attempt at it was logged that was read of."""

    example: Missed | None
    first_ms: int
    last_ms: int
    attempts: int
    success: bool
    status: int | None

    @property
    def fate(self) -> Fate:
        """What became of it at the sender."""
        return "not_stored" if self.success else "unanswered" if self.status is None else "answered"

    def saw(self, logged: Logged) -> None:
        """One more attempt at it."""
        self.attempts += 1
        self.success = self.success or logged.success
        self.first_ms = min(self.first_ms, logged.envelope.timestamp_ms)
        if logged.logged_ms >= self.last_ms:
            self.last_ms, self.status = logged.logged_ms, logged.status


@dataclass(slots=True)
class Tally:
    """What was found so far."""

    attempts: int = 0
    known: int = 0
    taken_in: int = 0
    earlier: int = 0
    webhooks: int = 0
    resent: int = 0
    not_resent: int = 0
    whole: bool = False
    failure: str | None = None
    detail: str | None = None
    refused: Counter[RefusedAs] = field(default_factory=Counter)
    unread: set[str] = field(default_factory=set)
    never_fired: list[NeverFired] = field(default_factory=list)
    _followed: dict[bytes, _Followed] = field(default_factory=dict)
    _beyond: Counter[tuple[Fate, int | None]] = field(default_factory=Counter)

    def follows(self, key: bytes) -> bool:
        """Whether the event was missing when its first attempt was read of."""
        return key in self._followed

    def saw(self, logged: Logged) -> None:
        """One more attempt at an event that was missing."""
        followed = self._followed.get(logged.key)
        if followed is not None:
            followed.saw(logged)
            return
        at_ms = logged.envelope.timestamp_ms
        new = _Followed(None, at_ms, logged.logged_ms, 1, logged.success, logged.status)
        if len(self._followed) < MOST_FOLLOWED:
            new.example = _example(logged) if len(self._followed) < MOST_EXAMPLES else None
            self._followed[logged.key] = new
        else:
            self._beyond[new.fate, new.status] += 1

    def failed(self, error: StudioError) -> None:
        """The Studio API ended it early."""
        self.failure, self.detail = error.code, error.detail

    def report(self, from_ms: int, until_ms: int) -> Report:
        """What came of it."""
        fates = Counter((one.fate, one.status) for one in self._followed.values()) + self._beyond
        answered = {
            str(status): count
            for (fate, status), count in sorted(fates.items(), key=str)
            if fate == "answered" and status is not None
        }
        return Report(
            from_ms=from_ms,
            until_ms=until_ms,
            webhooks=self.webhooks,
            attempts=self.attempts,
            known=self.known,
            missing=fates.total(),
            taken_in=self.taken_in,
            earlier=self.earlier,
            answered=answered,
            unanswered=_of(fates, "unanswered"),
            not_stored=_of(fates, "not_stored"),
            never_fired=tuple(self.never_fired),
            refused=dict(sorted(self.refused.items())),
            resent=self.resent,
            not_resent=self.not_resent,
            unread=tuple(sorted(self.unread)),
            examples=tuple(sorted(_examples(self._followed.values()), key=lambda one: (one.first_ms, one.event_id))),
            whole=self.whole,
            failure=self.failure,
            detail=self.detail,
        )


def _of(fates: Counter[tuple[Fate, int | None]], wanted: Fate) -> int:
    return sum(count for (fate, _), count in fates.items() if fate == wanted)


def _example(logged: Logged) -> Missed:
    envelope = logged.envelope
    return Missed(
        event_id=envelope.id,
        event=envelope.event,
        webhook_id=envelope.webhook_id,
        stream_id=route(envelope).stream_id,
        created_ms=envelope.created_ms,
        first_ms=envelope.timestamp_ms,
        attempts=1,
        fate="unanswered",
    )


def _examples(followed: Iterable[_Followed]) -> Iterator[Missed]:
    for one in followed:
        if one.example is None:
            return
        plain = {name: getattr(one.example, name) for name in _SAME}
        yield Missed(**plain, first_ms=one.first_ms, attempts=one.attempts, fate=one.fate, status=one.status)


_SAME: Final = ("event_id", "event", "webhook_id", "stream_id", "created_ms")
