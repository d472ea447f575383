"""The log lines of deliveries (DESIGN 8), written when their commit is done. `event_name` is Livepeer's name of the
event."""

from collections.abc import Sequence

from receiver.logs import get_logger
from receiver.storage.arrivals import Arrival, Outcome
from receiver.storage.quarantine import Rejection

_log = get_logger(__name__)


def log_stored(item: Arrival | Rejection, outcome: Outcome) -> None:
    """`webhook.accepted`, `webhook.duplicate`, `webhook.quarantined` or `webhook.rejected`."""
    if isinstance(item, Arrival):
        _log_arrival(item, outcome)
    else:
        _log_rejection(item, outcome)


def log_unavailable(items: Sequence[Arrival | Rejection], error: BaseException) -> None:
    """`store.unavailable`: these deliveries were answered 503, and their senders will come again."""
    cause = error.__cause__ or error
    _log.error(
        "store.unavailable",
        deliveries=len(items),
        error=f"{type(cause).__name__}: {getattr(cause, 'orig', None) or cause}",
    )


def _log_arrival(arrival: Arrival, outcome: Outcome) -> None:
    route = arrival.route
    _log.info(
        "webhook.accepted" if outcome.verdict == "accepted" else "webhook.duplicate",
        code=outcome.code,
        event_id=arrival.id,
        event_name=route.kind,
        webhook_id=arrival.webhook_id,
        stream_id=route.stream_id,
        session_id=route.session_id,
        created_ms=route.created_ms,
        attempted_ms=route.attempted_ms,
        received_ms=arrival.received_ms,
        remote=arrival.remote,
        bytes=len(arrival.body),
        secret_id=arrival.secret_id,
    )


def _log_rejection(rejection: Rejection, outcome: Outcome) -> None:
    """What the body claims is shown as a claim: where no secret matched, anybody may have written it."""
    claim = rejection.claim
    _log.warning(
        "webhook.quarantined" if outcome.verdict == "quarantined" else "webhook.rejected",
        code=outcome.code,
        detail=rejection.detail,
        offset_ms=rejection.offset_ms,
        claimed_event_id=claim and claim.id,
        claimed_event_name=claim and claim.event,
        claimed_webhook_id=claim and claim.webhook_id,
        received_ms=rejection.received_ms,
        remote=rejection.remote,
        bytes=len(rejection.body),
        secret_id=rejection.secret_id,
        unrecorded=rejection.unrecorded,
    )
