"""Why a manifest is empty and why playback is refused (FACTS 7, 8, 10.2, 10.3)."""

from collections.abc import Sequence

from receiver.diagnosis.reason import ReasonEntry

MANIFEST_REASONS: Sequence[ReasonEntry] = (
    ReasonEntry(
        "NoSegments",
        "Players get a manifest without segments although the stream has been live long enough for the first one.",
        ("observations", "webhooks", "time"),
        "Check that the encoder sends video with a keyframe every 1 to 2 seconds and no B-frames, then look at the "
        "stream's health in Livepeer Studio.",
    ),
    ReasonEntry(
        "StreamOffline",
        "The player found the stream offline. An idle stream has no manifest; one that is or should be live must have.",
        ("observations", "webhooks"),
        "Check the encoder: the media may be gone without a `stream.idle`, or may never have come in.",
    ),
    ReasonEntry(
        "ManifestUnreachable",
        "The playback node answered with an error of its own.",
        ("observations", "webhooks"),
        "Try again within a minute; if it lasts, take the HLS URL afresh from Livepeer's playback info.",
    ),
    ReasonEntry(
        "NoPlaybackNode",
        "No playback node took the request (502 with an empty body).",
        ("observations", "webhooks"),
        "Try again within a minute; if it lasts, report it to Livepeer with the playback id and the time.",
    ),
    ReasonEntry(
        "WrongIdentifier",
        "The player asked with an id that is not the stream's playback id.",
        ("observations", "webhooks"),
        "Give the player the `playbackId` of the stream, not the stream's id or its key.",
    ),
    ReasonEntry(
        "AssetNotReady",
        "What was asked for is an asset that is still being processed.",
        ("observations",),
        "Wait until the asset is ready, then play it by its own playback id.",
        severity="info",
    ),
    ReasonEntry(
        "TranscodingStalled",
        "Only the source rendition is there: transcoding does not keep up or has failed.",
        ("probe",),
        "Look at the stream's health and profiles in Livepeer Studio.",
    ),
    ReasonEntry(
        "MediaLost",
        "Livepeer takes the stream for active, but its media stopped some time ago.",
        ("studio_api", "probe"),
        "Check the encoder. If the broadcast is over, terminate the stream in Livepeer Studio.",
    ),
    ReasonEntry(
        "EncoderUnhealthy",
        "Segments come too slowly: the keyframe interval is long, or the input is not healthy.",
        ("studio_api", "probe"),
        "Set a keyframe every 1 to 2 seconds and no B-frames, and look at the stream's health in Livepeer Studio.",
    ),
    ReasonEntry(
        "AccessDenied",
        "The manifest is not empty but refused: access control blocks it.",
        ("probe",),
        "See what `playback_forbidden` says of the same stream.",
    ),
    ReasonEntry(
        "ContentSuspended",
        "The stream is suspended or deleted, so there is nothing to play.",
        ("studio_api", "probe"),
        "Resume the stream in Livepeer Studio, or give players another one.",
        severity="critical",
    ),
    ReasonEntry(
        "FirstSegmentPending",
        "The stream has just started: the first segment needs 5 to 10 seconds.",
        ("webhooks", "time"),
        kind="answer",
    ),
    ReasonEntry(
        "NotObserved", "No player has reported lately and nothing was probed.", ("observations",), kind="answer"
    ),
    ReasonEntry("ManifestPlayable", "A player reported that it plays.", ("observations",), kind="answer"),
    ReasonEntry(
        "ReportExpired",
        "The last player's report is too old to say anything of now.",
        ("observations", "time"),
        kind="expired",
    ),
)

_MINT_AFRESH = "Have your backend mint a fresh token and compare its claims with the playback id that is asked for."

PLAYBACK_REASONS: Sequence[ReasonEntry] = (
    ReasonEntry(
        "Forbidden",
        "A player was refused; the report does not say by which rule.",
        ("observations",),
        "Check the stream's playback policy: its kind (JWT or webhook), the allowed origins, and that the player sends "
        "its credential. A change takes up to 10 minutes to show. Report the player's exact message with the next "
        "failure.",
    ),
    ReasonEntry(
        "AccessKeyMissing",
        "The player sent no credential for gated content; the gate did its job.",
        ("observations",),
        "Have the player send its JWT (`jwt`) or access key (`accessKey`).",
        severity="info",
    ),
    ReasonEntry(
        "OriginNotAllowed",
        "The page's origin is not among the stream's allowed origins.",
        ("observations",),
        "Add the page's origin to `allowedOrigins` exactly as the browser sends it: scheme and host, no path, no "
        "slash at the end.",
    ),
    ReasonEntry(
        "JwtKeyUnknown",
        "The public key named in the token is unknown to Livepeer, or disabled.",
        ("observations",),
        "Sign with a key that is listed and enabled under Livepeer's signing keys.",
    ),
    ReasonEntry(
        "GateEndpointFailed",
        "Your access-control endpoint did not answer, or not with a 2xx.",
        ("observations",),
        "Look at your endpoint's log at that time; it must answer within 2 seconds.",
        severity="critical",
    ),
    ReasonEntry(
        "GateWebhookMissing",
        "The playback policy names a webhook that does not exist.",
        ("observations",),
        "Set the policy's `webhookId` to an existing webhook.",
        severity="critical",
    ),
    ReasonEntry(
        "ContentSuspended",
        "The stream is suspended or deleted, or its owner is suspended or disabled: the gate then says that there is "
        "no such content.",
        ("observations", "webhooks"),
        "Look in Livepeer Studio whether the stream is there and not suspended, and whether the account is in order.",
        severity="critical",
    ),
    ReasonEntry("JwtExpired", "The token has expired.", ("credential", "time"), _MINT_AFRESH),
    ReasonEntry(
        "JwtLifetimeTooLong",
        "The token lives longer than the seven days allowed.",
        ("credential", "time"),
        "Set `exp` at most 7 days ahead, in seconds since 1970, not in milliseconds.",
    ),
    ReasonEntry(
        "JwtNotYetValid",
        "The token's `nbf` or `iat` lies ahead, so it does not count yet.",
        ("credential", "time"),
        "Set the clock of the machine that signs right (NTP), and write times in seconds since 1970.",
    ),
    ReasonEntry("JwtSubjectMismatch", "The token's `sub` is not the playback id.", ("credential",), _MINT_AFRESH),
    ReasonEntry(
        "JwtAlgorithm",
        "The token is not signed with ES256.",
        ("credential",),
        "Sign with ES256 and the private key of one of Livepeer's signing keys.",
    ),
    ReasonEntry(
        "JwtSignatureInvalid",
        "The token's signature was not made with the private key that belongs to its `pub`.",
        ("credential",),
        "Sign with the private key of the same pair whose public key is in `pub`, and change nothing afterwards.",
    ),
    ReasonEntry("JwtMalformed", "The token lacks `sub`, `pub` or `exp`, or is no JWT.", ("credential",), _MINT_AFRESH),
    ReasonEntry(
        "BothCredentials",
        "The player sends an access key and a JWT; the access key wins, so a JWT policy refuses.",
        ("credential", "studio_api"),
        "Send only the credential of the policy's kind.",
    ),
    ReasonEntry(
        "PolicyUnknown",
        "The playback policy is of a type that the gate does not know.",
        ("observations",),
        "Set the type of the stream's playback policy to `public`, `jwt` or `webhook`.",
    ),
    ReasonEntry(
        "GateDenied",
        "Your access-control endpoint said no; it did its job.",
        ("gate",),
        "Look at your endpoint's decision for this viewer.",
        severity="info",
    ),
    ReasonEntry(
        "GateEndpointSlow",
        "Your access-control endpoint takes longer than the playback node waits.",
        ("gate",),
        "Make the endpoint answer well within 2 seconds.",
        severity="critical",
    ),
    ReasonEntry(
        "GateNotCalled",
        "Your access-control endpoint was never asked: the credential was empty, the origin was refused, or an earlier "
        "decision was still cached.",
        ("gate",),
        "Check that the player sends its credential; a decision is cached for up to 10 minutes.",
        severity="info",
    ),
    ReasonEntry(
        "GateSignatureRejected",
        "Your access-control endpoint refuses Livepeer's signature.",
        ("gate",),
        "Give the endpoint the secret of the policy's webhook.",
        severity="critical",
    ),
    ReasonEntry(
        "ForbiddenElsewhere",
        "The refusal comes from a storage, a CDN, a proxy or your own backend, not from Livepeer's gate.",
        ("probe",),
        "Look at who answers: the body of the answer names it.",
    ),
    ReasonEntry(
        "ViewerLimit",
        "More viewers than the plan or the setting allows.",
        ("studio_api", "probe"),
        "Raise the viewer limit.",
    ),
    ReasonEntry(
        "NotObserved", "No player has reported lately and nothing was probed.", ("observations",), kind="answer"
    ),
    ReasonEntry("PlaybackAllowed", "A player reported that it plays.", ("observations",), kind="answer"),
    ReasonEntry(
        "AccessAllowed",
        "Everything passes that the playback node and the gate check.",
        ("credential", "studio_api"),
        kind="answer",
    ),
    ReasonEntry(
        "AccessUnknown",
        "Nothing that could be checked stands against playback, and not everything could be.",
        ("credential",),
        kind="answer",
    ),
    ReasonEntry(
        "ReportExpired",
        "The last player's report is too old to say anything of now.",
        ("observations", "time"),
        kind="expired",
    ),
)
