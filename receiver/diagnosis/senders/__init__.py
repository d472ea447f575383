"""`webhook_not_firing` of our endpoint and of each webhook: what arrives, what is refused, what comes late.

These rest on receipts, so they are folded in the order of receipt.
"""

from receiver.diagnosis.senders.endpoint import EndpointState, judge_endpoint, refusing_intervals, step_endpoint
from receiver.diagnosis.senders.receipt import Receipt
from receiver.diagnosis.senders.webhook import WebhookState, judge_webhook, step_webhook, with_missing

__all__ = [
    "EndpointState",
    "Receipt",
    "WebhookState",
    "judge_endpoint",
    "judge_webhook",
    "refusing_intervals",
    "step_endpoint",
    "step_webhook",
    "with_missing",
]
