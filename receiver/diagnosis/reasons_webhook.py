"""Why webhooks do not fire, or fire and do not get in (FACTS 1, 10.5)."""

from collections.abc import Sequence

from receiver.diagnosis.reason import ReasonEntry

WEBHOOK_REASONS: Sequence[ReasonEntry] = (
    ReasonEntry(
        "SignatureMismatch",
        "Deliveries in Livepeer's shape arrive, and their signature fits none of the configured secrets.",
        ("webhooks",),
        "Copy the webhook's secret from Livepeer Studio into RECEIVER_WEBHOOK_SECRETS and restart; then run "
        "`receiver quarantine release` to take in what was refused. Livepeer does not retry after a 401.",
        severity="critical",
    ),
    ReasonEntry(
        "SignatureMalformed",
        "Deliveries in Livepeer's shape arrive with a Livepeer-Signature header that cannot be read.",
        ("webhooks",),
        "Find what rewrites the header on its way here, or sends these in Livepeer's place: it must read "
        "`t=<milliseconds>,v1=<64 hexadecimal digits>`.",
        severity="critical",
    ),
    ReasonEntry(
        "SignatureMissing",
        "Deliveries in Livepeer's shape arrive without a signature: the webhook has no secret.",
        ("webhooks",),
        "Set the webhook's shared secret in Livepeer Studio to the one that this service expects.",
        severity="critical",
    ),
    ReasonEntry(
        "BodyAltered",
        "The signature fits the same JSON in its original form: something between Livepeer and here rewrites the body.",
        ("webhooks",),
        "Have the proxy, gateway or framework in between pass the raw bytes on unchanged, then resend what was "
        "refused from the "
        "webhook's log in Livepeer Studio: an altered body can never be verified.",
        severity="critical",
    ),
    ReasonEntry(
        "TimestampMismatch",
        "The signature fits the body, but the header's `t`, which nothing protects, is not the body's `timestamp`.",
        ("webhooks",),
        "Find what rewrites the Livepeer-Signature header on its way here, or who sends genuine bodies once more under "
        "another time: Livepeer gives both the same.",
        severity="critical",
    ),
    ReasonEntry(
        "TimestampOutOfTolerance",
        "The signature fits, but the time in the body is too far from the clock here.",
        ("webhooks",),
        "Set this machine's clock by NTP: Livepeer tries again, so nothing is lost within a day. Where the clock is "
        "right, find what holds deliveries up or sends old ones again; what is late by less than an hour "
        "RECEIVER_TOLERANCE_S can allow.",
        severity="critical",
    ),
    ReasonEntry(
        "TimestampInSeconds",
        "The signature fits, but the body's `timestamp` counts seconds; Livepeer counts milliseconds.",
        ("webhooks",),
        "Find what sends these in Livepeer's place, with the webhook's secret: a script or a relay, probably. Let it "
        "write `timestamp`, and `t` of the header, in milliseconds.",
        severity="critical",
    ),
    ReasonEntry(
        "EventsMissing",
        "A sequence of events came in that cannot be complete.",
        ("webhooks", "time"),
        "Check in Livepeer Studio that the webhook is subscribed to the missing event, and look for failed calls in "
        "its log.",
        absence=True,
    ),
    ReasonEntry(
        "DeliveriesDelayed",
        "Events reach us long after Livepeer made them, and not because we were away.",
        ("webhooks",),
        "Look for slow or failing calls in the webhook's log in Livepeer Studio; other endpoints of the account "
        "that hang delay all.",
    ),
    ReasonEntry(
        "IdleNeverSent",
        "Livepeer ended the stream in silence, long after it lost it: such an end is told by no webhook.",
        ("webhooks", "studio_api"),
        "Nothing is wrong with the webhook. See what `recording_not_available` says of the session.",
        severity="info",
    ),
    ReasonEntry(
        "NeverTriggered",
        "Livepeer has never called this webhook, though there was something to tell.",
        ("studio_api",),
        "Check with `receiver webhooks check` that its URL is public, and that it is of the streams' project.",
        severity="critical",
    ),
    ReasonEntry(
        "UrlNotPublic",
        "The webhook's URL is on a private address, which Livepeer drops silently.",
        ("studio_api",),
        "Register a public URL: `receiver webhooks register URL`.",
        severity="critical",
    ),
    ReasonEntry(
        "EndpointFailing",
        "Livepeer's calls to the webhook are answered with an error.",
        ("studio_api",),
        "Look at what answers at the webhook's URL, and at its log; then run `receiver webhooks reconcile`, which "
        "takes in what was lost.",
        severity="critical",
    ),
    ReasonEntry(
        "EndpointUnreachable",
        "Livepeer's calls to the webhook find nobody: DNS, TLS, the network, or no answer within 30 seconds.",
        ("studio_api",),
        "Check the URL's name, certificate and firewall from outside; then run `receiver webhooks reconcile`.",
        severity="critical",
    ),
    ReasonEntry(
        "RedirectSwallowed",
        "The webhook's URL redirects, and the redirect loses the body.",
        ("studio_api", "probe"),
        "Register the URL that the redirect leads to: `receiver webhooks register URL`.",
        severity="critical",
    ),
    ReasonEntry(
        "NotSubscribed",
        "The webhook is not subscribed to an event that is needed.",
        ("studio_api",),
        "Add the event to the webhook's subscriptions: `receiver webhooks register URL` does so.",
    ),
    ReasonEntry(
        "WebhookDeleted",
        "The webhook was deleted.",
        ("studio_api",),
        "Register it again: `receiver webhooks register URL`.",
        severity="critical",
    ),
    ReasonEntry(
        "WrongProject",
        "The webhook belongs to another project than the streams, or than the API key.",
        ("studio_api",),
        "Register a webhook with a key of the streams' project. Multistream events reach only the default project's.",
    ),
    ReasonEntry(
        "EventNeverSent",
        "The webhook is subscribed to an event that Livepeer lists but never sends.",
        ("studio_api",),
        "Rely on another event.",
        severity="info",
    ),
    ReasonEntry(
        "UserSuspended",
        "The Livepeer account is suspended: its webhooks are not called.",
        ("studio_api",),
        "Contact Livepeer about the account.",
        severity="critical",
    ),
    ReasonEntry(
        "NothingHappened",
        "There was nothing to tell: no stream changed, and no webhook was called.",
        ("studio_api",),
        kind="answer",
    ),
    ReasonEntry("DeliveriesArriving", "Deliveries arrive and are accepted.", ("webhooks",), kind="answer"),
    ReasonEntry("NothingReceived", "No delivery has been accepted yet.", ("webhooks",), kind="answer"),
    ReasonEntry(
        "RetriesPending",
        "Nothing could be taken in for a while; the sender's retries are awaited before silence means anything.",
        ("webhooks", "time"),
        kind="answer",
    ),
    ReasonEntry(
        "RefusalsExpired",
        "The last refused delivery is too long ago to say anything of now.",
        ("webhooks", "time"),
        kind="expired",
    ),
    ReasonEntry(
        "GapExpired",
        "The missing events are too long ago to say anything of now.",
        ("webhooks", "time"),
        kind="expired",
    ),
)
