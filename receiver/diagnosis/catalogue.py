"""The catalogue: the five conditions of Livepeer's error guide, and every reason we give for them.

Cause and fix of the guide are the first words of each answer; the reason makes them specific. `needs` names the
evidence without which a reason cannot be given, so that a reader sees what webhooks alone can never tell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from receiver.diagnosis.reason import ReasonEntry
from receiver.diagnosis.reasons_playback import MANIFEST_REASONS, PLAYBACK_REASONS
from receiver.diagnosis.reasons_publish import PUBLISH_REASONS
from receiver.diagnosis.reasons_recording import RECORDING_REASONS
from receiver.diagnosis.reasons_webhook import WEBHOOK_REASONS
from receiver.diagnosis.values import ConditionType


@dataclass(frozen=True, slots=True)
class ConditionEntry:
    """One symptom, with the guide's likely cause and fix and every reason that we give for it."""

    type: ConditionType
    title: str
    likely_cause: str
    fix: str
    reasons: Mapping[str, ReasonEntry]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The guide's words for a condition, made specific by a reason."""

    title: str
    likely_cause: str
    fix: str


def explain(condition: ConditionType, reason: str) -> Explanation:
    """What to tell about `condition` when `reason` is why."""
    entry = CATALOGUE[condition]
    known = entry.reasons.get(reason)
    if known is None:
        return Explanation(entry.title, f"{entry.likely_cause}.", f"{entry.fix}.")
    return Explanation(
        title=entry.title,
        likely_cause=f"{entry.likely_cause}. {known.meaning}",
        fix=f"{entry.fix}. {known.next_step}".strip(),
    )


def reason_entry(condition: ConditionType, reason: str) -> ReasonEntry:
    """The catalogue's entry; every reason that a rule gives has one (KeyError otherwise)."""
    return CATALOGUE[condition].reasons[reason]


def _named(entries: Sequence[ReasonEntry]) -> Mapping[str, ReasonEntry]:
    return {entry.name: entry for entry in entries}


CATALOGUE: Mapping[ConditionType, ConditionEntry] = {
    "rtmp_push_rejected": ConditionEntry(
        "rtmp_push_rejected",
        "RTMP push rejected",
        "Stream key wrong or stream deleted",
        "Verify that the stream key matches the stream object",
        _named(PUBLISH_REASONS),
    ),
    "hls_manifest_empty": ConditionEntry(
        "hls_manifest_empty",
        "HLS manifest empty",
        "Transcoding has not completed the first segment",
        "Wait 5 to 10 seconds after the RTMP connect",
        _named(MANIFEST_REASONS),
    ),
    "playback_forbidden": ConditionEntry(
        "playback_forbidden",
        "Playback fails with 403",
        "Access control policy is blocking playback",
        "Check the JWT or the webhook playback policy",
        _named(PLAYBACK_REASONS),
    ),
    "recording_not_available": ConditionEntry(
        "recording_not_available",
        "Recording not available",
        "Stream did not go idle cleanly",
        "Check for `stream.idle`; the recording is generated when the stream goes idle",
        _named(RECORDING_REASONS),
    ),
    "webhook_not_firing": ConditionEntry(
        "webhook_not_firing",
        "Webhook not firing",
        "URL unreachable or signature mismatch",
        "Verify that the URL is publicly reachable and that the Livepeer-Signature verification passes",
        _named(WEBHOOK_REASONS),
    ),
}
"""In the order in which every answer lists the conditions."""
