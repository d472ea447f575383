"""`webhook_not_firing` of our endpoint and of each webhook: what arrives, what is refused, what comes late.

These rest on receipts, so they are folded in the order of receipt.
"""

from receiver.diagnosis.senders.endpoint import EndpointState, fold_endpoint, judge_endpoint, refusing_intervals
from receiver.diagnosis.senders.receipt import Receipt, is_verified
from receiver.diagnosis.senders.registration import Registered, Registration, fold_registrations
from receiver.diagnosis.senders.webhook import WebhookState, fold_webhook, judge_webhook, with_missing

__all__ = [
    "EndpointState",
    "Receipt",
    "Registered",
    "Registration",
    "WebhookState",
    "fold_endpoint",
    "fold_registrations",
    "fold_webhook",
    "is_verified",
    "judge_endpoint",
    "judge_webhook",
    "refusing_intervals",
    "with_missing",
]
