"""The log lines of deliveries (DESIGN 8, docs/logs.md), written when their commit is done. `event_name` is Livepeer's
name of the event. What is not known is None, and left out of the line."""

from collections.abc import Iterable, Sequence
from typing import Final

from structlog.typing import EventDict

from receiver.errors import ReceiverError, underlying
from receiver.livepeer.envelope import Claim
from receiver.logs import Level, get_logger, log_all
from receiver.rates import STRANGERS, Gauge
from receiver.storage.arrival import Arrival, Outcome
from receiver.storage.arrivals import Filed
from receiver.storage.quarantine import Rejection
from receiver.times import rfc3339

PART: Final = "inbox"
_log = get_logger(__name__)


def log_filed(filed: Iterable[Filed]) -> None:
    """`webhook.accepted` or `webhook.duplicate` for each of these."""
    log_all(_taken_in(one.arrival, one.outcome) for one in filed)


def log_turned_away(recorded: Iterable[tuple[Rejection, Outcome]]) -> None:
    """`webhook.quarantined` or `webhook.rejected` for each of these."""
    log_all(_turned_away(rejection, outcome) for rejection, outcome in recorded)


def log_unavailable(items: Sequence[Arrival | Rejection], error: BaseException) -> None:
    """`store.unavailable`: these deliveries were answered 503, and their senders will come again."""
    _log.error("store.unavailable", part=PART, error=underlying(error), deliveries=len(items))


def log_recovered() -> None:
    """`store.recovered`: deliveries can be stored again."""
    _log.info("store.recovered", part=PART)


class UnreadLog:
    """`webhook.rejected` for what was refused before it was verified: too large, of the wrong kind, or too much at
    once. Beyond the rate such deliveries are only counted, and the next line says how many."""

    def __init__(self) -> None:
        self._gauge = Gauge(*STRANGERS)

    def write(self, error: ReceiverError, remote: str, now_ms: int) -> None:
        """One delivery from `remote` was answered with `error`."""
        if not self._gauge.allows(remote, now_ms):
            return
        _log.warning(
            "webhook.rejected",
            code=error.code,
            detail=error.detail,
            received_at=rfc3339(now_ms),
            remote=remote,
            unrecorded=self._gauge.take_left_out() or None,
        )


def _taken_in(arrival: Arrival, outcome: Outcome) -> tuple[Level, EventDict]:
    """What was signed and is not understood is stored, and somebody should look at it."""
    route, understood = arrival.route, arrival.understood
    return "info" if understood else "warning", {
        "event": "webhook.accepted" if outcome.verdict == "accepted" else "webhook.duplicate",
        "code": outcome.code,
        "detail": None if understood else _puzzle(arrival),
        "event_id": arrival.id,
        "event_name": route.kind if understood else None,
        "webhook_id": arrival.webhook_id if understood else None,
        "stream_id": route.stream_id,
        "session_id": route.session_id,
        "created_at": rfc3339(route.created_ms) if understood else None,
        "sent_at": rfc3339(route.attempted_ms) if understood else None,
        "received_at": rfc3339(arrival.received_ms),
        "remote": arrival.remote,
        "bytes": len(arrival.body),
        "secret_id": arrival.secret_id,
    }


def _puzzle(arrival: Arrival) -> str:
    return f"Stored, but not understood: {arrival.problem}. See `/v1/events/{arrival.id}`."


def _turned_away(rejection: Rejection, outcome: Outcome) -> tuple[Level, EventDict]:
    """What the body claims of itself has the same names as in any line; where no secret signed it, `verified` says that
    anybody may have written it."""
    claim, signed = rejection.claim, rejection.secret_id is not None
    return "warning", {
        "event": "webhook.quarantined" if outcome.verdict == "quarantined" else "webhook.rejected",
        "code": outcome.code,
        "detail": rejection.detail,
        **_claimed(claim),
        "verified": signed if claim is not None else None,
        "offset_ms": rejection.offset_ms,
        "received_at": rfc3339(rejection.received_ms),
        "remote": rejection.remote,
        "bytes": len(rejection.body),
        "secret_id": rejection.secret_id,
        "unrecorded": rejection.unrecorded or None,
    }


def _claimed(claim: Claim | None) -> dict[str, str]:
    if claim is None:
        return {}
    return {
        "event_id": claim.id,
        "event_name": claim.event,
        "webhook_id": claim.webhook_id,
        "created_at": rfc3339(claim.created_ms),
        "sent_at": rfc3339(claim.timestamp_ms),
    }
