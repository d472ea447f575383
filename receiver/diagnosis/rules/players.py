"""What players reported, in words: for the rules about manifests and about who may play."""

from receiver.diagnosis.looks import FINDING
from receiver.diagnosis.state import Mark, Reports
from receiver.diagnosis.values import Certainty, Condition, ConditionType, Evidence, PlaybackError
from receiver.diagnosis.verdicts import Surroundings, answer, clock, quoted, seen

REPORTS_THAT_CONFIRM = 3
"""A single report is suspected (DESIGN 5); that many in a row are no accident of one player."""
_MET: dict[PlaybackError | None, str] = {
    "forbidden": "was refused",
    "empty_manifest": "got no segments",
    "offline": "found the stream offline",
}


def played(
    condition: ConditionType, reason: str, mark: Mark, since_ms: int, now_ms: int, around: Surroundings
) -> Condition:
    """It plays, as a player or a probe says; unless that is too long ago to say anything of now."""
    ends_ms = mark.at_ms + around.limits.report_ttl_ms
    who = "A probe found" if mark.kind == FINDING else "A player reported"
    message = f"{who} at {clock(mark.at_ms)} that it plays."
    if now_ms >= ends_ms:
        message += " That is too long ago to say anything of now."
        return answer(condition, "unknown", "ReportExpired", message, since_ms=ends_ms, evidence=seen(mark))
    return answer(condition, "false", reason, message, since_ms=since_ms, evidence=seen(mark), next_check_ms=ends_ms)


def expired(condition: ConditionType, reports: Reports, ends_ms: int) -> Condition:
    """Reports that are too old to say anything of now."""
    message = f"{told(reports)} Nothing has been heard since, and that is too long ago to say anything of now."
    return answer(condition, "unknown", "ReportExpired", message, since_ms=ends_ms, evidence=reported(reports))


def certainty(reports: Reports) -> Certainty:
    """How sure they make us."""
    return "confirmed" if reports.count >= REPORTS_THAT_CONFIRM else "suspected"


def reported(reports: Reports | None) -> tuple[Evidence, ...]:
    """The evidence that they are; none where there are none."""
    return () if reports is None else seen(reports.last, told(reports))


def told(reports: Reports) -> str:
    """What players met, as a sentence."""
    report, met = reports.report, _MET.get(reports.report.error, "failed")
    status = f" (HTTP {report.http_status})" if report.http_status else ""
    said = f", and said {quoted(report.message)}" if report.message else ""
    if reports.count == 1:
        return f"A player {met} at {clock(reports.last.at_ms)}{status}{said}."
    times = f"{reports.count} times since {clock(reports.first.at_ms)}, last at {clock(reports.last.at_ms)}"
    return f"A player {met} {times}{status}{said}."
