"""Why an RTMP push is rejected (FACTS 6, 10.1)."""

from collections.abc import Sequence

from receiver.diagnosis.reason import ReasonEntry

PUBLISH_REASONS: Sequence[ReasonEntry] = (
    ReasonEntry(
        "PublishNotStarted",
        "A publish was announced or tried, and Livepeer never said that the stream started. "
        "A rejected push leaves no trace but this silence.",
        ("observations", "webhooks", "time"),
        "Check that the encoder's URL is rtmp://rtmp.livepeer.com/live/ followed by the key of this very stream, then "
        "start the encoder again.",
        severity="critical",
        absence=True,
    ),
    ReasonEntry(
        "StreamKeyMismatch",
        "The stream key that the encoder used is not this stream's.",
        ("observations",),
        "Copy the stream key of this stream from Livepeer Studio into the encoder.",
        severity="critical",
    ),
    ReasonEntry(
        "IngestUrlWrong",
        "The encoder's URL is not Livepeer's ingest address with `/live/` and the stream key.",
        ("observations",),
        "Set the encoder to rtmp://rtmp.livepeer.com/live/ followed by the key of this very stream.",
        severity="critical",
    ),
    ReasonEntry(
        "StreamDeleted",
        "The stream object was deleted, so its key is refused.",
        ("observations", "webhooks"),
        "Create a new stream and give the encoder its key.",
        severity="critical",
    ),
    ReasonEntry(
        "StreamSuspended",
        "The stream object is suspended, so its key is refused.",
        ("observations", "webhooks", "time"),
        "Resume the stream in Livepeer Studio, then start the encoder again.",
        severity="critical",
        absence=True,
    ),
    ReasonEntry(
        "PushDropped",
        "The push was accepted and gone again within seconds, before any media was seen.",
        ("webhooks",),
        "Look at the encoder's log and upload bandwidth, and check that it sends video with a keyframe every 1 to 2 "
        "seconds.",
        severity="info",
    ),
    ReasonEntry(
        "UserSuspended",
        "The Livepeer account is suspended.",
        ("studio_api",),
        "Contact Livepeer about the account.",
        severity="critical",
    ),
    ReasonEntry(
        "UserDisabled",
        "The Livepeer account has reached its usage limit.",
        ("studio_api",),
        "Raise the plan of the Livepeer account.",
        severity="critical",
    ),
    ReasonEntry(
        "WrongProject",
        "The stream belongs to another project than the one that is looked at.",
        ("studio_api",),
        "Use the API key and the webhook of the stream's project.",
    ),
    ReasonEntry(
        "ConnectedNotActive",
        "Media comes in and can be played, but Livepeer does not take the stream for active.",
        ("studio_api", "probe"),
        "Stop the encoder and start it again; if it stays so, report the stream's id to Livepeer.",
    ),
    ReasonEntry(
        "JustTerminated",
        "The stream was terminated a moment ago, which cut the push off.",
        ("studio_api",),
        "Start the encoder again.",
        severity="info",
    ),
    ReasonEntry(
        "EncoderOrNetwork",
        "All is in order at Livepeer, so the push fails on its way there.",
        ("observations", "webhooks", "studio_api"),
        "Look at the encoder's log, and check that its network lets RTMP out (TCP port 1935).",
        absence=True,
    ),
    ReasonEntry("NoPublishAttempt", "Nobody reported an attempt to publish.", ("observations",), kind="answer"),
    ReasonEntry("AwaitingStart", "A publish was announced and may still start.", ("observations",), kind="answer"),
    ReasonEntry("PushAccepted", "Livepeer said that the stream started.", ("webhooks",), kind="answer"),
    ReasonEntry(
        "AttemptExpired",
        "The last failed attempt is too long ago to say anything of now.",
        ("observations", "time"),
        kind="expired",
    ),
)
