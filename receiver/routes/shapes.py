"""From stored rows to the shapes of the answers."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.json import decode
from msgspec.structs import asdict

from receiver.diagnosis.catalogue import ConditionEntry, explain
from receiver.diagnosis.ordering import standing_ms
from receiver.diagnosis.reason import ReasonEntry
from receiver.routes import models
from receiver.routes.summaries import summary
from receiver.storage.queries import Found
from receiver.times import rfc3339

Stored = Mapping[str, Any]
"""A condition as it is stored, in JSON: without what has its default."""
_ABOUT_DELIVERY = "webhook_not_firing"


def when(at_ms: int | None) -> str | None:
    """A moment as the API writes it."""
    return None if at_ms is None else rfc3339(at_ms)


def stored_conditions(row: Found) -> list[Stored]:
    """A subject's conditions as they are stored, in the order of the catalogue."""
    return decode(row.conditions, type=list[Stored])


def condition(stored: Stored) -> models.Condition:
    """One condition."""
    return models.Condition(
        type=stored["type"],
        status=stored["status"],
        reason=stored["reason"],
        message=stored["message"],
        certainty=stored.get("certainty"),
        since=when(stored.get("since_ms")),
        observed_at=when(stored.get("observed_at_ms")),
        evidence=evidence(stored.get("evidence", ())),
        next_check_at=when(stored.get("next_check_ms")),
        muted_by=stored.get("muted_by"),
    )


def evidence(stored: Sequence[Stored]) -> list[models.Evidence]:
    """What a conclusion rests on."""
    return [
        models.Evidence(kind=one["kind"], id=one["id"], at=rfc3339(one["at_ms"]), text=one["text"]) for one in stored
    ]


def conditions(row: Found, ways_failing: Stored | None = None) -> list[models.Condition]:
    """A subject's conditions. `ways_failing` is the `webhook_not_firing` of the endpoint or of a webhook where that
    is true: it shows on the streams that it concerns, unless their own is true already (DESIGN 5)."""
    return [
        condition(ways_failing if ways_failing and one["type"] == _ABOUT_DELIVERY and one["status"] != "true" else one)
        for one in stored_conditions(row)
    ]


def stream_summary(row: Found, ways_failing: Stored | None) -> models.StreamSummary:
    """A stream in a list."""
    return models.StreamSummary(
        id=row.id,
        name=row.name,
        playback_id=row.playback_id,
        state=row.state,
        state_since=when(row.state_since_ms),
        last_event_at=when(row.last_event_ms),
        record=row.record,
        fault=row.fault,
        conditions=conditions(row, ways_failing),
    )


def stream(
    row: Found, ways_failing: Stored | None, sessions: Sequence[Found], diagnoses: Sequence[Found]
) -> models.Stream:
    """A stream with what belongs to it."""
    return models.Stream(
        **asdict(stream_summary(row, ways_failing)),
        sessions=[session(one) for one in sessions],
        diagnoses=[diagnosis(one) for one in diagnoses],
    )


def session(row: Found) -> models.Session:
    """A session and its recording."""
    return models.Session(
        id=row.id,
        stream_id=row.stream_id,
        state=row.state,
        state_since=when(row.state_since_ms),
        record=row.record,
        recording_url=row.recording_url,
        conditions=conditions(row),
    )


def diagnosis(row: Found) -> models.Diagnosis:
    """A diagnosis, in the guide's words made specific by its reason."""
    explained = explain(row.condition, row.reason)
    return models.Diagnosis(
        id=row.id,
        condition=row.condition,
        reason=row.reason,
        status=row.status,
        certainty=row.certainty,
        severity=row.severity,
        subject=models.SubjectRef(kind=row.subject_kind, id=row.subject_id),
        stream_id=row.stream_id,
        session_id=row.session_id,
        playback_id=row.playback_id,
        title=explained.title,
        likely_cause=explained.likely_cause,
        fix=explained.fix,
        message=row.message,
        evidence=evidence(decode(row.evidence)),
        opened_at=rfc3339(row.opened_ms),
        updated_at=rfc3339(row.updated_ms),
        resolved_at=when(row.resolved_ms),
        resolution=row.resolution,
        regressions=row.regressions,
        muted_by=row.muted_by,
    )


def diagnosis_detail(row: Found, transitions: Sequence[Found]) -> models.DiagnosisDetail:
    """A diagnosis with all that it went through."""
    steps = [
        models.Transition(
            at=rfc3339(one.at_ms), status=one.status, reason=one.reason, certainty=one.certainty, cause=one.cause
        )
        for one in transitions
    ]
    return models.DiagnosisDetail(**asdict(diagnosis(row)), transitions=steps)


def stream_event(rows: Sequence[Found]) -> models.StreamEvent:
    """A signal, from its rows: one for each webhook that brought it."""
    first = rows[0]
    return models.StreamEvent(
        id=first.id,
        kind=first.kind,
        source=first.source,
        at=rfc3339(standing_ms(first.position)),
        webhook_ids=[one.webhook_id for one in rows if one.webhook_id],
        first_received_at=rfc3339(min(one.first_received_ms for one in rows)),
        attempts=sum(one.attempts for one in rows),
        summary=summary(first.kind, first.flag),
    )


def event(rows: Sequence[Found], content: Mapping[str, Any]) -> models.Event:
    """An event with its `content`: `body`, or `raw` and `raw_encoding`."""
    first = rows[0]
    return models.Event(
        id=first.id,
        event=first.kind,
        source=first.source,
        created_at=when(first.created_ms),
        first_received_at=rfc3339(min(one.first_received_ms for one in rows)),
        last_received_at=rfc3339(max(one.last_received_ms for one in rows)),
        attempts=sum(one.attempts for one in rows),
        webhook_ids=sorted(one.webhook_id for one in rows if one.webhook_id),
        **content,
    )


def raw_content(body: bytes) -> dict[str, str]:
    """The stored bytes as they came."""
    try:
        return {"raw": body.decode(), "raw_encoding": "utf-8"}
    except UnicodeDecodeError:
        return {"raw": base64.b64encode(body).decode(), "raw_encoding": "base64"}


def delivery(row: Found) -> models.Delivery:
    """The verdict on one delivery; what is not known of its event is left out."""
    return models.Delivery(
        at=rfc3339(row.received_ms),
        verdict=row.verdict,
        code=row.code,
        event_id=_given(row.event_id),
        webhook_id=_given(row.webhook_id),
        event=_given(row.event),
        remote=row.remote,
        bytes=row.bytes,
    )


def _given(claimed: str | None) -> str | UnsetType:
    return UNSET if claimed is None else claimed


def webhook(row: Found) -> models.Webhook:
    """A webhook that has called us, or our endpoint, with the counts that the diagnoser keeps."""
    folded: Stored = decode(row.folded or "{}")
    of_endpoint = row.kind == "endpoint"
    return models.Webhook(
        kind=row.kind,
        id=row.id,
        accepted=folded.get("accepted", 0),
        repeated=folded.get("repeated", 0),
        refused=folded.get("refused", 0) if of_endpoint else None,
        first_delivery_at=when(folded.get("first_accepted_ms" if of_endpoint else "first_ms")),
        last_delivery_at=when(folded.get("last_accepted_ms" if of_endpoint else "last_ms")),
        last_refused_at=when(folded.get("last_refused_ms")),
        events=sorted(folded.get("events", ())),
        conditions=conditions(row),
    )


def condition_kind(entry: ConditionEntry) -> models.ConditionKind:
    """A symptom of the catalogue with its reasons."""
    return models.ConditionKind(
        type=entry.type,
        title=entry.title,
        likely_cause=entry.likely_cause,
        fix=entry.fix,
        reasons=[_reason(one) for one in entry.reasons.values()],
    )


def _reason(entry: ReasonEntry) -> models.Reason:
    return models.Reason(
        name=entry.name,
        meaning=entry.meaning,
        needs=list(entry.needs),
        kind=entry.kind,
        severity=entry.severity,
        fix=entry.next_step,
    )
