"""Why a recording is not available (FACTS 5, 10.4)."""

from collections.abc import Sequence

from receiver.diagnosis.reason import ReasonEntry

RECORDING_REASONS: Sequence[ReasonEntry] = (
    ReasonEntry(
        "StreamNotIdle",
        "The session seems over, but no `stream.idle` came for it; without one no recording is generated.",
        ("webhooks", "time"),
        "If nobody broadcasts and Livepeer Studio still shows the stream as active, terminate it there, and the "
        "recording is generated; otherwise report the session's id to Livepeer.",
        absence=True,
    ),
    ReasonEntry(
        "RecordingNotQueued",
        "The stream went idle, but Livepeer did not begin to process its recording.",
        ("webhooks", "time"),
        "Open the stream's sessions in Livepeer Studio. If there is a recording, only its webhook was lost; if there "
        "is none, report the session's id to Livepeer.",
        absence=True,
    ),
    ReasonEntry(
        "ProcessingOverdue",
        "Livepeer began to process the recording, and neither finished nor failed in the usual time.",
        ("webhooks", "time"),
        "Look at the asset with the session's id in Livepeer Studio; long recordings and a busy account take longer.",
        absence=True,
    ),
    ReasonEntry(
        "ProcessingFailed",
        "Livepeer says that processing the recording failed.",
        ("webhooks",),
        "Retry it with `POST /asset/SESSION-ID/retry` of the Livepeer API; if it fails again, report its message to "
        "Livepeer.",
        severity="critical",
    ),
    ReasonEntry(
        "SessionResumed",
        "The encoder came back into a session whose recording had already been made: the later part is not in it.",
        ("webhooks", "time"),
        "Use the encoder's own copy of this part, and report the session's id to Livepeer if it happens again.",
        absence=True,
    ),
    ReasonEntry(
        "RecordingDeleted",
        "The recording's asset was deleted.",
        ("webhooks",),
        "If that was not meant, ask Livepeer whether the asset can be restored.",
        severity="info",
    ),
    ReasonEntry(
        "NothingIngested",
        "The session never received media.",
        ("studio_api",),
        "Check the encoder's output; a session without media has no recording.",
    ),
    ReasonEntry(
        "NoSession",
        "The stream started, but no session was created for it.",
        ("studio_api",),
        "Check the account's limits in Livepeer Studio.",
    ),
    ReasonEntry(
        "WrongIdentifier",
        "The recording is ready, but was asked for by the stream's playback id.",
        ("observations", "studio_api"),
        "Play the recording by its own URL or playback id.",
        severity="info",
    ),
    ReasonEntry(
        "RecordingUnreachable",
        "The recording is ready, but its manifest is refused or not found.",
        ("studio_api", "probe"),
        "Check the playback policy of the recording's asset, and try again within minutes.",
    ),
    ReasonEntry("RecordingDisabled", "Recording is switched off for this stream.", ("webhooks",), kind="answer"),
    ReasonEntry("RecordingReady", "The recording is ready.", ("webhooks",), kind="answer"),
    ReasonEntry(
        "StreamStillLive",
        "The stream is still live; its recording is generated when it goes idle.",
        ("webhooks",),
        kind="answer",
    ),
    ReasonEntry("AwaitingRecording", "The recording is on its way.", ("webhooks", "time"), kind="answer"),
    ReasonEntry("NotObserved", "Nothing is known of a recording of this stream.", ("webhooks",), kind="answer"),
    ReasonEntry(
        "FailureExpired",
        "The failure is too long ago, or its stream is gone: nothing more will come of it.",
        ("webhooks", "time"),
        kind="expired",
    ),
)
