"""What a signal means, in a line for those who read a stream's story."""

from collections.abc import Mapping

_FLAGS: Mapping[str, str] = {
    "not_understood": "Signed by Livepeer, but not understood; kept as it came.",
    "beyond_horizon": "Came too late to be counted; kept as it came.",
}
_KINDS: Mapping[str, str] = {
    "stream.started": "The stream went live, or moved to another node while live.",
    "stream.idle": "The stream went idle.",
    "recording.started": "A new session began to be recorded.",
    "recording.waiting": "The session has ended; its recording is queued for processing.",
    "recording.ready": "A recording is ready.",
    "multistream.connected": "A multistream target receives the stream.",
    "multistream.error": "A multistream target failed twice.",
    "multistream.disconnected": "A multistream target was switched off.",
    "asset.created": "The asset that will hold the recording was made.",
    "asset.updated": "Processing moved on.",
    "asset.ready": "The asset is ready.",
    "asset.failed": "Processing of the asset failed.",
    "asset.deleted": "The asset was deleted.",
    "task.spawned": "A processing task was made.",
    "task.updated": "A processing task moved on.",
    "task.completed": "A processing task ended.",
    "task.failed": "A processing task failed.",
    "observation.publish_intent": "Your system said that it was about to publish.",
    "observation.publish_rejected": "Your encoder reported that its push was rejected.",
    "observation.playback_error": "Your player reported an error.",
    "observation.playback_ok": "Your player reported that it plays.",
    "observation.recording_requested": "Your system asked for the recording.",
    "snapshot.stream": "The Studio API was asked for the stream.",
    "snapshot.session": "The Studio API was asked for the session and its recording.",
    "snapshot.webhook": "The Studio API was asked for the webhook.",
    "finding.playback": "We tried to play it as a viewer does.",
    "gate.tally": "Your access gate decided about viewers.",
}


def summary(kind: str, flag: str | None) -> str:
    """A sentence on a signal; for an event that we do not know, that we do not."""
    return _FLAGS.get(flag or "") or _KINDS.get(kind) or f"An event that we keep but do not interpret: `{kind}`."
